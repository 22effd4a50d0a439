/*
 * Files hold their durable pages; a page of zeros has no memory.  Directories
 * are one table of names.  Pending events stand in a list, in order; making
 * them durable takes them off it.
 *
 * A sector that was made durable must not be overwritten by an older write
 * still in doubt: such a sector of the older one is `gone'.
 */
#include "tests/crash/disk.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/check.h"
#include "tests/crash/tree.h"

enum { PATH_BYTES = 512 };

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

static struct file *
find_file(const struct disk *d, uint64_t ino)
{
	for (size_t i = 0; i < d->file_count; i++) {
		if (d->files[i].ino == ino)
			return &d->files[i];
	}
	return NULL;
}

static const struct trace_event *
event_of(const struct disk *d, const struct pend *p)
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

static void
names_apply(struct names *t, const struct trace_event *e)
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

static bool
is_of_names(const struct trace_event *e)
{
	return e->kind == TRACE_CREATE || e->kind == TRACE_LINK ||
	    e->kind == TRACE_RENAME || e->kind == TRACE_UNLINK;
}

/* ---- sectors ---- */

static size_t
parts_of(const struct trace_event *e)
{
	if (e->kind != TRACE_WRITE || e->n == 0)
		return 1;
	return (size_t)((e->at + e->n - 1) / DISK_SECTOR -
	    e->at / DISK_SECTOR + 1);
}

/* The bytes of part P: from *AT to *END in the file. */
static void
part_range(const struct trace_event *e, size_t p, uint64_t *at, uint64_t *end)
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
		const struct trace_event *old = event_of(d, p);
		size_t parts = parts_of(old);

		if (p->event >= event || old->kind != TRACE_WRITE ||
		    old->ino != e->ino || old->at >= e->at + e->n ||
		    e->at >= old->at + old->n)
			continue;
		if (p->gone == NULL)
			p->gone = calloc(parts, 1);
		MUST(p->gone != NULL);
		for (size_t k = 0; k < parts; k++) {
			uint64_t at, end;

			part_range(old, k, &at, &end);
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
	struct file *f = find_file(d, e->ino);

	d->version++;
	if (is_of_names(e)) {
		names_apply(&d->names, e);
		return;
	}
	MUST(f != NULL);
	if (e->kind == TRACE_SIZE) {
		set_size(f, e->at);
		return;
	}
	for (size_t k = 0; k < parts_of(e); k++) {
		uint64_t at, end;

		if (gone != NULL && gone[k])
			continue;
		part_range(e, k, &at, &end);
		put_bytes(f, at, data != NULL ? data + (at - e->at) : NULL,
		    end - at);
	}
	outdate(d, event);
}

static bool
is_covered(const struct trace_event *e, uint64_t ino)
{
	return is_of_names(e) ? e->dir == ino ||
	    (e->kind == TRACE_RENAME && e->to_dir == ino) : e->ino == ino;
}

/* Takes what a sync of INO covers off the list, into OUT. */
static size_t
take_covered(struct disk *d, uint64_t ino, struct pend *out)
{
	size_t kept = 0, taken = 0;

	for (size_t i = 0; i < d->pend_count; i++) {
		const struct pend *p = &d->pends[i];

		if (is_covered(event_of(d, p), ino) && !p->is_doubtful)
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
	struct file *f = find_file(d, ino);
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

		if (!is_of_names(event_of(d, p)) && event_of(d, p)->ino == ino)
			p->is_doubtful = true;
	}
}

static void
new_file(struct disk *d, const struct trace_event *e)
{
	if (find_file(d, e->ino) != NULL)
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
	return parts_of(event_of(d, &d->pends[i]));
}

unsigned
disk_syncs(const struct disk *d, const char *name)
{
	for (size_t i = 0; i < d->names.n; i++) {
		if (strcmp(d->names.p[i].name, name) == 0)
			return find_file(d, d->names.p[i].ino)->syncs;
	}
	return 0;
}

/* ---- on a real disk ---- */

struct writer {
	const struct disk *d;
	const struct disk_choice *c;
	struct names names;
	int fd;
	const struct file *file;
	uint64_t size;
	bool is_empty;		/* nothing but zeros was written yet */
	bool ok;
};

static void
write_at(struct writer *w, uint64_t at, const uint8_t *p, uint64_t n)
{
	static const uint8_t zeros[1 << 16];

	if (at + n > w->size)
		w->size = at + n;
	/* holes are zeros already */
	if (p == NULL && w->is_empty)
		return;
	w->is_empty = false;
	while (n > 0) {
		size_t step = p != NULL || n < sizeof(zeros) ? (size_t)n :
		    sizeof(zeros);
		ssize_t done = pwrite(w->fd, p != NULL ? p : zeros, step,
		    (off_t)at);

		if (done <= 0) {
			w->ok = false;
			return;
		}
		at += (uint64_t)done;
		n -= (uint64_t)done;
		p = p != NULL ? p + done : NULL;
	}
}

static void
write_durable(struct writer *w)
{
	const struct file *f = w->file;

	w->size = f->size;
	for (size_t i = 0; i < f->page_count; i++) {
		if (f->pages[i] != NULL)
			write_at(w, i * DISK_PAGE, f->pages[i], DISK_PAGE);
	}
	w->size = f->size;
}

/* Runs of parts that survive. */
static void
write_pending(struct writer *w, size_t i)
{
	const struct pend *p = &w->d->pends[i];
	const struct trace_event *e = event_of(w->d, p);
	const uint8_t *data = trace_data(w->d->trace, e);
	size_t parts = parts_of(e), k = 0;

	if (w->c->with_sizes && e->at + e->n > w->size)
		w->size = e->at + e->n;
	while (k < parts) {
		uint64_t at, end;
		size_t first = k;

		while (k < parts && (p->gone == NULL || !p->gone[k]) &&
		    w->c->keeps(w->c->ctx, i, k))
			k++;
		if (k == first) {
			k++;
			continue;
		}
		part_range(e, k - 1, &at, &end);
		part_range(e, first, &at, &(uint64_t){ 0 });
		write_at(w, at, data != NULL ? data + (at - e->at) : NULL,
		    end - at);
	}
}

static void
write_file(struct writer *w, const char *path)
{
	w->fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (w->fd < 0) {
		w->ok = false;
		return;
	}
	w->is_empty = true;
	write_durable(w);
	for (size_t i = 0; i < w->d->pend_count; i++) {
		const struct trace_event *e = event_of(w->d, &w->d->pends[i]);

		if (e->ino != w->file->ino)
			continue;
		if (e->kind == TRACE_WRITE)
			write_pending(w, i);
		else if (e->kind == TRACE_SIZE && w->c->keeps(w->c->ctx, i, 0)) {
			w->ok = w->ok && ftruncate(w->fd, (off_t)e->at) == 0;
			w->size = e->at;
		}
	}
	w->ok = w->ok && ftruncate(w->fd, (off_t)w->size) == 0;
	(void)close(w->fd);
}

/* A second name of a file written before; NULL: this is the first. */
static const struct entry *
earlier_name(const struct writer *w, size_t at)
{
	for (size_t i = 0; i < at; i++) {
		if (w->names.p[i].ino == w->names.p[at].ino &&
		    w->names.p[i].dir == w->names.p[at].dir)
			return &w->names.p[i];
	}
	return NULL;
}

static void
write_dir(struct writer *w, uint64_t dir, const char *path)
{
	w->ok = w->ok && mkdir(path, 0700) == 0;
	for (size_t i = 0; i < w->names.n && w->ok; i++) {
		const struct entry *e = &w->names.p[i], *first;
		char name[PATH_BYTES], other[PATH_BYTES];

		if (e->dir != dir)
			continue;
		(void)snprintf(name, sizeof(name), "%s/%s", path, e->name);
		w->file = find_file(w->d, e->ino);
		MUST(w->file != NULL);
		if (w->file->is_dir) {
			write_dir(w, e->ino, name);
		} else if ((first = earlier_name(w, i)) != NULL) {
			(void)snprintf(other, sizeof(other), "%s/%s", path,
			    first->name);
			w->ok = link(other, name) == 0;
		} else {
			write_file(w, name);
		}
	}
}

bool
disk_write_out(const struct disk *d, const struct disk_choice *c,
    const char *path)
{
	struct writer w = { .d = d, .c = c, .ok = true };

	w.names.size = d->names.n + d->pend_count + 1;
	w.names.p = calloc(w.names.size, sizeof(*w.names.p));
	MUST(w.names.p != NULL);
	w.names.n = d->names.n;
	if (w.names.n > 0)
		memcpy(w.names.p, d->names.p,
		    w.names.n * sizeof(*w.names.p));
	for (size_t i = 0; i < d->pend_count; i++) {
		const struct trace_event *e = event_of(d, &d->pends[i]);

		if (is_of_names(e) && c->keeps(c->ctx, i, 0))
			names_apply(&w.names, e);
	}
	write_dir(&w, trace_root(d->trace), path);
	free(w.names.p);
	return w.ok;
}

static bool
keep_all(const void *ctx, size_t i, size_t p)
{
	(void)ctx;
	(void)i;
	(void)p;
	return true;
}

bool
disk_is_like(const struct disk *d, const char *path, char *why)
{
	const struct disk_choice all = { .keeps = keep_all };
	char model[PATH_BYTES];
	bool ok;

	(void)snprintf(model, sizeof(model), "%s.model", path);
	ok = disk_write_out(d, &all, model);
	if (!ok)
		(void)snprintf(why, 256, "the model can't be written out");
	ok = ok && tree_compare(model, path, why);
	tree_remove(model);
	return ok;
}
