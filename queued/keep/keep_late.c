/*
 * Who was refused is left alone: his report stood in the same group, and went
 * with the spool.
 */
#include "queued/keep/keep_late.h"

#include "common/ipc/ipc_words.h"
#include "queued/store/store_list.h"
#include "queued/store/store_read.h"
#include "queued/store/store_record.h"
#include "queued/survey/survey_log.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

struct late {
	struct keep_known *n;
	struct keep_store *k;
	struct store_result results[STORE_UNIT_RECIPIENTS];
	enum err failure;
};

/* Results that settle somebody who is not settled yet. */
static size_t
choose(struct late *l, const struct store_unit *u, struct store_verdict *v)
{
	size_t n = 0;

	for (size_t i = 0; i < v->count; i++) {
		const struct store_result *r = &v->results[i];

		for (uint32_t row = r->first; r->is_settled &&
		    r->outcome != OUTCOME_FAILED &&
		    r->outcome != OUTCOME_EXPIRED && row <= r->last &&
		    row < u->count && n < STORE_UNIT_RECIPIENTS; row++) {
			struct store_result *to = &l->n->results[n];

			if (u->recipients[row].is_settled)
				continue;
			*to = *r;
			to->first = to->last = row;
			n++;
			if (r->outcome == OUTCOME_DELIVERED)
				l->n->delivered++;
			else
				l->n->ended++;
		}
	}
	return n;
}

static enum err
apply_verdict(struct late *l, const struct store_record *r)
{
	struct store_verdict v;
	struct store_unit *u;
	uint32_t number;
	bool is_over;
	enum err e;

	if (store_record_get_verdict(r->fields, &number, l->results, &v) != OK)
		return OK;
	e = store_load_unit(l->k->store, r->id, number, &u);
	if (e != OK)
		return e == ERR_NOT_FOUND || e == ERR_CORRUPT ? OK : e;
	v.count = choose(l, u, &v);
	v.results = l->n->results;
	v.history = SPAN_NONE;
	if (v.count > 0)
		e = store_verdict(l->k->store, u, &v, &is_over);
	keep_store_yield(l->k, r->id);
	return e;
}

/* Its number is one more than the last part's. */
static enum err
apply_begun(struct late *l, const struct store_record *r)
{
	uint64_t at;
	uint32_t count;

	if (store_list_get_begun(r->fields, &at, &count) != OK)
		return OK;
	return keep_known_begun(l->n, r->id, r->id + (count +
	    STORE_UNIT_RECIPIENTS - 1) / STORE_UNIT_RECIPIENTS);
}

static void
on_group(void *ctx, const struct survey_segment *segment, struct span group,
    const struct store_group_head *head)
{
	struct late *l = ctx;
	struct span records = store_group_records(group, head);
	struct store_record r;

	(void)segment;
	if (head->sequence <= l->n->until)
		return;
	while (l->failure == OK && records.n > 0 &&
	    store_record_next(&records, &r) == OK)
		if (r.type == STORE_RECORD_VERDICT)
			l->failure = apply_verdict(l, &r);
		else if (r.type == STORE_RECORD_BEGUN)
			l->failure = apply_begun(l, &r);
	if (l->failure == OK)
		l->failure = keep_store_turn(l->k);
}

static void
on_gap(void *ctx, const struct survey_segment *segment,
    const struct survey_gap *gap)
{
	(void)ctx;
	(void)segment;
	(void)gap;
}

static void
on_leap(void *ctx, const struct survey_segment *segment,
    const struct store_group_head *head, uint64_t before)
{
	(void)ctx;
	(void)segment;
	(void)head;
	(void)before;
}

static const struct survey_log_ops ops = { on_group, on_gap, on_leap };

/* Segments that end before the history does are not read. */
static void
pass_over(struct survey_log *log, uint64_t until)
{
	size_t last = 0;

	for (size_t i = 0; i < log->n; i++)
		if (log->rows[i].is_known &&
		    log->rows[i].first.sequence <= until)
			last = i;
	for (size_t i = 0; i < last; i++)
		log->rows[i].counts = false;
}

static bool
is_the_same(int spool_fd, const struct survey_manifest *m)
{
	uint8_t uuid[16];

	return store_identity_read(spool_fd, uuid, NULL) == OK &&
	    memcmp(uuid, m->uuid, sizeof(uuid)) == 0;
}

static enum err
walk(struct late *l, int log_fd)
{
	const struct survey_spool spool = { .path = "." };
	struct survey_log log;
	enum err e = survey_log_open(&log, &spool, log_fd, NULL);

	if (e == OK) {
		pass_over(&log, l->n->until);
		e = survey_log_walk(&log, &ops, l);
	}
	survey_log_clear(&log);
	/* what can't be read of it is no reason to fail */
	return e == ERR_NOMEM ? e : l->failure;
}

enum err
keep_late_apply(struct keep_known *n, struct keep_store *k, int spool_fd,
    const struct survey_manifest *m)
{
	struct late *l;
	int fd;
	enum err e;

	if (spool_fd < 0 || !n->is_about || !is_the_same(spool_fd, m))
		return OK;
	if ((fd = openat(spool_fd, "log",
	    O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		return OK;
	l = calloc(1, sizeof(*l));
	if (l == NULL) {
		(void)close(fd);
		return ERR_NOMEM;
	}
	l->n = n;
	l->k = k;
	e = walk(l, fd);
	(void)close(fd);
	free(l);
	return e;
}
