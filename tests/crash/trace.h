/*
 * A recording: what was done to a disk and what was promised meanwhile, in one
 * order.
 *
 * It lies in memory that a process shares with its children, so that the
 * recording goes on when a child that worked on the disk is killed.  Events
 * are appended under a lock that is held while the thing itself is done: their
 * order is the true one, whichever thread did them.
 */
#ifndef MTAD_TESTS_CRASH_TRACE_H
#define MTAD_TESTS_CRASH_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TRACE_EVENTS_MAX = 1 << 18, TRACE_NAME_MAX = 64 };

enum trace_kind {
	TRACE_CREATE = 1,	/* inode INO as NAME in DIR */
	TRACE_LINK,		/* the same, of an inode that is there */
	TRACE_WRITE,		/* N bytes AT in INO; no data: zeros */
	TRACE_SIZE,		/* INO has AT bytes */
	TRACE_SYNC,		/* INO, a file or a directory */
	TRACE_SYNC_FAILED,	/* what is not synced by now may never be */
	TRACE_RENAME,		/* INO: NAME in DIR becomes TO in TO_DIR */
	TRACE_UNLINK,		/* NAME in DIR is no more */
	TRACE_NOTE,		/* N bytes of data: not the disk's business */
};

enum {
	TRACE_IS_DIR = 1,	/* of a create */
	TRACE_IS_DURABLE = 2,	/* a write with O_DSYNC */
	TRACE_IS_BASE = 4,	/* it was there before */
};

struct trace_event {
	uint8_t kind;
	uint8_t flags;
	uint64_t ino;
	uint64_t dir, to_dir;
	uint64_t at;
	uint64_t n;
	char name[TRACE_NAME_MAX];
	char to[TRACE_NAME_MAX];
	uint64_t data;		/* offset in the recording; 0: none */
};

struct trace;

/* BYTES of address space for data; NULL without memory. */
struct trace *trace_new(size_t bytes);
void trace_free(struct trace **t);

/* Empties it; a lock that a dead process held is free again. */
void trace_reset(struct trace *t);
void trace_unlock_dead(struct trace *t);

void trace_lock(struct trace *t);
void trace_unlock(struct trace *t);

/* With the lock held.  P: data, or NULL.  What does not fit is counted and
 * makes the recording useless. */
void trace_add(struct trace *t, const struct trace_event *e, const void *p,
    size_t n);

/* Takes the lock. */
void trace_note(struct trace *t, const void *p, size_t n);

/* The inode of the directory that all is below. */
void trace_set_root(struct trace *t, uint64_t root);
uint64_t trace_root(const struct trace *t);

size_t trace_count(const struct trace *t);
size_t trace_bytes(const struct trace *t);
bool trace_is_whole(const struct trace *t);
const struct trace_event *trace_at(const struct trace *t, size_t i);
const uint8_t *trace_data(const struct trace *t, const struct trace_event *e);

/* To and from a file; false on failure. */
bool trace_save(const struct trace *t, const char *path);
bool trace_load(struct trace *t, const char *path);

#endif
