/*
 * Between the recorder's calls and what it knows.
 */
#ifndef MTAD_TESTS_CRASH_RECORD_PRIVATE_H
#define MTAD_TESTS_CRASH_RECORD_PRIVATE_H

#include <sys/types.h>

#include "tests/crash/record.h"

struct record_file {
	uint64_t ino;
	char name[TRACE_NAME_MAX];	/* the last one it had */
};

bool record_is_on(void);

/* False, and nothing is locked, when nothing is recorded.  Unlocking may end
 * the process (record_kill_at()), as may die_if_wanted(). */
bool record_lock(void);
void record_unlock(void);
void record_die_if_wanted(void);

/* With the lock held.  NULL: not below the recorded directory. */
const struct record_file *record_of_fd(int fd);
/* The directory that NAME lies in, and NAME's last word. */
const struct record_file *record_of_path(int dir, const char *name,
    const char **last);
uint64_t record_inode_at(int dir, const char *name);

/* Of all files that the recording has. */
void record_add_syncs(void);

void record_add(const struct trace_event *e, const void *p, size_t n,
    const char *name);
void record_add_names(enum trace_kind kind, uint64_t ino, uint64_t dir,
    const char *name, uint64_t to_dir, const char *to, uint8_t flags);

/* enum record_class of a file; whether its next call is to fail, with errno. */
int record_class_of(const char *name, bool is_sync);
bool record_fails(int class);

#endif
