/*
 * The recorder: every change of files below one directory, by whoever makes it.
 *
 * record.c defines the C library's calls that change files, so this program
 * and its shared libraries (LMDB) call those; what lies below the recorded
 * directory is done under the recording's lock and appended.  Files are known
 * by inode, descriptors by fstat(): nothing has to be told about them.
 *
 * It can fail calls as a disk would, and end the process at an event.
 */
#ifndef MTAD_TESTS_CRASH_RECORD_H
#define MTAD_TESTS_CRASH_RECORD_H

#include "tests/crash/trace.h"

/* Call classes that can be made to fail. */
enum record_class {
	RECORD_LOG_WRITE,	/* of a segment, or of a spare to be */
	RECORD_LOG_SYNC,
	RECORD_BODY_WRITE,
	RECORD_BODY_SYNC,
	RECORD_INDEX_WRITE,
	RECORD_INDEX_SYNC,
	RECORD_RENAME,
	RECORD_UNLINK,
	RECORD_CLASSES
};

/* Records what happens below DIR from now on, in this process.  WITH_BASE: what
 * is there already is appended, as durable; a recording that goes on has it.  No
 * other thread may change DIR meanwhile: a file that it makes would be unknown.
 * Returns DIR's inode, 0 on failure. */
uint64_t record_start(struct trace *t, const char *dir, bool with_base);

/* In this process: nothing is recorded or failed any more. */
void record_stop(void);

/* A test of the test: records nothing of this class of files from now on. */
void record_overlook(const char *name_prefix);

/* Of the calls of CLASS the one after AFTER more fails with ERROR, and the
 * COUNT - 1 behind it. */
void record_fail(enum record_class class, unsigned after, unsigned count,
    int error);
void record_fail_nothing(void);
unsigned record_failures(void);

/* This process ends, as by kill -9, when the recording has so many events:
 * before or after the last of them is done, as it comes.  0: not. */
void record_kill_at(size_t events);

enum { RECORD_KILLED = 9 };	/* its exit code then */

/* Ends this process at once, but between two events. */
_Noreturn void record_exit(int code);

#endif
