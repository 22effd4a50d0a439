/*
 * An array of pointers, ascending by number.  New segments have the highest
 * number, so adding moves none as a rule; finding is a binary search.  Rows
 * lie where they were made until they are removed, for jobs hold pointers to
 * them.
 *
 * Descriptors are kept for at most 64 segments, so that a spool of any size
 * leaves descriptors to others; the one longest unused is closed, but never
 * one that a job works with (pins).  If all are pinned, there are more for a
 * while.
 */
#include "queued/store/store_segment.h"

#include "common/base/hex.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void
store_segment_name(uint64_t number, char out[STORE_SEGMENT_NAME])
{
	(void)snprintf(out, STORE_SEGMENT_NAME, "log.%016" PRIx64, number);
}

/* Names of another form are somebody else's files, and left alone. */
bool
store_name_number(const char *name, const char *prefix, uint64_t *out)
{
	size_t n = strlen(prefix);
	uint64_t v = 0;

	if (strncmp(name, prefix, n) != 0 || strlen(name) != n + 16)
		return false;
	for (const char *p = name + n; *p != '\0'; p++) {
		int digit = hex_value((uint8_t)*p);

		if (digit < 0)
			return false;
		v = v << 4 | (uint64_t)digit;
	}
	*out = v;
	return true;
}

static int
compare_numbers(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* By a descriptor of its own: closedir() closes it, and the place in the
 * directory is not shared with other readers. */
enum err
store_segments_list(int dir_fd, struct store_numbers *out)
{
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *entry;
	enum err e = OK;
	uint64_t number;

	if (dir == NULL) {
		if (fd >= 0)
			(void)close(fd);
		return ERR_IO;
	}
	while (e == OK && (errno = 0, entry = readdir(dir)) != NULL) {
		if (store_name_number(entry->d_name, "log.", &number))
			e = store_numbers_add(out, number);
	}
	/* one that is missing would be a gap in the log */
	if (e == OK && errno != 0)
		e = ERR_IO;
	(void)closedir(dir);
	if (e == OK && out->n > 0)
		qsort(out->p, out->n, sizeof(*out->p), compare_numbers);
	return e;
}

void
store_segments_init(struct store_segments *t, const struct store_io *io,
    int dir_fd)
{
	*t = (struct store_segments){ .io = io, .dir_fd = dir_fd };
}

/* Nobody else may be using the descriptor. */
static void
segment_close(struct store_segments *t, struct store_segment *seg)
{
	if (seg->fd < 0)
		return;
	(void)close(seg->fd);
	seg->fd = -1;
	t->open_files--;
}

static void
segment_free(struct store_segments *t, struct store_segment *seg)
{
	segment_close(t, seg);
	store_numbers_clear(&seg->settles);
	free(seg);
}

void
store_segments_clear(struct store_segments *t)
{
	for (size_t i = 0; i < t->n; i++)
		segment_free(t, t->rows[i]);
	free(t->rows);
	t->rows = NULL;
	t->n = t->size = 0;
}

/* The first row whose number is not below NUMBER. */
static size_t
place_of(const struct store_segments *t, uint64_t number)
{
	size_t low = 0, high = t->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (t->rows[middle]->number < number)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct store_segment *
store_segments_find(const struct store_segments *t, uint64_t number)
{
	size_t i;

	/* nearly always the one being written */
	if (t->n > 0 && t->rows[t->n - 1]->number == number)
		return t->rows[t->n - 1];
	i = place_of(t, number);
	return i < t->n && t->rows[i]->number == number ? t->rows[i] : NULL;
}

/* Dirty at once: the index has no row of it. */
enum err
store_segments_add(struct store_segments *t, uint64_t number, uint64_t bytes,
    int fd, struct store_segment **out)
{
	size_t i = place_of(t, number);
	struct store_segment *seg;

	if (i < t->n && t->rows[i]->number == number)
		return ERR_EXISTS;
	if (t->n == t->size) {
		size_t size = t->size > 0 ? t->size * 2 : 16;
		struct store_segment **rows =
		    realloc(t->rows, size * sizeof(struct store_segment *));

		if (rows == NULL)
			return ERR_NOMEM;
		t->rows = rows;
		t->size = size;
	}
	if ((seg = calloc(1, sizeof(*seg))) == NULL)
		return ERR_NOMEM;
	seg->number = number;
	seg->bytes = bytes;
	t->bytes += bytes;
	seg->fd = fd;
	seg->is_dirty = true;
	if (fd >= 0)
		t->open_files++;
	memmove(&t->rows[i + 1], &t->rows[i],
	    (t->n - i) * sizeof(struct store_segment *));
	t->rows[i] = seg;
	t->n++;
	*out = seg;
	return OK;
}

void
store_segments_adopt(struct store_segments *t, struct store_segment *seg,
    int fd, uint64_t bytes)
{
	seg->fd = fd;
	seg->bytes = bytes;
	t->bytes += bytes;
	t->open_files++;
}

void
store_segments_unneed(struct store_segments *t, uint64_t number)
{
	for (size_t i = 0; i < t->n; i++) {
		struct store_segment *seg = t->rows[i];
		size_t before = seg->settles.n;

		/* a seal that cuts it off is needed as long as it is there */
		if (seg->cuts == number)
			continue;
		store_numbers_remove(&seg->settles, number);
		if (seg->settles.n != before)
			seg->is_dirty = true;
	}
}

void
store_segments_remove(struct store_segments *t, uint64_t number)
{
	size_t i = place_of(t, number);

	if (i == t->n || t->rows[i]->number != number)
		return;
	t->bytes -= t->rows[i]->bytes;
	segment_free(t, t->rows[i]);
	t->n--;
	memmove(&t->rows[i], &t->rows[i + 1],
	    (t->n - i) * sizeof(struct store_segment *));
	/* first, since unneed() keeps what a seal cuts */
	for (i = 0; i < t->n; i++) {
		if (t->rows[i]->cuts == number)
			t->rows[i]->cuts = 0;
	}
	store_segments_unneed(t, number);
}

/* The last one is being written and stays open. */
static void
close_oldest(struct store_segments *t)
{
	struct store_segment *oldest = NULL;

	for (size_t i = 0; i + 1 < t->n; i++) {
		struct store_segment *seg = t->rows[i];

		if (seg->fd >= 0 && seg->pins == 0 &&
		    (oldest == NULL || seg->used < oldest->used))
			oldest = seg;
	}
	if (oldest != NULL)
		segment_close(t, oldest);
}

/* For writing too: the recovery syncs what it has replayed. */
enum err
store_segments_open(struct store_segments *t, struct store_segment *seg,
    int *fd)
{
	char name[STORE_SEGMENT_NAME];
	enum err e;

	seg->used = ++t->clock;
	if (seg->fd < 0) {
		if (t->open_files >= STORE_SEGMENT_FILES)
			close_oldest(t);
		store_segment_name(seg->number, name);
		e = store_io_open(t->io, t->dir_fd, name, O_RDWR, &seg->fd);
		if (e != OK) {
			seg->fd = -1;
			return e;
		}
		t->open_files++;
	}
	*fd = seg->fd;
	return OK;
}
