/*
 * Files are arrays of pages; a page of zeros is NULL, for spares are full of
 * them.  A page that was written since the last sync keeps what it was before.
 * A directory is a list of names, and of its changes since its last sync,
 * which a power cut takes back from the end.
 */
#include "tests/sim/sim_disk.h"

#include "common/base/check.h"
#include "tests/sim/sim.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PAGE = 4096, SECTOR = 512, OBJECTS = 4096 };

/* The size of a segment follows from the whole, what may be used does not. */
#define DISK_BYTES	((uint64_t)24 << 20)
#define DISK_TOTAL	((uint64_t)2 << 20)

struct page {
	uint8_t *now;			/* NULL: zeros */
	uint8_t *before;		/* as last synced; NULL: zeros */
	bool is_dirty;
	bool is_lost;			/* its sync failed: see there */
};

struct name {
	char text[SIM_DISK_NAME];
	int object;
};

struct change {
	char text[SIM_DISK_NAME];
	int object;			/* had this name before; 0: nobody */
	bool is_first;			/* of one call: both or none */
};

struct object {
	bool is_dir;
	unsigned refs;			/* names, changes, open descriptors */
	uint64_t size, synced_size;
	struct page *pages;
	size_t page_count;
	struct name *names;
	size_t name_count;
	struct change *changes;
	size_t change_count;
	struct sim_tables *tables;	/* of the index's directory */
};

struct sim_faults sim_faults;

static struct object *objects[OBJECTS];
static bool is_cut;
static unsigned cut_after;
static uint64_t used;			/* bytes of all files */

/* ---- objects ---- */

static struct object *
get(int number)
{
	MUST(number > 0 && number < OBJECTS && objects[number] != NULL);
	return objects[number];
}

static int
object_new(bool is_dir)
{
	for (int i = 1; i < OBJECTS; i++) {
		if (objects[i] != NULL)
			continue;
		objects[i] = calloc(1, sizeof(*objects[i]));
		MUST(objects[i] != NULL);
		objects[i]->is_dir = is_dir;
		return i;
	}
	MUST(!"too many files");
	return 0;
}

static void
clean_page(struct page *p)
{
	if (p->is_dirty)
		free(p->before);
	p->before = NULL;
	p->is_dirty = p->is_lost = false;
}

static void
object_free(int number)
{
	struct object *o = objects[number];

	for (size_t i = 0; i < o->page_count; i++) {
		clean_page(&o->pages[i]);
		free(o->pages[i].now);
	}
	used -= o->size;
	free(o->pages);
	free(o->names);
	free(o->changes);
	sim_tables_free(&o->tables);
	free(o);
	objects[number] = NULL;
}

static void
unref(int number)
{
	if (number > 0 && --get(number)->refs == 0)
		object_free(number);
}

void
sim_disk_new(void)
{
	int root = object_new(true);

	MUST(root == SIM_DISK_ROOT);
	objects[root]->refs = 1;
	sim_faults = (struct sim_faults){ .taken = 0 };
	sim_disk_thaw();
}

void
sim_disk_free(void)
{
	for (int i = 1; i < OBJECTS; i++)
		if (objects[i] != NULL)
			object_free(i);
	used = 0;
}

/* ---- faults ---- */

void
sim_disk_cut(unsigned after)
{
	is_cut = after == 0;
	cut_after = after;
}

void
sim_disk_thaw(void)
{
	is_cut = false;
	cut_after = 0;
}

bool
sim_disk_is_cut(void)
{
	return is_cut;
}

/* Whether this change still counts. */
static bool
counts(void)
{
	if (is_cut)
		return false;
	if (cut_after > 0 && --cut_after == 0)
		is_cut = true;
	return true;
}

static bool
fails(unsigned share, enum sim_count what)
{
	if (is_cut || share == 0 || !sim_chance(share))
		return false;
	sim_note(what);
	errno = EIO;
	return true;
}

/* ---- directories ---- */

static struct name *
find(struct object *dir, const char *text)
{
	for (size_t i = 0; i < dir->name_count; i++)
		if (strcmp(dir->names[i].text, text) == 0)
			return &dir->names[i];
	return NULL;
}

static int
lookup(int dir, const char *text)
{
	const struct name *n = find(get(dir), text);

	return n != NULL ? n->object : 0;
}

/* Gives the name to OBJECT, 0: to nobody, without writing it down. */
static void
set_name(struct object *dir, const char *text, int object)
{
	struct name *n = find(dir, text);

	if (object > 0)
		get(object)->refs++;
	if (n != NULL && object == 0) {
		unref(n->object);
		*n = dir->names[--dir->name_count];
		return;
	}
	if (n != NULL) {
		unref(n->object);
		n->object = object;
		return;
	}
	if (object == 0)
		return;
	dir->names = realloc(dir->names,
	    (dir->name_count + 1) * sizeof(*dir->names));
	MUST(dir->names != NULL);
	n = &dir->names[dir->name_count++];
	(void)snprintf(n->text, sizeof(n->text), "%s", text);
	n->object = object;
}

static void
change_name(struct object *dir, const char *text, int object, bool is_first)
{
	int before = find(dir, text) != NULL ? find(dir, text)->object : 0;
	struct change *c;

	dir->changes = realloc(dir->changes,
	    (dir->change_count + 1) * sizeof(*dir->changes));
	MUST(dir->changes != NULL);
	c = &dir->changes[dir->change_count++];
	(void)snprintf(c->text, sizeof(c->text), "%s", text);
	c->object = before;
	c->is_first = is_first;
	if (before > 0)
		get(before)->refs++;
	set_name(dir, text, object);
}

static void
forget_changes(struct object *dir)
{
	for (size_t i = 0; i < dir->change_count; i++)
		unref(dir->changes[i].object);
	dir->change_count = 0;
}

bool
sim_disk_name(int dir, size_t n, char out[SIM_DISK_NAME])
{
	const struct object *d = get(dir);

	if (n >= d->name_count)
		return false;
	memcpy(out, d->names[n].text, SIM_DISK_NAME);
	return true;
}

/* ---- calls ---- */

static uint64_t
free_bytes(void)
{
	uint64_t taken = used + sim_faults.taken;

	return taken < DISK_BYTES ? DISK_BYTES - taken : 0;
}

static int
no(int error)
{
	errno = error;
	return -1;
}

int
sim_disk_open(int dir, const char *name, int flags)
{
	int object = strcmp(name, ".") == 0 ? dir : lookup(dir, name);

	if ((flags & O_CREAT) != 0 && object > 0 && (flags & O_EXCL) != 0)
		return no(EEXIST);
	if (object == 0 && (flags & O_CREAT) == 0)
		return no(ENOENT);
	if (object == 0) {
		if (fails(sim_faults.write_share, SIM_WRITE_ERRORS))
			return -1;
		object = object_new(false);
		if (counts())
			change_name(get(dir), name, object, true);
	}
	get(object)->refs++;
	return object;
}

int
sim_disk_mkdir(int dir, const char *name)
{
	if (lookup(dir, name) > 0)
		return no(EEXIST);
	if (counts())
		change_name(get(dir), name, object_new(true), true);
	return 0;
}

int
sim_disk_rename(int dir, const char *from, const char *to)
{
	int object = lookup(dir, from);

	if (object == 0 && !is_cut)
		return no(ENOENT);
	if (fails(sim_faults.write_share, SIM_WRITE_ERRORS))
		return -1;
	if (object > 0 && counts()) {
		if (strncmp(from, "log.", 4) == 0)
			sim_note(SIM_SEGMENTS_GONE);
		else if (strncmp(to, "log.", 4) == 0)
			sim_note(SIM_SEGMENTS);
		change_name(get(dir), to, object, true);
		change_name(get(dir), from, 0, false);
	}
	return 0;
}

int
sim_disk_unlink(int dir, const char *name)
{
	if (lookup(dir, name) == 0)
		return no(ENOENT);
	if (counts()) {
		if (strncmp(name, "log.", 4) == 0)
			sim_note(SIM_SEGMENTS_GONE);
		change_name(get(dir), name, 0, true);
	}
	return 0;
}

/* After a failure the kernel calls the pages clean: no later sync writes them,
 * unless they are written anew. */
int
sim_disk_sync(int object)
{
	struct object *o = get(object);
	bool is_failing = fails(sim_faults.sync_share, SIM_SYNC_ERRORS);

	sim_trace("    disk: %d synced%s", object, is_failing ? ", in vain" :
	    is_cut ? ", without effect" : "");
	if (!is_failing && !counts())
		return 0;
	for (size_t i = 0; i < o->page_count; i++) {
		o->pages[i].is_lost |= is_failing;
		if (!o->pages[i].is_lost)
			clean_page(&o->pages[i]);
	}
	if (is_failing)
		return -1;
	if (o->is_dir)
		forget_changes(o);
	o->synced_size = o->size;
	return 0;
}

static void
grow(struct object *o, uint64_t size)
{
	size_t pages = (size_t)((size + PAGE - 1) / PAGE);

	if (pages > o->page_count) {
		o->pages = realloc(o->pages, pages * sizeof(*o->pages));
		MUST(o->pages != NULL);
		memset(o->pages + o->page_count, 0,
		    (pages - o->page_count) * sizeof(*o->pages));
		o->page_count = pages;
	}
	if (size > o->size) {
		used += size - o->size;
		o->size = size;
	}
}

static bool
is_zero(const uint8_t *p, size_t n)
{
	return n == 0 || (p[0] == 0 && memcmp(p, p + 1, n - 1) == 0);
}

static void
write_page(struct page *page, size_t at, const uint8_t *p, size_t n)
{
	if (page->now == NULL && is_zero(p, n))
		return;
	page->is_lost = false;
	if (!page->is_dirty) {
		page->is_dirty = true;
		page->before = page->now;
		page->now = NULL;
		if (page->before != NULL && n < PAGE) {
			page->now = malloc(PAGE);
			MUST(page->now != NULL);
			memcpy(page->now, page->before, PAGE);
		}
	}
	if (page->now == NULL) {
		page->now = calloc(1, PAGE);
		MUST(page->now != NULL);
	}
	memcpy(page->now + at, p, n);
}

ssize_t
sim_disk_pwrite(int object, const void *p, size_t n, uint64_t at)
{
	struct object *o = get(object);
	const uint8_t *bytes = p;

	sim_trace("    disk: %d, %zu bytes at %ju%s", object, n,
	    (uintmax_t)at, is_cut ? ", without effect" : "");
	if (fails(sim_faults.write_share, SIM_WRITE_ERRORS))
		return -1;
	if (!is_cut && at + n > o->size && at + n - o->size > free_bytes()) {
		sim_note(SIM_FULL_DISKS);
		return no(ENOSPC);
	}
	if (!counts())
		return (ssize_t)n;
	grow(o, at + n);
	for (size_t done = 0; done < n;) {
		size_t in = (size_t)((at + done) % PAGE);
		size_t part = n - done < PAGE - in ? n - done : PAGE - in;

		write_page(&o->pages[(at + done) / PAGE], in, bytes + done,
		    part);
		done += part;
	}
	return (ssize_t)n;
}

ssize_t
sim_disk_pread(int object, void *p, size_t n, uint64_t at)
{
	const struct object *o = get(object);
	uint8_t *bytes = p;

	if (at >= o->size)
		return 0;
	if (n > o->size - at)
		n = (size_t)(o->size - at);
	for (size_t done = 0; done < n;) {
		size_t in = (size_t)((at + done) % PAGE);
		size_t part = n - done < PAGE - in ? n - done : PAGE - in;
		const uint8_t *now = o->pages[(at + done) / PAGE].now;

		if (now != NULL)
			memcpy(bytes + done, now + in, part);
		else
			memset(bytes + done, 0, part);
		done += part;
	}
	return (ssize_t)n;
}

void
sim_disk_close(int object)
{
	unref(object);
}

int
sim_disk_stat(int object, struct stat *out)
{
	const struct object *o = get(object);

	memset(out, 0, sizeof(*out));
	out->st_mode = o->is_dir ? S_IFDIR | 0700 : S_IFREG | 0600;
	out->st_nlink = 1;
	out->st_size = (off_t)o->size;
	out->st_blocks = (blkcnt_t)((o->size + SECTOR - 1) / SECTOR);
	return 0;
}

int
sim_disk_stat_at(int dir, const char *name, struct stat *out)
{
	int object = lookup(dir, name);

	return object > 0 ? sim_disk_stat(object, out) : no(ENOENT);
}

void
sim_disk_room(uint64_t *available, uint64_t *total)
{
	*available = free_bytes();
	*total = DISK_TOTAL;
}

/* ---- the power ---- */

/* A dirty page goes back to what it was, sector by sector. */
static void
lose_page(struct page *p, unsigned share)
{
	static const uint8_t zeros[PAGE];
	const uint8_t *before = p->before != NULL ? p->before : zeros;

	for (size_t at = 0; at < PAGE; at += SECTOR) {
		if (!sim_chance(share))
			continue;
		memcpy(p->now + at, before + at, SECTOR);
		sim.counts[SIM_LOST_SECTORS]++;
	}
	clean_page(p);
}

static void
lose_file(struct object *o)
{
	unsigned share = (unsigned)sim_below(5) * 250;

	for (size_t i = 0; i < o->page_count; i++)
		if (o->pages[i].is_dirty)
			lose_page(&o->pages[i], share);
	if (o->size > o->synced_size && sim_chance(500)) {
		used -= o->size - o->synced_size;
		o->size = o->synced_size;
	}
	o->synced_size = o->size;
}

static void
lose_names(struct object *dir)
{
	size_t keep = (size_t)sim_below(dir->change_count + 1);

	while (keep < dir->change_count && !dir->changes[keep].is_first)
		keep++;
	for (size_t i = dir->change_count; i > keep; i--)
		set_name(dir, dir->changes[i - 1].text,
		    dir->changes[i - 1].object);
	forget_changes(dir);
}

void
sim_disk_lose(void)
{
	for (int i = 1; i < OBJECTS; i++)
		if (objects[i] != NULL && !objects[i]->is_dir)
			lose_file(objects[i]);
	for (int i = 1; i < OBJECTS; i++)
		if (objects[i] != NULL && objects[i]->is_dir)
			lose_names(objects[i]);
}

/* ---- the index ---- */

struct sim_tables *
sim_disk_tables(void)
{
	int dir = lookup(SIM_DISK_ROOT, "index");

	if (dir == 0)
		return NULL;
	if (get(dir)->tables == NULL)
		get(dir)->tables = sim_tables_new();
	return get(dir)->tables;
}

void
sim_disk_lose_index(void)
{
	int dir = lookup(SIM_DISK_ROOT, "index");

	if (dir > 0)
		sim_tables_free(&get(dir)->tables);
}

/* ---- looking and damaging ---- */

static uint8_t *
byte_of(struct object *o, size_t at)
{
	return o->pages[at / PAGE].now + at % PAGE;
}

/* How often BYTES are in it, wherever pages part them; *AT is the last place. */
static unsigned
find_bytes(struct object *o, const void *bytes, size_t n, size_t *at)
{
	static uint8_t both[2 * PAGE];
	unsigned hits = 0;

	for (size_t i = 0; i < o->page_count; i++) {
		const uint8_t *hit;

		memset(both, 0, sizeof(both));
		for (size_t k = i; k < i + 2 && k < o->page_count; k++)
			if (o->pages[k].now != NULL)
				memcpy(both + (k - i) * PAGE, o->pages[k].now,
				    PAGE);
		hit = memmem(both, PAGE + n - 1, bytes, n);
		if (hit == NULL)
			continue;
		*at = i * PAGE + (size_t)(hit - both);
		hits++;
	}
	return hits;
}

bool
sim_disk_damage(const void *bytes, size_t n)
{
	struct object *o = NULL;
	unsigned hits = 0;
	size_t at = 0;

	for (int i = 1; i < OBJECTS; i++) {
		unsigned more = objects[i] != NULL ?
		    find_bytes(objects[i], bytes, n, &at) : 0;

		hits += more;
		o = more > 0 ? objects[i] : o;
	}
	if (hits != 1)
		return false;
	at += (size_t)sim_below(n);
	*byte_of(o, at) ^= (uint8_t)(1 << sim_below(8));
	return true;
}

size_t
sim_disk_count(const char *dir, const char *prefix)
{
	int object = lookup(SIM_DISK_ROOT, dir);
	size_t n = 0;

	if (object == 0)
		return 0;
	for (size_t i = 0; i < get(object)->name_count; i++)
		if (strncmp(get(object)->names[i].text, prefix,
		    strlen(prefix)) == 0)
			n++;
	return n;
}
