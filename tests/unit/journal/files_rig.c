#include "files_rig.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static int
fails(struct rig *r, int *left)
{
	if (*left == 0)
		return 0;
	--*left;
	errno = r->fail_errno;
	return -1;
}

static int
rig_open_file(void *ctx, int dir, const char *name, int flags, mode_t mode)
{
	struct rig *r = ctx;

	if ((flags & O_CREAT) != 0 && fails(r, &r->fail_opens) != 0)
		return -1;
	return store_io_system.open(NULL, dir, name, flags, mode);
}

static ssize_t
rig_pwrite(void *ctx, int fd, const void *p, size_t n, off_t at)
{
	struct rig *r = ctx;

	return fails(r, &r->fail_writes) != 0 ? -1 :
	    store_io_system.pwrite(NULL, fd, p, n, at);
}

static int
rig_fdatasync(void *ctx, int fd)
{
	struct rig *r = ctx;

	r->syncs++;
	return fails(r, &r->fail_syncs) != 0 ? -1 :
	    store_io_system.fdatasync(NULL, fd);
}

void
rig_init(struct rig *r)
{
	*r = (struct rig){ .io = store_io_system, .fail_errno = EIO };
	r->io.ctx = r;
	r->io.open = rig_open_file;
	r->io.pwrite = rig_pwrite;
	r->io.fdatasync = rig_fdatasync;
	strcpy(r->dir, "journal-XXXXXX");
	cr_assert(mkdtemp(r->dir) != NULL);
	r->dir_fd = open(r->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cr_assert(r->dir_fd >= 0);
}

static DIR *
open_history(const struct rig *r)
{
	char path[96];

	snprintf(path, sizeof(path), "%s/history", r->dir);
	return opendir(path);
}

void
rig_clear(struct rig *r)
{
	DIR *dir = open_history(r);
	const struct dirent *e;

	while (dir != NULL && (e = readdir(dir)) != NULL)
		(void)unlinkat(dirfd(dir), e->d_name, 0);
	if (dir != NULL)
		closedir(dir);
	(void)unlinkat(r->dir_fd, "history", AT_REMOVEDIR);
	close(r->dir_fd);
	cr_assert_eq(rmdir(r->dir), 0);
}

size_t
rig_count(const struct rig *r, const char *ending)
{
	DIR *dir = open_history(r);
	const struct dirent *e;
	size_t n = 0;

	while (dir != NULL && (e = readdir(dir)) != NULL)
		n += strstr(e->d_name, ending) != NULL;
	if (dir != NULL)
		closedir(dir);
	return n;
}

static int
open_file(const struct rig *r, uint64_t number, const char *ending)
{
	char name[JOURNAL_NAME_SIZE + 10] = "history/";
	int fd;

	journal_name(number, ending, name + 8);
	fd = openat(r->dir_fd, name, O_RDWR | O_CLOEXEC);
	cr_assert(fd >= 0, "%s", name);
	return fd;
}

void
rig_flip(const struct rig *r, uint64_t number, const char *ending,
    uint64_t bit)
{
	int fd = open_file(r, number, ending);
	uint8_t byte;

	cr_assert_eq(pread(fd, &byte, 1, (off_t)(bit / 8)), 1);
	byte ^= (uint8_t)(1U << bit % 8);
	cr_assert_eq(pwrite(fd, &byte, 1, (off_t)(bit / 8)), 1);
	close(fd);
}

uint64_t
rig_size(const struct rig *r, uint64_t number, const char *ending)
{
	int fd = open_file(r, number, ending);
	struct stat st;

	cr_assert_eq(fstat(fd, &st), 0);
	close(fd);
	return (uint64_t)st.st_size;
}

void
rig_put(struct buf *b, uint64_t id, uint64_t what)
{
	struct journal_action a = { .kind = JOURNAL_HELD, .value = what };

	journal_action_put(b, id, &a);
	cr_assert(!buf_failed(b));
}

struct said {
	char *p;
	size_t size;
};

static bool
say(void *ctx, const struct journal_record *r)
{
	struct said *s = ctx;
	struct journal_action a;
	int n;

	cr_assert_eq(journal_action_get(r->fields, &a), OK);
	n = snprintf(s->p, s->size, "%llu ", (unsigned long long)a.value);
	cr_assert(n > 0 && (size_t)n < s->size);
	s->p += n;
	s->size -= (size_t)n;
	return true;
}

void
rig_say(const struct rig *r, uint64_t id, char *out, size_t size)
{
	struct said s = { out, size };
	struct journal_reader *reader;

	*out = '\0';
	cr_assert_eq(journal_read_open(r->dir, &reader), OK);
	cr_assert_eq(journal_read_message(reader, id, say, &s), OK);
	journal_read_close(&reader);
}

void
rig_say_records(struct span records, char *out, size_t size)
{
	struct said s = { out, size };
	struct journal_record r;

	*out = '\0';
	while (journal_record_next(&records, &r) == OK)
		say(&s, &r);
}
