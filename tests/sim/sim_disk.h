/*
 * A disk in memory: what was written, and what would be there after a power
 * cut.  Writes that were not synced survive by sectors of 512 bytes, at
 * random; changes of directories that were not synced, in their order, up to
 * a random one.  It fails as it is told to.
 */
#ifndef MTAD_TESTS_SIM_SIM_DISK_H
#define MTAD_TESTS_SIM_SIM_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

struct sim_tables;

/* An object is named by its number, > 0; the root directory is 1. */
enum { SIM_DISK_ROOT = 1, SIM_DISK_NAME = 64 };

struct sim_faults {
	unsigned write_share;		/* of 1,000 writes and opens */
	unsigned sync_share;
	unsigned index_share;		/* of check-points */
	uint64_t taken;			/* by others, of the disk's bytes */
};

extern struct sim_faults sim_faults;

void sim_disk_new(void);
void sim_disk_free(void);

/* From now on nothing that is done to it counts: queued is dying.  AFTER that
 * many more changes, 0: at once. */
void sim_disk_cut(unsigned after);
void sim_disk_thaw(void);
bool sim_disk_is_cut(void);

/* What was not synced may be lost. */
void sim_disk_lose(void);

/* The calls of the system: -1 and errno. */
int sim_disk_open(int dir, const char *name, int flags);
int sim_disk_mkdir(int dir, const char *name);
int sim_disk_rename(int dir, const char *from, const char *to);
int sim_disk_unlink(int dir, const char *name);
int sim_disk_sync(int object);
ssize_t sim_disk_pwrite(int object, const void *p, size_t n, uint64_t at);
ssize_t sim_disk_pread(int object, void *p, size_t n, uint64_t at);
void sim_disk_close(int object);
int sim_disk_stat(int object, struct stat *out);
int sim_disk_stat_at(int dir, const char *name, struct stat *out);
void sim_disk_room(uint64_t *available, uint64_t *total);

/* The Nth name in a directory; false behind the last. */
bool sim_disk_name(int dir, size_t n, char out[SIM_DISK_NAME]);

/* The rows of the index belong to its directory. */
struct sim_tables *sim_disk_tables(void);	/* NULL: no such directory */
void sim_disk_lose_index(void);
/* Empty, under the other name, unless that is there; false and errno. */
bool sim_disk_begin_index(void);

/* Flips a bit where BYTES lie in a file; false when they are nowhere, or in
 * several. */
bool sim_disk_damage(const void *bytes, size_t n);

/* Files whose names begin so. */
size_t sim_disk_count(const char *dir, const char *prefix);

/* sim_lmdb.c */
struct sim_tables *sim_tables_new(void);
void sim_tables_free(struct sim_tables **t);
bool sim_tables_are_empty(const struct sim_tables *t);	/* or NULL */

#endif
