#include "tests/sim/sim_disk_private.h"

#include "common/base/check.h"
#include "tests/sim/sim.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The size of a segment follows from the whole, what may be used does not. */
#define DISK_BYTES	((uint64_t)24 << 20)
#define DISK_TOTAL	((uint64_t)2 << 20)

struct sim_faults sim_faults;

struct object *sim_objects[OBJECTS];
static bool is_cut;
static unsigned cut_after;
uint64_t sim_disk_used;

/* ---- objects ---- */

struct object *
sim_object(int number)
{
	MUST(number > 0 && number < OBJECTS && sim_objects[number] != NULL);
	return sim_objects[number];
}

static int
object_new(bool is_dir)
{
	for (int i = 1; i < OBJECTS; i++) {
		if (sim_objects[i] != NULL)
			continue;
		sim_objects[i] = calloc(1, sizeof(*sim_objects[i]));
		MUST(sim_objects[i] != NULL);
		sim_objects[i]->is_dir = is_dir;
		return i;
	}
	MUST(!"too many files");
	return 0;
}

void
sim_page_clean(struct page *p)
{
	if (p->is_dirty)
		free(p->before);
	p->before = NULL;
	p->is_dirty = p->is_lost = false;
}

static void
object_free(int number)
{
	struct object *o = sim_objects[number];

	for (size_t i = 0; i < o->page_count; i++) {
		sim_page_clean(&o->pages[i]);
		free(o->pages[i].now);
	}
	sim_disk_used -= o->size;
	free(o->pages);
	free(o->names);
	free(o->changes);
	sim_tables_free(&o->tables);
	free(o);
	sim_objects[number] = NULL;
}

static void
unref(int number)
{
	if (number > 0 && --sim_object(number)->refs == 0)
		object_free(number);
}

void
sim_disk_new(void)
{
	int root = object_new(true);

	MUST(root == SIM_DISK_ROOT);
	sim_objects[root]->refs = 1;
	sim_faults = (struct sim_faults){ .taken = 0 };
	sim_disk_thaw();
}

void
sim_disk_free(void)
{
	for (int i = 1; i < OBJECTS; i++)
		if (sim_objects[i] != NULL)
			object_free(i);
	sim_disk_used = 0;
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

int
sim_disk_lookup(int dir, const char *text)
{
	const struct name *n = find(sim_object(dir), text);

	return n != NULL ? n->object : 0;
}

void
sim_disk_set_name(struct object *dir, const char *text, int object)
{
	struct name *n = find(dir, text);

	if (object > 0)
		sim_object(object)->refs++;
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

/* A file that came and goes again, while very many changes wait for a sync:
 * as if it never had been. */
static bool
takes_back(struct object *dir, const char *text, int object)
{
	const struct change *last;

	if (object != 0 || dir->change_count < CHANGES_MANY)
		return false;
	last = &dir->changes[dir->change_count - 1];
	if (last->object != 0 || !last->is_first ||
	    strcmp(last->text, text) != 0)
		return false;
	dir->change_count--;
	sim_disk_set_name(dir, text, 0);
	return true;
}

static void
change_name(struct object *dir, const char *text, int object, bool is_first)
{
	int before = find(dir, text) != NULL ? find(dir, text)->object : 0;
	struct change *c;

	if (takes_back(dir, text, object))
		return;
	dir->changes = realloc(dir->changes,
	    (dir->change_count + 1) * sizeof(*dir->changes));
	MUST(dir->changes != NULL);
	c = &dir->changes[dir->change_count++];
	(void)snprintf(c->text, sizeof(c->text), "%s", text);
	c->object = before;
	c->is_first = is_first;
	if (before > 0)
		sim_object(before)->refs++;
	sim_disk_set_name(dir, text, object);
}

void
sim_disk_forget_changes(struct object *dir)
{
	for (size_t i = 0; i < dir->change_count; i++)
		unref(dir->changes[i].object);
	dir->change_count = 0;
}

bool
sim_disk_name(int dir, size_t n, char out[SIM_DISK_NAME])
{
	const struct object *d = sim_object(dir);

	if (n >= d->name_count)
		return false;
	memcpy(out, d->names[n].text, SIM_DISK_NAME);
	return true;
}

/* ---- calls ---- */

static uint64_t
free_bytes(void)
{
	uint64_t taken = sim_disk_used + sim_faults.taken;

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
	int object = strcmp(name, ".") == 0 ? dir : sim_disk_lookup(dir, name);

	if ((flags & O_CREAT) != 0 && object > 0 && (flags & O_EXCL) != 0)
		return no(EEXIST);
	if (object == 0 && (flags & O_CREAT) == 0)
		return no(ENOENT);
	if (object == 0) {
		if (fails(sim_faults.write_share, SIM_WRITE_ERRORS))
			return -1;
		object = object_new(false);
		if (counts())
			change_name(sim_object(dir), name, object, true);
	}
	sim_object(object)->refs++;
	return object;
}

int
sim_disk_mkdir(int dir, const char *name)
{
	if (sim_disk_lookup(dir, name) > 0)
		return no(EEXIST);
	if (counts())
		change_name(sim_object(dir), name, object_new(true), true);
	return 0;
}

int
sim_disk_rename(int dir, const char *from, const char *to)
{
	int object = sim_disk_lookup(dir, from);

	if (object == 0 && !is_cut)
		return no(ENOENT);
	if (fails(sim_faults.write_share, SIM_WRITE_ERRORS))
		return -1;
	if (object > 0 && counts()) {
		if (strncmp(from, "log.", 4) == 0)
			sim_note(SIM_SEGMENTS_GONE);
		else if (strncmp(to, "log.", 4) == 0)
			sim_note(SIM_SEGMENTS);
		change_name(sim_object(dir), to, object, true);
		change_name(sim_object(dir), from, 0, false);
	}
	return 0;
}

int
sim_disk_unlink(int dir, const char *name)
{
	if (sim_disk_lookup(dir, name) == 0)
		return no(ENOENT);
	if (counts()) {
		if (strncmp(name, "log.", 4) == 0)
			sim_note(SIM_SEGMENTS_GONE);
		change_name(sim_object(dir), name, 0, true);
	}
	return 0;
}

/* After a failure the kernel calls the pages clean: no later sync writes them,
 * unless they are written anew. */
int
sim_disk_sync(int object)
{
	struct object *o = sim_object(object);
	bool is_failing = fails(sim_faults.sync_share, SIM_SYNC_ERRORS);

	sim_trace("    disk: %d synced%s", object, is_failing ? ", in vain" :
	    is_cut ? ", without effect" : "");
	if (!is_failing && !counts())
		return 0;
	for (size_t i = 0; i < o->page_count; i++) {
		o->pages[i].is_lost |= is_failing;
		if (!o->pages[i].is_lost)
			sim_page_clean(&o->pages[i]);
	}
	if (is_failing)
		return -1;
	if (o->is_dir)
		sim_disk_forget_changes(o);
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
		sim_disk_used += size - o->size;
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
	struct object *o = sim_object(object);
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
	const struct object *o = sim_object(object);
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
	const struct object *o = sim_object(object);

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
	int object = sim_disk_lookup(dir, name);

	return object > 0 ? sim_disk_stat(object, out) : no(ENOENT);
}

void
sim_disk_room(uint64_t *available, uint64_t *total)
{
	*available = free_bytes();
	*total = DISK_TOTAL;
}
