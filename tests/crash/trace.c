#include "tests/crash/trace.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

struct trace {
	pthread_mutex_t lock;
	size_t size;			/* of the whole mapping */
	size_t count;
	size_t used;			/* bytes of data; 0 is "none" */
	uint64_t root;
	bool is_cut_short;
	struct trace_event events[TRACE_EVENTS_MAX];
	uint8_t data[];
};

static void
make_lock(struct trace *t)
{
	pthread_mutexattr_t shared;

	(void)pthread_mutexattr_init(&shared);
	(void)pthread_mutexattr_setpshared(&shared, PTHREAD_PROCESS_SHARED);
	(void)pthread_mutex_init(&t->lock, &shared);
	(void)pthread_mutexattr_destroy(&shared);
}

struct trace *
trace_new(size_t bytes)
{
	size_t size = sizeof(struct trace) + bytes;
	struct trace *t = mmap(NULL, size, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (t == MAP_FAILED)
		return NULL;
	t->size = size;
	trace_reset(t);
	return t;
}

void
trace_free(struct trace **t)
{
	if (*t == NULL)
		return;
	(void)munmap(*t, (*t)->size);
	*t = NULL;
}

/* The pages of the last recording go back, so that many leave nothing. */
void
trace_reset(struct trace *t)
{
	size_t size = t->size;

	(void)madvise(t, size, MADV_REMOVE);
	memset(t, 0, offsetof(struct trace, events));
	t->size = size;
	t->used = 16;
	make_lock(t);
}

void
trace_unlock_dead(struct trace *t)
{
	make_lock(t);
}

void
trace_lock(struct trace *t)
{
	(void)pthread_mutex_lock(&t->lock);
}

void
trace_unlock(struct trace *t)
{
	(void)pthread_mutex_unlock(&t->lock);
}

static bool
is_zero(const uint8_t *p, size_t n)
{
	return n == 0 || (p[0] == 0 && memcmp(p, p + 1, n - 1) == 0);
}

void
trace_add(struct trace *t, const struct trace_event *e, const void *p,
    size_t n)
{
	struct trace_event *to;

	if (p != NULL && e->kind == TRACE_WRITE && is_zero(p, n))
		p = NULL;
	if (t->count == TRACE_EVENTS_MAX || (p != NULL &&
	    n > t->size - sizeof(struct trace) - t->used)) {
		t->is_cut_short = true;
		return;
	}
	to = &t->events[t->count];
	*to = *e;
	to->n = n;
	to->data = 0;
	if (p != NULL) {
		memcpy(t->data + t->used, p, n);
		to->data = t->used;
		/* notes are structures */
		t->used += (n + 15) / 16 * 16;
		if (t->used > t->size - sizeof(struct trace))
			t->used = t->size - sizeof(struct trace);
	}
	t->count++;
}

void
trace_note(struct trace *t, const void *p, size_t n)
{
	struct trace_event e = { .kind = TRACE_NOTE };

	trace_lock(t);
	trace_add(t, &e, p, n);
	trace_unlock(t);
}

void
trace_set_root(struct trace *t, uint64_t root)
{
	t->root = root;
}

uint64_t
trace_root(const struct trace *t)
{
	return t->root;
}

size_t
trace_count(const struct trace *t)
{
	return t->count;
}

size_t
trace_bytes(const struct trace *t)
{
	return t->used;
}

bool
trace_is_whole(const struct trace *t)
{
	return !t->is_cut_short;
}

const struct trace_event *
trace_at(const struct trace *t, size_t i)
{
	return &t->events[i];
}

const uint8_t *
trace_data(const struct trace *t, const struct trace_event *e)
{
	return e->data != 0 ? t->data + e->data : NULL;
}

/* ---- files ---- */

bool
trace_save(const struct trace *t, const char *path)
{
	FILE *f = fopen(path, "we");
	bool ok;

	if (f == NULL)
		return false;
	ok = fwrite(&t->count, sizeof(t->count), 1, f) == 1 &&
	    fwrite(&t->used, sizeof(t->used), 1, f) == 1 &&
	    fwrite(&t->root, sizeof(t->root), 1, f) == 1 &&
	    fwrite(t->events, sizeof(t->events[0]), t->count, f) ==
	    t->count && fwrite(t->data, 1, t->used, f) == t->used;
	return fclose(f) == 0 && ok;
}

bool
trace_load(struct trace *t, const char *path)
{
	FILE *f = fopen(path, "re");
	bool ok;

	if (f == NULL)
		return false;
	trace_reset(t);
	ok = fread(&t->count, sizeof(t->count), 1, f) == 1 &&
	    fread(&t->used, sizeof(t->used), 1, f) == 1 &&
	    fread(&t->root, sizeof(t->root), 1, f) == 1 &&
	    t->count <= TRACE_EVENTS_MAX &&
	    t->used <= t->size - sizeof(struct trace) &&
	    fread(t->events, sizeof(t->events[0]), t->count, f) ==
	    t->count && fread(t->data, 1, t->used, f) == t->used;
	(void)fclose(f);
	return ok;
}
