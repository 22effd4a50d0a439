/*
 * Files hold their durable pages; a page of zeros has no memory.  Directories
 * are one table of names.  Pending events stand in a list, in order; making
 * them durable takes them off it.
 *
 * A sector that was made durable must not be overwritten by an older write
 * still in doubt: such a sector of the older one is `gone'.
 */
#include "tests/crash/disk_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"

static void *
grow(void *p, size_t n, size_t *size, size_t each)
{
	if (n < *size)
		return p;
	*size = *size > 0 ? *size * 2 : 64;
	p = realloc(p, *size * each);
	MUST(p != NULL);
	return p;
}

struct disk *
disk_new(const struct trace *t)
{
	struct disk *d = calloc(1, sizeof(*d));

	if (d == NULL)
		return NULL;
	d->trace = t;
	return d;
}

void
disk_free(struct disk **d)
{
	if (*d == NULL)
		return;
	for (size_t i = 0; i < (*d)->file_count; i++) {
		struct file *f = &(*d)->files[i];

		for (size_t k = 0; k < f->page_count; k++)
			free(f->pages[k]);
		free(f->pages);
	}
	for (size_t i = 0; i < (*d)->pend_count; i++)
		free((*d)->pends[i].gone);
	free((*d)->files);
	free((*d)->names.p);
	free((*d)->pends);
	free(*d);
	*d = NULL;
}

const struct trace *
disk_trace(const struct disk *d)
{
	return d->trace;
}

struct file *
disk_file(const struct disk *d, uint64_t ino)
{
	for (size_t i = 0; i < d->file_count; i++) {
		if (d->files[i].ino == ino)
			return &d->files[i];
	}
	return NULL;
}

const struct trace_event *
disk_event(const struct disk *d, const struct pend *p)
{
	return trace_at(d->trace, p->event);
}

/* ---- names ---- */

static void
name_set(struct names *t, uint64_t dir, const char *name, uint64_t ino)
{
	for (size_t i = 0; i < t->n; i++) {
		if (t->p[i].dir == dir && strcmp(t->p[i].name, name) == 0) {
			t->p[i].ino = ino;
			return;
		}
	}
	t->p = grow(t->p, t->n, &t->size, sizeof(*t->p));
	t->p[t->n] = (struct entry){ .dir = dir, .ino = ino };
	(void)snprintf(t->p[t->n].name, TRACE_NAME_MAX, "%s", name);
	t->n++;
}

/* Only if it still means INO. */
static void
name_drop(struct names *t, uint64_t dir, const char *name, uint64_t ino)
{
	for (size_t i = 0; i < t->n; i++) {
		if (t->p[i].dir == dir && t->p[i].ino == ino &&
		    strcmp(t->p[i].name, name) == 0) {
			t->p[i] = t->p[--t->n];
			return;
		}
	}
}

void
disk_names_apply(struct names *t, const struct trace_event *e)
{
	switch (e->kind) {
	case TRACE_CREATE:
	case TRACE_LINK:
		name_set(t, e->dir, e->name, e->ino);
		return;
	case TRACE_RENAME:
		name_drop(t, e->dir, e->name, e->ino);
		name_set(t, e->to_dir, e->to, e->ino);
		return;
	case TRACE_UNLINK:
		name_drop(t, e->dir, e->name, e->ino);
		return;
	default:
		return;
	}
}

bool
disk_is_of_names(const struct trace_event *e)
{
	return e->kind == TRACE_CREATE || e->kind == TRACE_LINK ||
	    e->kind == TRACE_RENAME || e->kind == TRACE_UNLINK;
}

/* ---- sectors ---- */

size_t
disk_parts(const struct trace_event *e)
{
	if (e->kind != TRACE_WRITE || e->n == 0)
		return 1;
	return (size_t)((e->at + e->n - 1) / DISK_SECTOR -
	    e->at / DISK_SECTOR + 1);
}

/* The bytes of part P: from *AT to *END in the file. */
void
disk_part_range(const struct trace_event *e, size_t p, uint64_t *at, uint64_t *end)
{
	uint64_t sector = e->at / DISK_SECTOR + p;

	*at = sector * DISK_SECTOR > e->at ? sector * DISK_SECTOR : e->at;
	*end = (sector + 1) * DISK_SECTOR < e->at + e->n ?
	    (sector + 1) * DISK_SECTOR : e->at + e->n;
}

/* ---- durable contents ---- */

static void
put_page(struct file *f, uint64_t at, const uint8_t *p, size_t n)
{
	size_t page = (size_t)(at / DISK_PAGE);

	if (page >= f->page_count && p == NULL)
		return;
	if (page >= f->page_count) {
		size_t count = page + 64;

		f->pages = realloc(f->pages, count * sizeof(*f->pages));
		MUST(f->pages != NULL);
		memset(f->pages + f->page_count, 0,
		    (count - f->page_count) * sizeof(*f->pages));
		f->page_count = count;
	}
	if (f->pages[page] == NULL && p == NULL)
		return;
	if (f->pages[page] == NULL) {
		f->pages[page] = calloc(1, DISK_PAGE);
		MUST(f->pages[page] != NULL);
	}
	if (p != NULL)
		memcpy(f->pages[page] + at % DISK_PAGE, p, n);
	else
		memset(f->pages[page] + at % DISK_PAGE, 0, n);
}

static void
put_bytes(struct file *f, uint64_t at, const uint8_t *p, uint64_t n)
{
	if (at + n > f->size)
		f->size = at + n;
	while (n > 0) {
		size_t left = DISK_PAGE - (size_t)(at % DISK_PAGE);
		size_t step = n < left ? (size_t)n : left;

		put_page(f, at, p, step);
		at += step;
		n -= step;
		p = p != NULL ? p + step : NULL;
	}
}

static void
set_size(struct file *f, uint64_t size)
{
	uint64_t old = f->size;

	if (size < old)
		put_bytes(f, size, NULL, old - size);
	f->size = size;
}

/* ---- pending ---- */

/* What E made durable may not be undone by what is older. */
static void
outdate(struct disk *d, size_t event)
{
	const struct trace_event *e = trace_at(d->trace, event);

	for (size_t i = 0; i < d->pend_count; i++) {
		struct pend *p = &d->pends[i];
		const struct trace_event *old = disk_event(d, p);
		size_t parts = disk_parts(old);

		if (p->event >= event || old->kind != TRACE_WRITE ||
		    old->ino != e->ino || old->at >= e->at + e->n ||
		    e->at >= old->at + old->n)
			continue;
		if (p->gone == NULL)
			p->gone = calloc(parts, 1);
		MUST(p->gone != NULL);
		for (size_t k = 0; k < parts; k++) {
			uint64_t at, end;

			disk_part_range(old, k, &at, &end);
			if (at >= e->at && end <= e->at + e->n)
				p->gone[k] = 1;
		}
	}
}

static void
make_durable(struct disk *d, size_t event, const uint8_t *gone)
{
	const struct trace_event *e = trace_at(d->trace, event);
	const uint8_t *data = trace_data(d->trace, e);
	struct file *f = disk_file(d, e->ino);

	d->version++;
	if (disk_is_of_names(e)) {
		disk_names_apply(&d->names, e);
		return;
	}
	MUST(f != NULL);
	if (e->kind == TRACE_SIZE) {
		set_size(f, e->at);
		return;
	}
	for (size_t k = 0; k < disk_parts(e); k++) {
		uint64_t at, end;

		if (gone != NULL && gone[k])
			continue;
		disk_part_range(e, k, &at, &end);
		put_bytes(f, at, data != NULL ? data + (at - e->at) : NULL,
		    end - at);
	}
	outdate(d, event);
}

static bool
is_covered(const struct trace_event *e, uint64_t ino)
{
	return disk_is_of_names(e) ? e->dir == ino ||
	    (e->kind == TRACE_RENAME && e->to_dir == ino) : e->ino == ino;
}

/* Takes what a sync of INO covers off the list, into OUT. */
static size_t
take_covered(struct disk *d, uint64_t ino, struct pend *out)
{
	size_t kept = 0, taken = 0;

	for (size_t i = 0; i < d->pend_count; i++) {
		const struct pend *p = &d->pends[i];

		if (is_covered(disk_event(d, p), ino) && !p->is_doubtful)
			out[taken++] = *p;
		else
			d->pends[kept++] = *p;
	}
	d->pend_count = kept;
	return taken;
}

static void
sync_file(struct disk *d, uint64_t ino)
{
	struct file *f = disk_file(d, ino);
	struct pend *taken = calloc(d->pend_count + 1, sizeof(*taken));
	size_t n;

	MUST(taken != NULL);
	if (f != NULL)
		f->syncs++;
	n = take_covered(d, ino, taken);
	for (size_t i = 0; i < n; i++) {
		make_durable(d, taken[i].event, taken[i].gone);
		free(taken[i].gone);
	}
	free(taken);
}

/* Names have a journal, which would have stopped the file system. */
static void
doubt_file(struct disk *d, uint64_t ino)
{
	for (size_t i = 0; i < d->pend_count; i++) {
		struct pend *p = &d->pends[i];

		if (!disk_is_of_names(disk_event(d, p)) && disk_event(d, p)->ino == ino)
			p->is_doubtful = true;
	}
}

static void
new_file(struct disk *d, const struct trace_event *e)
{
	if (disk_file(d, e->ino) != NULL)
		return;
	d->files = grow(d->files, d->file_count, &d->file_size,
	    sizeof(*d->files));
	d->files[d->file_count++] = (struct file){ .ino = e->ino,
	    .is_dir = (e->flags & TRACE_IS_DIR) != 0 };
}

void
disk_apply(struct disk *d, size_t event)
{
	const struct trace_event *e = trace_at(d->trace, event);

	if (e->kind == TRACE_NOTE)
		return;
	if (e->kind == TRACE_SYNC || e->kind == TRACE_SYNC_FAILED) {
		if (e->kind == TRACE_SYNC)
			sync_file(d, e->ino);
		else
			doubt_file(d, e->ino);
		return;
	}
	if (e->kind == TRACE_CREATE)
		new_file(d, e);
	if ((e->flags & TRACE_IS_DURABLE) != 0) {
		make_durable(d, event, NULL);
		return;
	}
	d->pends = grow(d->pends, d->pend_count, &d->pend_size,
	    sizeof(*d->pends));
	d->pends[d->pend_count++] = (struct pend){ .event = event };
}

uint64_t
disk_version(const struct disk *d)
{
	return d->version;
}

size_t
disk_pending(const struct disk *d)
{
	return d->pend_count;
}

size_t
disk_pending_event(const struct disk *d, size_t i)
{
	return d->pends[i].event;
}

size_t
disk_pending_parts(const struct disk *d, size_t i)
{
	return disk_parts(disk_event(d, &d->pends[i]));
}

unsigned
disk_syncs(const struct disk *d, const char *name)
{
	for (size_t i = 0; i < d->names.n; i++) {
		if (strcmp(d->names.p[i].name, name) == 0)
			return disk_file(d, d->names.p[i].ino)->syncs;
	}
	return 0;
}
