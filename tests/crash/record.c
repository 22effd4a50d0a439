/*
 * What the recorder knows, in each process of its own; the calls themselves are
 * in record_calls.c.
 */
#include "tests/crash/record_private.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { INODES_MAX = 8192, PATH_BYTES = 1024 };

struct failing {
	unsigned after, count;
	int error;
};

static struct {
	struct trace *trace;
	atomic_bool is_on;
	dev_t dev;
	size_t known_count;
	struct record_file known[INODES_MAX];
	struct failing failing[RECORD_CLASSES];
	unsigned failures;
	size_t kill_at;
	const char *overlooked;
	bool adds_base;
} rec;

/* ---- what is known ---- */

/* From the newest on: those are asked for most. */
static struct record_file *
find(uint64_t ino)
{
	for (size_t i = rec.known_count; i > 0; i--) {
		if (rec.known[i - 1].ino == ino)
			return &rec.known[i - 1];
	}
	return NULL;
}

static void
know(uint64_t ino, const char *name)
{
	struct record_file *k = find(ino);

	if (k == NULL && rec.known_count < INODES_MAX)
		k = &rec.known[rec.known_count++];
	if (k == NULL)
		abort();
	k->ino = ino;
	(void)snprintf(k->name, sizeof(k->name), "%s", name);
}

const struct record_file *
record_of_fd(int fd)
{
	struct stat st;

	if (fstat(fd, &st) != 0 || st.st_dev != rec.dev)
		return NULL;
	return find(st.st_ino);
}

/* The directory that NAME lies in, if it is a recorded one, and its last
 * word. */
const struct record_file *
record_of_path(int dir, const char *name, const char **last)
{
	const char *slash = strrchr(name, '/');
	char parent[PATH_BYTES];
	struct stat st;

	*last = slash != NULL ? slash + 1 : name;
	if (slash == NULL && dir != AT_FDCWD)
		return record_of_fd(dir);
	(void)snprintf(parent, sizeof(parent), "%.*s",
	    slash != NULL ? (int)(slash - name) : 1,
	    slash != NULL ? name : ".");
	if (fstatat(dir, parent, &st, 0) != 0 || st.st_dev != rec.dev)
		return NULL;
	return find(st.st_ino);
}

uint64_t
record_inode_at(int dir, const char *name)
{
	struct stat st;

	return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 ?
	    st.st_ino : 0;
}

static bool
begins(const char *name, const char *prefix)
{
	return strncmp(name, prefix, strlen(prefix)) == 0;
}

/* ---- events ---- */

bool
record_is_on(void)
{
	return atomic_load(&rec.is_on);
}

bool
record_lock(void)
{
	int saved = errno;

	if (!atomic_load(&rec.is_on))
		return false;
	trace_lock(rec.trace);
	errno = saved;
	return true;
}

void
record_die_if_wanted(void)
{
	if (rec.kill_at != 0 && trace_count(rec.trace) >= rec.kill_at)
		_exit(RECORD_KILLED);
}

void
record_unlock(void)
{
	int saved = errno;

	record_die_if_wanted();
	trace_unlock(rec.trace);
	errno = saved;
}

void
record_add(const struct trace_event *e, const void *p, size_t n, const char *name)
{
	if (rec.overlooked == NULL || !begins(name, rec.overlooked))
		trace_add(rec.trace, e, p, n);
}

void
record_add_names(enum trace_kind kind, uint64_t ino, uint64_t dir, const char *name,
    uint64_t to_dir, const char *to, uint8_t flags)
{
	struct trace_event e = { .kind = (uint8_t)kind, .flags = flags,
	    .ino = ino, .dir = dir, .to_dir = to_dir };

	(void)snprintf(e.name, sizeof(e.name), "%s", name);
	(void)snprintf(e.to, sizeof(e.to), "%s", to != NULL ? to : "");
	if (to != NULL || kind != TRACE_UNLINK)
		know(ino, to != NULL ? to : name);
	record_add(&e, NULL, 0, name);
}

void
record_add_syncs(void)
{
	trace_add(rec.trace, &(struct trace_event){ .kind = TRACE_SYNC,
	    .ino = trace_root(rec.trace) }, NULL, 0);
	for (size_t i = trace_count(rec.trace); i > 0; i--) {
		const struct trace_event *e = trace_at(rec.trace, i - 1);

		if (e->kind == TRACE_CREATE)
			trace_add(rec.trace, &(struct trace_event){
			    .kind = TRACE_SYNC, .ino = e->ino }, NULL, 0);
	}
}

/* ---- failing ---- */

int
record_class_of(const char *name, bool is_sync)
{
	if (begins(name, "log.") || begins(name, "spare.") ||
	    begins(name, "new.segment"))
		return is_sync ? RECORD_LOG_SYNC : RECORD_LOG_WRITE;
	if (begins(name, "body."))
		return is_sync ? RECORD_BODY_SYNC : RECORD_BODY_WRITE;
	if (begins(name, "data.mdb"))
		return is_sync ? RECORD_INDEX_SYNC : RECORD_INDEX_WRITE;
	return RECORD_CLASSES;
}

bool
record_fails(int class)
{
	struct failing *f;

	if (class == RECORD_CLASSES || rec.failing[class].count == 0)
		return false;
	f = &rec.failing[class];
	if (f->after > 0) {
		f->after--;
		return false;
	}
	f->count--;
	rec.failures++;
	errno = f->error;
	return true;
}

/* ---- its life ---- */

static void
add_base_file(const char *path, uint64_t ino)
{
	struct trace_event e = { .kind = TRACE_WRITE,
	    .flags = TRACE_IS_DURABLE | TRACE_IS_BASE, .ino = ino };
	int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC,
	    0);
	struct stat st;
	uint8_t *p;

	if (!rec.adds_base) {
		(void)close(fd);
		return;
	}
	if (fd < 0 || fstat(fd, &st) != 0 ||
	    (p = malloc((size_t)st.st_size + 1)) == NULL)
		abort();
	if (pread(fd, p, (size_t)st.st_size, 0) != (ssize_t)st.st_size)
		abort();
	/* by pages, so that zeros take no room */
	for (size_t at = 0; at < (size_t)st.st_size; at += 4096) {
		size_t left = (size_t)st.st_size - at;

		e.at = at;
		trace_add(rec.trace, &e, p + at, left < 4096 ? left : 4096);
	}
	free(p);
	(void)close(fd);
}

static void
add_base(const char *path, uint64_t dir_ino)
{
	DIR *dir = opendir(path);
	const struct dirent *entry;
	char name[PATH_BYTES];
	struct stat st;

	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		(void)snprintf(name, sizeof(name), "%s/%s", path,
		    entry->d_name);
		if (strcmp(entry->d_name, ".") == 0 ||
		    strcmp(entry->d_name, "..") == 0 || lstat(name, &st) != 0)
			continue;
		if (!rec.adds_base)
			know(st.st_ino, entry->d_name);
		else
			record_add_names(TRACE_CREATE, st.st_ino, dir_ino,
			    entry->d_name, 0, NULL,
			    (uint8_t)(TRACE_IS_DURABLE | TRACE_IS_BASE |
			    (S_ISDIR(st.st_mode) ? TRACE_IS_DIR : 0)));
		if (S_ISDIR(st.st_mode))
			add_base(name, st.st_ino);
		else
			add_base_file(name, st.st_ino);
	}
	if (dir != NULL)
		(void)closedir(dir);
}

uint64_t
record_start(struct trace *t, const char *dir, bool with_base)
{
	struct stat st;

	memset(&rec, 0, sizeof(rec));
	if (stat(dir, &st) != 0)
		return 0;
	rec.trace = t;
	rec.dev = st.st_dev;
	rec.adds_base = with_base;
	know(st.st_ino, ".");
	add_base(dir, st.st_ino);
	atomic_store(&rec.is_on, true);
	return st.st_ino;
}

void
record_stop(void)
{
	atomic_store(&rec.is_on, false);
}

void
record_overlook(const char *name_prefix)
{
	rec.overlooked = name_prefix;
}

void
record_fail(enum record_class class, unsigned after, unsigned count,
    int error)
{
	trace_lock(rec.trace);
	rec.failing[class] = (struct failing){ .after = after,
	    .count = count, .error = error };
	trace_unlock(rec.trace);
}

void
record_fail_nothing(void)
{
	trace_lock(rec.trace);
	memset(rec.failing, 0, sizeof(rec.failing));
	trace_unlock(rec.trace);
}

unsigned
record_failures(void)
{
	return rec.failures;
}

void
record_kill_at(size_t events)
{
	rec.kill_at = events;
}

void
record_exit(int code)
{
	trace_lock(rec.trace);
	_exit(code);
}
