/*
 * The insides of a disk, for disk.c and disk_out.c alone.
 */
#ifndef MTAD_TESTS_CRASH_DISK_PRIVATE_H
#define MTAD_TESTS_CRASH_DISK_PRIVATE_H

#include "tests/crash/disk.h"

struct file {
	uint64_t ino;
	bool is_dir;
	uint64_t size;
	uint8_t **pages;
	size_t page_count;
	unsigned syncs;
};

struct entry {
	uint64_t dir;
	uint64_t ino;
	char name[TRACE_NAME_MAX];
};

struct pend {
	size_t event;
	bool is_doubtful;	/* no sync makes it durable */
	uint8_t *gone;		/* by part; NULL: none is */
};

struct names {
	struct entry *p;
	size_t n, size;
};

struct disk {
	const struct trace *trace;
	struct file *files;
	size_t file_count, file_size;
	struct names names;
	struct pend *pends;
	size_t pend_count, pend_size;
	uint64_t version;
};

/* NULL: there is none. */
struct file *disk_file(const struct disk *d, uint64_t ino);
const struct trace_event *disk_event(const struct disk *d,
    const struct pend *p);

/* A change of names, and whether E is one. */
void disk_names_apply(struct names *t, const struct trace_event *e);
bool disk_is_of_names(const struct trace_event *e);

/* Parts of a write that survive by themselves; the bytes of part P: from *AT to
 * *END in the file. */
size_t disk_parts(const struct trace_event *e);
void disk_part_range(const struct trace_event *e, size_t p, uint64_t *at,
    uint64_t *end);

#endif
