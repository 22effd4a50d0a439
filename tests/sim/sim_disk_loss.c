#include "tests/sim/sim_disk_private.h"

#include "queued/store/store_shrink.h"
#include "tests/sim/sim.h"

#include <fcntl.h>
#include <string.h>

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
	sim_page_clean(p);
}

static void
lose_file(struct object *o)
{
	unsigned share = (unsigned)sim_below(5) * 250;

	for (size_t i = 0; i < o->page_count; i++)
		if (o->pages[i].is_dirty)
			lose_page(&o->pages[i], share);
	if (o->size > o->synced_size && sim_chance(500)) {
		sim_disk_used -= o->size - o->synced_size;
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
		sim_disk_set_name(dir, dir->changes[i - 1].text,
		    dir->changes[i - 1].object);
	sim_disk_forget_changes(dir);
}

void
sim_disk_lose(void)
{
	for (int i = 1; i < OBJECTS; i++)
		if (sim_objects[i] != NULL && !sim_objects[i]->is_dir)
			lose_file(sim_objects[i]);
	for (int i = 1; i < OBJECTS; i++)
		if (sim_objects[i] != NULL && sim_objects[i]->is_dir)
			lose_names(sim_objects[i]);
}

/* ---- the index ---- */

struct sim_tables *
sim_disk_tables(void)
{
	int dir = sim_disk_lookup(SIM_DISK_ROOT, "index");

	if (dir == 0)
		return NULL;
	if (sim_object(dir)->tables == NULL)
		sim_object(dir)->tables = sim_tables_new();
	return sim_object(dir)->tables;
}

void
sim_disk_lose_index(void)
{
	int dir = sim_disk_lookup(SIM_DISK_ROOT, "index");

	if (dir > 0)
		sim_tables_free(&sim_object(dir)->tables);
}

bool
sim_disk_begin_index(void)
{
	int dir = sim_disk_lookup(SIM_DISK_ROOT, "index");
	int object;

	if (sim_disk_lookup(dir, STORE_SHRINK_NAME) != 0)
		return true;
	sim_disk_lose_index();
	object = sim_disk_open(dir, STORE_SHRINK_NAME, O_RDWR | O_CREAT);
	if (object < 0)
		return false;
	sim_disk_close(object);
	return true;
}

/* Rows that have not got the index's name are half of it. */
bool __wrap_store_build_is_needed(int fd);
bool
__wrap_store_build_is_needed(int fd)
{
	int dir = sim_disk_lookup(SIM_DISK_ROOT, "index");

	(void)fd;
	return sim_tables_are_empty(sim_disk_tables()) ||
	    sim_disk_lookup(dir, "data.mdb") == 0;
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
		unsigned more = sim_objects[i] != NULL ?
		    find_bytes(sim_objects[i], bytes, n, &at) : 0;

		hits += more;
		o = more > 0 ? sim_objects[i] : o;
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
	int object = sim_disk_lookup(SIM_DISK_ROOT, dir);
	size_t n = 0;

	if (object == 0)
		return 0;
	for (size_t i = 0; i < sim_object(object)->name_count; i++)
		if (strncmp(sim_object(object)->names[i].text, prefix,
		    strlen(prefix)) == 0)
			n++;
	return n;
}
