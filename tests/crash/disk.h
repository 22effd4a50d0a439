/*
 * A disk as a recording leaves it: what is durable, and what is pending.
 *
 * Events are applied one by one.  What no sync covers yet is pending, and a
 * power cut may keep any part of it: each 512-byte sector of a write by
 * itself, each change of a directory by itself, in any order.  A sync makes
 * durable what was pending for its file or directory.  After a sync that
 * failed, the earlier writes stay in doubt for ever: a later sync that
 * succeeds says nothing about them, for the kernel holds them for clean.
 */
#ifndef MTAD_TESTS_CRASH_DISK_H
#define MTAD_TESTS_CRASH_DISK_H

#include "tests/crash/trace.h"

enum { DISK_SECTOR = 512, DISK_PAGE = 4096 };

struct disk;

/* NULL: no memory. */
struct disk *disk_new(const struct trace *t);
void disk_free(struct disk **d);

const struct trace *disk_trace(const struct disk *d);

/* The next event, by its number in the recording. */
void disk_apply(struct disk *d, size_t event);

/* Grows whenever something becomes durable. */
uint64_t disk_version(const struct disk *d);

/* What is pending, in the order of the recording. */
size_t disk_pending(const struct disk *d);
size_t disk_pending_event(const struct disk *d, size_t i);
/* Parts that survive by themselves: sectors of a write, 1 of all else. */
size_t disk_pending_parts(const struct disk *d, size_t i);

/* What survives: part P of pending I.  WITH_SIZES: a file is as long as it was
 * meant to be even where its bytes are lost (they read as zeros). */
struct disk_choice {
	bool (*keeps)(const void *ctx, size_t i, size_t p);
	const void *ctx;
	bool with_sizes;
};

/* Makes directory PATH, which does not exist, hold what is durable and what
 * survives.  False when it can't. */
bool disk_write_out(const struct disk *d, const struct disk_choice *c,
    const char *path);

/* Whether PATH is what the disk is when all that is pending survives; else
 * says in WHY (256 bytes) what differs.  The contents of lock files are not
 * looked at. */
bool disk_is_like(const struct disk *d, const char *path, char *why);

/* How often the file called NAME somewhere was synced; 0: it was never, or is
 * not there as far as is durable. */
unsigned disk_syncs(const struct disk *d, const char *name);

#endif
