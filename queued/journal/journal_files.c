/*
 * A file is closed when its hour is over, when it is long enough, when a write
 * failed, and when its process ended.  What a crash has left behind the last
 * mark of a file does not count, for the log tells it again: the next file's
 * head says where the valid bytes end.  What it has left before that mark counts,
 * so it must be on the disk: a kill may have come between write and sync.
 */
#include "queued/journal/journal_files.h"

#include "queued/journal/journal_head.h"
#include "queued/journal/journal_index.h"
#include "queued/journal/journal_scan.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define HOUR_MS		UINT64_C(3600000)
#define FILE_MAX	((uint64_t)16 << 20)
#define FILE_MIN	((uint64_t)64 << 10)

enum { DIR_MODE = 0700, SHARE = 32, NUMBERS_TRIED = 16, SYNCS_TRIED = 3,
	CHUNK = 65536 };

static const char dir_name[] = "history";

/* ---- the table ---- */

static struct journal_file *
last(struct journal_files *f)
{
	return f->n > 0 ? &f->rows[f->n - 1] : NULL;
}

static enum err
add_row(struct journal_files *f, const struct journal_file *row)
{
	if (f->n == f->size) {
		size_t size = f->size > 0 ? f->size * 2 : 64;
		struct journal_file *rows =
		    realloc(f->rows, size * sizeof(*rows));

		if (rows == NULL)
			return ERR_NOMEM;
		f->rows = rows;
		f->size = size;
	}
	f->rows[f->n++] = *row;
	return OK;
}

static int
by_number(const void *a, const void *b)
{
	const struct journal_file *x = a, *y = b;

	return x->number < y->number ? -1 : x->number > y->number;
}

static enum err
list_names(struct journal_files *f, DIR *dir)
{
	const struct dirent *entry;
	struct journal_file row = { .valid = 0 };
	enum err e = OK;

	while (e == OK && (entry = readdir(dir)) != NULL) {
		if (journal_name_number(entry->d_name, &row.number))
			e = add_row(f, &row);
	}
	if (e == OK && f->n > 0)
		qsort(f->rows, f->n, sizeof(*f->rows), by_number);
	return e;
}

static enum err
list_files(struct journal_files *f)
{
	int fd = openat(f->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	enum err e;

	if (dir == NULL) {
		if (fd >= 0)
			(void)close(fd);
		return ERR_IO;
	}
	e = list_names(f, dir);
	(void)closedir(dir);
	return e;
}

int
journal_files_read(const struct journal_files *f, uint64_t number,
    const char *ending)
{
	char name[JOURNAL_NAME_SIZE];
	int fd;

	journal_name(number, ending, name);
	if (store_io_open(f->io, f->dir_fd, name, O_RDONLY, &fd) != OK)
		return -1;
	return fd;
}

/* ---- opening ---- */

static uint64_t
size_of(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && st.st_size > 0 ? (uint64_t)st.st_size :
	    0;
}

/* All bytes count until the head of its successor says less. */
static bool
read_head(struct journal_files *f, struct journal_file *row,
    struct journal_head *head)
{
	uint8_t bytes[JOURNAL_FILE_HEAD];
	int fd = journal_files_read(f, row->number, "log");
	bool is_good;

	if (fd < 0)
		return false;
	row->valid = size_of(fd);
	is_good = store_io_read(fd, bytes, sizeof(bytes), 0) == OK &&
	    journal_head_get(span_of(bytes, sizeof(bytes)), head) == OK;
	(void)close(fd);
	if (is_good)
		row->begun_at = head->begun_at;
	else
		f->damaged++;
	return is_good;
}

static void
limit_previous(struct journal_file *before, const struct journal_head *head)
{
	if (head->previous >= JOURNAL_FILE_HEAD &&
	    head->previous < before->valid)
		before->valid = head->previous;
}

static enum err
copy_down(const struct journal_files *f, int fd, uint64_t at, uint64_t end)
{
	uint8_t *p = malloc(CHUNK);
	enum err e = p != NULL ? OK : ERR_NOMEM;

	while (e == OK && at < end) {
		size_t n = end - at < CHUNK ? (size_t)(end - at) : CHUNK;

		if ((e = store_io_read(fd, p, n, at)) == OK)
			e = store_io_write(f->io, fd, p, n, at);
		at += n;
	}
	free(p);
	return e;
}

/* A sync that failed in a former life leaves pages that the kernel holds for
 * clean, though the disk has not got them: so they are written again. */
static enum err
write_again(const struct journal_files *f, const struct journal_file *row,
    uint64_t from)
{
	char name[JOURNAL_NAME_SIZE];
	enum err e;
	int fd;

	journal_name(row->number, "log", name);
	if ((e = store_io_open(f->io, f->dir_fd, name, O_RDWR, &fd)) != OK)
		return e;
	e = copy_down(f, fd, from, row->valid);
	if (e == OK && f->io->fdatasync(f->io->ctx, fd) != 0)
		e = store_io_error();
	(void)close(fd);
	return e;
}

/* A piece: up to its mark, which says GROUP. */
struct piece {
	uint64_t from, end;		/* in the file; the first has its head */
	uint64_t group;
	bool has_hole;			/* damage in it */
};

/* Only the last one may not be on the disk. */
static enum err
make_durable(const struct journal_files *f, const struct journal_file *row,
    const struct piece *last)
{
	enum err e = ERR_IO;

	for (int i = 0; i < SYNCS_TRIED && e != OK; i++)
		e = write_again(f, row, last->from);
	return e;
}

/* The last two, or fewer. */
static enum err
find_pieces(struct journal_scan *s, struct piece *last, struct piece *before)
{
	struct journal_record r;
	uint64_t at, damaged = 0;
	enum err e;

	while ((e = journal_scan_next(s, &r, &at)) == OK) {
		if (r.type != JOURNAL_MARK)
			continue;
		*before = *last;
		*last = (struct piece){ .group = r.id,
		    .from = before->end > JOURNAL_FILE_HEAD ? before->end : 0,
		    .end = at + r.bytes.n,
		    .has_hole = s->damaged > damaged };
		damaged = s->damaged;
	}
	return e == ERR_NOMEM ? e : OK;
}

/*
 * Where ROW's last mark is, and what it says; *HAS_ONE: there is one.  A power
 * cut may leave the end of a piece that was not synced, mark and all, and take
 * what stands before it: who writes does not count that piece, for the log tells
 * it again; who only reads sees what is left of it, and the hole.
 */
static enum err
find_end(struct journal_files *f, struct journal_file *row, bool *has_one)
{
	int fd = journal_files_read(f, row->number, "log");
	struct piece last = { .end = JOURNAL_FILE_HEAD, .group = f->position };
	struct piece before = last;
	struct journal_scan s;
	enum err e;

	if (fd < 0)
		return OK;
	journal_scan_init(&s, fd, JOURNAL_FILE_HEAD, row->valid);
	e = find_pieces(&s, &last, &before);
	journal_scan_clear(&s);
	(void)close(fd);
	if (e != OK)
		return e;
	if (last.has_hole && f->is_writer)
		last = before;
	row->valid = last.end;
	f->position = last.group;
	*has_one = last.end > JOURNAL_FILE_HEAD;
	return *has_one && f->is_writer ? make_durable(f, row, &last) : OK;
}

/* A file that a power cut took before anything in it was synced has no head:
 * then the one before it says how far the history is. */
static enum err
find_last_end(struct journal_files *f)
{
	bool has_one = false;
	enum err e = OK;

	for (size_t i = f->n; i > 0 && !has_one && e == OK; i--) {
		e = find_end(f, &f->rows[i - 1], &has_one);
		if (f->rows[i - 1].has_head)
			break;
	}
	return e;
}

/* Of the files that are there, and where the last of them ends. */
static enum err
read_heads(struct journal_files *f)
{
	struct journal_head head;

	for (size_t i = 0; i < f->n; i++) {
		f->rows[i].has_head = read_head(f, &f->rows[i], &head);
		if (!f->rows[i].has_head) {
			f->rows[i].begun_at =
			    i > 0 ? f->rows[i - 1].begun_at : 0;
			continue;
		}
		if (i > 0)
			limit_previous(&f->rows[i - 1], &head);
		f->position = head.group;
		memcpy(f->uuid, head.uuid, sizeof(f->uuid));
		f->has_uuid = true;
	}
	return find_last_end(f);
}

static enum err
open_dir(struct journal_files *f, int spool_fd)
{
	if (f->is_writer && mkdirat(spool_fd, dir_name, DIR_MODE) == 0)
		(void)f->io->sync_dir(f->io->ctx, spool_fd);
	f->dir_fd = openat(spool_fd, dir_name, O_RDONLY | O_DIRECTORY |
	    O_CLOEXEC | O_NOFOLLOW);
	if (f->dir_fd >= 0)
		return OK;
	return !f->is_writer && errno == ENOENT ? ERR_NOT_FOUND :
	    store_io_error();
}

enum err
journal_files_open(int spool_fd, const struct store_io *io, bool is_writer,
    struct journal_files *f)
{
	enum err e;

	*f = (struct journal_files){ .io = io, .fd = -1,
	    .is_writer = is_writer, .bytes_max = UINT64_MAX,
	    .keep_ms = UINT64_MAX };
	e = open_dir(f, spool_fd);
	if (e == ERR_NOT_FOUND)
		return OK;
	if (e == OK)
		e = list_files(f);
	if (e == OK)
		e = read_heads(f);
	if (e == OK) {
		for (size_t i = 0; i < f->n; i++)
			journal_index_open(f, &f->rows[i]);
	} else {
		journal_files_close(f);
	}
	return e;
}

void
journal_files_close(struct journal_files *f)
{
	if (f->fd >= 0)
		(void)close(f->fd);
	if (f->dir_fd >= 0)
		(void)close(f->dir_fd);
	free(f->rows);
	*f = (struct journal_files){ .fd = -1, .dir_fd = -1 };
}

/* Groups of another spool have nothing to do with ours; whose they are that no
 * head tells of, which was not synced then, is not known to be another's. */
void
journal_files_set_uuid(struct journal_files *f, const uint8_t uuid[16])
{
	if (f->has_uuid && memcmp(f->uuid, uuid, sizeof(f->uuid)) != 0)
		f->position = 0;
	f->has_uuid = true;
	memcpy(f->uuid, uuid, sizeof(f->uuid));
}

/* ---- writing ---- */

/* The last file is closed: it gets its index with journal_files_tidy(). */
static void
end_file(struct journal_files *f)
{
	if (f->fd >= 0)
		(void)close(f->fd);
	f->fd = -1;
}

static uint64_t
file_max(const struct journal_files *f)
{
	uint64_t n = f->bytes_max / SHARE;

	return n > FILE_MAX ? FILE_MAX : n < FILE_MIN ? FILE_MIN : n;
}

static bool
fits(struct journal_files *f, size_t n, uint64_t now)
{
	const struct journal_file *row = last(f);

	return f->fd >= 0 && row->valid + n <= file_max(f) &&
	    now / HOUR_MS == row->begun_at / HOUR_MS;
}

/* A name that is taken was left by a failure: the next number is free. */
static enum err
make_file(struct journal_files *f, struct journal_file *row)
{
	char name[JOURNAL_NAME_SIZE];
	enum err e = ERR_EXISTS;

	for (int i = 0; i < NUMBERS_TRIED && e == ERR_EXISTS; i++) {
		row->number++;
		journal_name(row->number, "log", name);
		e = store_io_open(f->io, f->dir_fd, name,
		    O_RDWR | O_CREAT | O_EXCL, &f->fd);
	}
	return e;
}

static enum err
write_head(struct journal_files *f, const struct journal_file *row,
    uint64_t previous)
{
	struct journal_head head = { .number = row->number,
	    .begun_at = row->begun_at, .group = f->position,
	    .previous = previous };
	struct buf b;
	enum err e;

	memcpy(head.uuid, f->uuid, sizeof(head.uuid));
	buf_init(&b, JOURNAL_FILE_HEAD);
	journal_head_put(&b, &head);
	e = buf_failed(&b) ? ERR_NOMEM :
	    store_io_write(f->io, f->fd, b.p, b.n, 0);
	if (e == OK && f->io->sync_dir(f->io->ctx, f->dir_fd) != 0)
		e = store_io_error();
	buf_clear(&b);
	return e;
}

static enum err
begin_file(struct journal_files *f, uint64_t now)
{
	struct journal_file row = { .begun_at = now,
	    .valid = JOURNAL_FILE_HEAD };
	uint64_t previous = 0;
	char name[JOURNAL_NAME_SIZE];
	enum err e;

	end_file(f);
	if (f->n > 0) {
		row.number = last(f)->number;
		previous = last(f)->valid;
	}
	if ((e = make_file(f, &row)) != OK)
		return e;
	if ((e = write_head(f, &row, previous)) == OK)
		e = add_row(f, &row);
	if (e != OK) {
		end_file(f);
		journal_name(row.number, "log", name);
		(void)f->io->unlink(f->io->ctx, f->dir_fd, name);
	}
	return e;
}

enum err
journal_files_append(struct journal_files *f, struct span bytes,
    uint64_t group, uint64_t now)
{
	enum err e;

	if (!fits(f, bytes.n, now) && (e = begin_file(f, now)) != OK)
		return e;
	e = store_io_write(f->io, f->fd, bytes.p, bytes.n, last(f)->valid);
	if (e == OK && f->io->fdatasync(f->io->ctx, f->fd) != 0)
		e = store_io_error();
	if (e != OK) {
		/* what of it is on the disk is not known: behind the valid
		 * bytes, so it does not count */
		end_file(f);
		return e;
	}
	last(f)->valid += bytes.n;
	f->position = group;
	return OK;
}

/* ---- keeping it small ---- */

static uint64_t
bytes_of(const struct journal_file *row)
{
	return row->valid + (row->has_index ?
	    JOURNAL_FILE_HEAD + (uint64_t)row->count * JOURNAL_ENTRY : 0);
}

uint64_t
journal_files_bytes(const struct journal_files *f)
{
	uint64_t n = 0;

	for (size_t i = 0; i < f->n; i++)
		n += bytes_of(&f->rows[i]);
	return n;
}

bool
journal_files_shed(struct journal_files *f)
{
	char name[JOURNAL_NAME_SIZE];

	if (f->n < 2)
		return false;
	journal_name(f->rows[0].number, "idx", name);
	(void)f->io->unlink(f->io->ctx, f->dir_fd, name);
	journal_name(f->rows[0].number, "log", name);
	if (f->io->unlink(f->io->ctx, f->dir_fd, name) != 0 &&
	    errno != ENOENT)
		return false;
	f->n--;
	memmove(f->rows, f->rows + 1, f->n * sizeof(*f->rows));
	return true;
}

/* A file's last event is older than the first of the next one, unless that was
 * begun by a clock that was behind: then it is not older than its own first. */
static bool
is_old(const struct journal_files *f, uint64_t now)
{
	uint64_t at;

	if (f->n < 2)
		return false;
	at = f->rows[1].begun_at;
	if (f->rows[0].begun_at > at && f->rows[0].begun_at <= now)
		at = f->rows[0].begun_at;
	return now > at && now - at > f->keep_ms;
}

bool
journal_files_tidy(struct journal_files *f, uint64_t now)
{
	while ((is_old(f, now) || journal_files_bytes(f) > f->bytes_max) &&
	    journal_files_shed(f))
		;
	for (size_t i = 0; i < f->n; i++) {
		struct journal_file *row = &f->rows[i];

		if (row->has_index || (row == last(f) && f->fd >= 0) ||
		    row->is_checked)
			continue;
		if (journal_index_make(f, row) != OK)
			/* it is searched without one */
			row->is_checked = true;
		return true;
	}
	return false;
}
