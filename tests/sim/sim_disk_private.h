/*
 * What is on the disk: for sim_disk.c, which has the system's calls, and
 * sim_disk_loss.c, which takes things away.
 *
 * Files are arrays of pages; a page of zeros is NULL, for spares are full of
 * them.  A page that was written since the last sync keeps what it was before.
 * A directory is a list of names, and of its changes since its last sync,
 * which a power cut takes back from the end.
 */
#ifndef MTAD_TESTS_SIM_SIM_DISK_PRIVATE_H
#define MTAD_TESTS_SIM_SIM_DISK_PRIVATE_H

#include "tests/sim/sim_disk.h"

enum { PAGE = 4096, SECTOR = 512, OBJECTS = 4096, CHANGES_MANY = 64 };

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

extern struct object *sim_objects[OBJECTS];
extern uint64_t sim_disk_used;		/* bytes of all files */

struct object *sim_object(int number);
void sim_page_clean(struct page *p);

/* The object of that name in DIR; 0: there is none. */
int sim_disk_lookup(int dir, const char *text);
/* Gives the name to OBJECT, 0: to nobody, without writing it down. */
void sim_disk_set_name(struct object *dir, const char *text, int object);
/* All changes of names are durable, or were taken back. */
void sim_disk_forget_changes(struct object *dir);

#endif
