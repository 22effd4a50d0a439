/*
 * A disk that was made up, on a real one.
 */
#include "tests/crash/disk_private.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/check.h"
#include "tests/crash/tree.h"

enum { PATH_BYTES = 512 };

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
	const struct trace_event *e = disk_event(w->d, p);
	const uint8_t *data = trace_data(w->d->trace, e);
	size_t parts = disk_parts(e), k = 0;

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
		disk_part_range(e, k - 1, &at, &end);
		disk_part_range(e, first, &at, &(uint64_t){ 0 });
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
		const struct trace_event *e = disk_event(w->d, &w->d->pends[i]);

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
		w->file = disk_file(w->d, e->ino);
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
		const struct trace_event *e = disk_event(d, &d->pends[i]);

		if (disk_is_of_names(e) && c->keeps(c->ctx, i, 0))
			disk_names_apply(&w.names, e);
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
