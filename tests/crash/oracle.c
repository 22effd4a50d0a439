/*
 * Requests are sorted by life and group; the model is taken through them once,
 * and its sums after each group are kept as rows.  A life begins with what the
 * one before had made up to the group that its recovery came to.
 */
#include "tests/crash/oracle.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tests/crash/model.h"

enum { LIVES_MAX = 64 };

struct request {
	size_t event;
	unsigned life;
	const struct note *note;
};

struct row {
	unsigned life;
	uint64_t group;
	struct model_sums sums;
	bool is_torn;		/* a report without its verdict, or the like */
};

struct oracle {
	bool may_forget;		/* tokens */
	const struct trace *trace;
	struct request *requests;	/* in order of life, group, event */
	size_t count;
	struct row *rows;
	size_t row_count;
	struct request promises[TRACE_EVENTS_MAX / 64];
	size_t promise_count;
	uint64_t seals[LIVES_MAX];	/* by life; 0 is the base */
	size_t opened[LIVES_MAX];	/* event */
	unsigned lives;			/* the last one's number */
};

/* ---- reading the notes ---- */

static bool
is_promise(const struct note *n)
{
	return n->kind == NOTE_SYNCED || n->kind == NOTE_ANSWERED ||
	    n->kind == NOTE_REFUSED;
}

static bool
read_note(struct oracle *o, size_t event, const struct note *n)
{
	struct request r = { .event = event, .life = o->lives, .note = n };

	if (n->kind == NOTE_OPENED) {
		if (++o->lives == LIVES_MAX)
			return false;
		o->seals[o->lives] = n->group;
		o->opened[o->lives] = event;
	} else if (is_promise(n)) {
		if (o->promise_count ==
		    sizeof(o->promises) / sizeof(o->promises[0]))
			return false;
		o->promises[o->promise_count++] = r;
	} else {
		o->requests[o->count++] = r;
	}
	return true;
}

static bool
read_notes(struct oracle *o)
{
	const struct trace *t = o->trace;
	bool ok = true;

	o->requests = calloc(trace_count(t) + 1, sizeof(*o->requests));
	o->rows = calloc(trace_count(t) + LIVES_MAX + 1, sizeof(*o->rows));
	if (o->requests == NULL || o->rows == NULL)
		return false;
	for (size_t i = 0; i < trace_count(t) && ok; i++) {
		const struct trace_event *e = trace_at(t, i);

		if (e->kind == TRACE_NOTE)
			ok = read_note(o, i, (const struct note *)
			    (const void *)trace_data(t, e));
	}
	return ok;
}

static int
compare(const void *a, const void *b)
{
	const struct request *x = a, *y = b;

	if (x->life != y->life)
		return x->life < y->life ? -1 : 1;
	if (x->note->group != y->note->group)
		return x->note->group < y->note->group ? -1 : 1;
	return x->event < y->event ? -1 : x->event > y->event;
}

/* ---- the model's way ---- */

/* The state of LIFE after GROUP. */
static bool
fold(const struct oracle *o, unsigned life, uint64_t group, struct model *m)
{
	size_t i = 0;

	if (life == 0)
		model_clear(m);
	else if (!fold(o, life - 1, o->seals[life] - 1, m))
		return false;
	for (; i < o->count && o->requests[i].life < life; i++)
		;
	for (; i < o->count && o->requests[i].life == life &&
	    o->requests[i].note->group <= group; i++) {
		if (!model_apply(m, o->requests[i].note))
			return false;
	}
	return true;
}

static void
add_row(struct oracle *o, unsigned life, uint64_t group, const struct model *m)
{
	o->rows[o->row_count++] = (struct row){ .life = life, .group = group,
	    .sums = m->sums };
}

static bool
make_rows_of(struct oracle *o, unsigned life, struct model *m)
{
	size_t i = 0;

	if (life > 0 && !fold(o, life - 1, o->seals[life] - 1, m))
		return false;
	if (life == 0)
		model_clear(m);
	add_row(o, life, life > 0 ? o->seals[life] : 0, m);
	for (; i < o->count && o->requests[i].life < life; i++)
		;
	for (; i < o->count && o->requests[i].life == life; i++) {
		const struct note *n = o->requests[i].note;

		if (!model_apply(m, n)) {
			fprintf(stderr, "note %zu of kind %d for %016" PRIx64
			    " unit %u makes no sense\n", o->requests[i].event,
			    (int)n->kind, n->id, n->unit);
			return false;
		}
		if (i + 1 == o->count || o->requests[i + 1].life != life ||
		    o->requests[i + 1].note->group != n->group)
			add_row(o, life, n->group, m);
	}
	return true;
}

static const struct request *
find_request(const struct oracle *o, enum note_kind kind, uint64_t id)
{
	for (size_t i = 0; i < o->count; i++) {
		if (o->requests[i].note->kind == kind &&
		    o->requests[i].note->id == id)
			return &o->requests[i];
	}
	return NULL;
}

/* A verdict and the report it causes stand in one group (I-02): states between
 * two groups that hold one each are wrong. */
static void
mark_torn(struct oracle *o)
{
	for (size_t i = 0; i < o->count; i++) {
		const struct note *v = o->requests[i].note;
		const struct request *r;

		if (v->kind != NOTE_VERDICT || v->cause == 0 ||
		    (r = find_request(o, NOTE_SUBMIT, v->cause)) == NULL ||
		    r->note->group == v->group)
			continue;
		for (size_t k = 0; k < o->row_count; k++) {
			struct row *row = &o->rows[k];

			if (row->life == r->life &&
			    (row->group >= v->group) !=
			    (row->group >= r->note->group))
				row->is_torn = true;
		}
	}
}

struct oracle *
oracle_new(const struct trace *t)
{
	struct oracle *o = calloc(1, sizeof(*o));
	struct model *m = malloc(sizeof(*m));
	bool ok = o != NULL && m != NULL;

	if (ok) {
		o->trace = t;
		ok = read_notes(o);
	}
	if (ok && o->count > 0)
		qsort(o->requests, o->count, sizeof(*o->requests), compare);
	for (unsigned life = 0; ok && life <= o->lives; life++)
		ok = make_rows_of(o, life, m);
	free(m);
	if (!ok) {
		oracle_free(&o);
		return NULL;
	}
	mark_torn(o);
	return o;
}

void
oracle_free(struct oracle **o)
{
	if (*o == NULL)
		return;
	free((*o)->requests);
	free((*o)->rows);
	free(*o);
	*o = NULL;
}

/* ---- what may be ---- */

struct bounds {
	unsigned life;
	uint64_t low, high;	/* groups */
	uint64_t answered;
};

static struct bounds
bounds_at(const struct oracle *o, size_t point)
{
	struct bounds b = { .life = 0 };

	while (b.life < o->lives && o->opened[b.life + 1] <= point)
		b.life++;
	b.low = b.high = o->seals[b.life];
	for (size_t i = 0; i < o->promise_count &&
	    o->promises[i].event <= point; i++) {
		const struct request *r = &o->promises[i];

		if (r->note->kind == NOTE_ANSWERED)
			b.answered = r->note->group;
		else if (r->life == b.life && r->note->group > b.low)
			b.low = r->note->group;
	}
	for (size_t i = 0; i < o->count; i++) {
		const struct request *r = &o->requests[i];

		if (r->life == b.life && r->event <= point &&
		    r->note->group > b.high)
			b.high = r->note->group;
	}
	return b;
}

uint64_t
oracle_bound(const struct oracle *o, size_t point)
{
	struct bounds b = bounds_at(o, point);

	return b.low * 64 + b.life;
}

static bool
is_candidate(const struct oracle *o, size_t i, const struct bounds *b)
{
	const struct row *row = &o->rows[i];
	bool is_last;

	if (row->life != b->life || row->group > b->high)
		return false;
	/* what is promised is in the last row that is not behind it */
	is_last = i + 1 == o->row_count || row[1].life != b->life ||
	    row[1].group > b->low;
	return row->group >= b->low || is_last;
}

static const struct row *
find_row(const struct oracle *o, const struct bounds *b,
    struct model_sums sums, bool bones_only)
{
	const struct row *torn = NULL;

	for (size_t i = 0; i < o->row_count; i++) {
		const struct row *row = &o->rows[i];

		if (!is_candidate(o, i, b) || (bones_only ?
		    row->sums.bones != sums.bones :
		    row->sums.digest != sums.digest))
			continue;
		if (!row->is_torn)
			return row;
		torn = row;
	}
	return torn;
}

/* ---- explaining ---- */

static const struct view *
view_of(const struct view *v, size_t n, uint64_t id)
{
	for (size_t i = 0; i < n; i++) {
		if (v[i].id == id)
			return &v[i];
	}
	return NULL;
}

static void
explain_row(const struct model *m, const struct oracle_found *found,
    bool bones_only, FILE *out)
{
	for (size_t i = 0; i < m->n; i++) {
		const struct view *v = view_of(found->views, found->count,
		    m->v[i].id);

		if (v != NULL && (bones_only ?
		    view_bones(v) == view_bones(&m->v[i]) :
		    view_digest(v) == view_digest(&m->v[i])))
			continue;
		fprintf(out, "%s: ", v == NULL ? "lost" : "should be");
		view_print(&m->v[i], out);
		if (v != NULL) {
			fprintf(out, "is: ");
			view_print(v, out);
		}
	}
	for (size_t i = 0; i < found->count; i++) {
		if (view_of(m->v, m->n, found->views[i].id) != NULL)
			continue;
		fprintf(out, "should not be: ");
		view_print(&found->views[i], out);
	}
}

static void
explain(const struct oracle *o, const struct bounds *b,
    const struct oracle_found *found, bool bones_only, FILE *out)
{
	struct model *m = malloc(sizeof(*m));

	fprintf(out, "life %u, group %" PRIu64 " was promised, %" PRIu64
	    " begun: the spool is as after none of them\n", b->life, b->low,
	    b->high);
	for (uint64_t g = b->low; m != NULL && g <= b->high &&
	    g < b->low + 3; g++) {
		fprintf(out, "-- after group %" PRIu64 ":\n", g);
		if (fold(o, b->life, g, m))
			explain_row(m, found, bones_only, out);
	}
	free(m);
}

/* ---- judging ---- */

/* Whether what R asked for is still so in the life that GROUP is of. */
static bool
has_happened(const struct oracle *o, const struct request *r,
    const struct row *at)
{
	if (r->life == at->life)
		return r->note->group <= at->group;
	for (unsigned life = r->life + 1; life <= at->life; life++) {
		if (life == r->life + 1 && r->note->group >= o->seals[life])
			return false;
	}
	return r->life < at->life;
}

static bool
token_is_told(const struct oracle_found *found, const struct note *n)
{
	for (size_t i = 0; i < found->token_count; i++) {
		if (found->tokens[i] == n->token)
			return found->token_ids[i] == n->id;
	}
	return false;
}

void
oracle_may_forget(struct oracle *o)
{
	o->may_forget = true;
}

/* smtpd asks what became of a token whose reply it has not seen. */
static bool
tokens_are_told(const struct oracle *o, const struct bounds *b,
    const struct row *at, const struct oracle_found *found, FILE *out)
{
	if (o->may_forget)
		return true;
	for (size_t i = 0; i < o->count; i++) {
		const struct request *r = &o->requests[i];
		const struct request *gone;

		if (r->note->kind != NOTE_SUBMIT || r->note->token == 0 ||
		    r->note->group <= b->answered || !has_happened(o, r, at) ||
		    token_is_told(found, r->note))
			continue;
		gone = find_request(o, NOTE_DROPPED, r->note->id);
		if (gone != NULL && has_happened(o, gone, at))
			continue;
		if (out != NULL)
			fprintf(out, "token %" PRIu64 " of message %016" PRIx64
			    " is not told\n", r->note->token, r->note->id);
		return false;
	}
	return true;
}

/* A token told as stored that is not would lose a message. */
static bool
tokens_are_true(const struct oracle *o, const struct row *at,
    const struct oracle_found *found, FILE *out)
{
	for (size_t i = 0; i < found->token_count; i++) {
		uint64_t id = found->token_ids[i];
		const struct request *r = find_request(o, NOTE_SUBMIT, id);
		const struct request *gone =
		    find_request(o, NOTE_DROPPED, id);

		/* those of the base are not known here */
		if (r == NULL)
			continue;
		if (r->note->token == found->tokens[i] &&
		    has_happened(o, r, at) &&
		    (gone == NULL || !has_happened(o, gone, at)))
			continue;
		if (out != NULL)
			fprintf(out, "token %" PRIu64 " is told as stored\n",
			    found->tokens[i]);
		return false;
	}
	return true;
}

bool
oracle_judge(const struct oracle *o, size_t point,
    const struct oracle_found *found, bool bones_only, FILE *out)
{
	struct bounds b = bounds_at(o, point);
	const struct row *row = find_row(o, &b,
	    model_sums_of(found->views, found->count), bones_only);

	if (row == NULL) {
		if (out != NULL)
			explain(o, &b, found, bones_only, out);
		return false;
	}
	if (row->is_torn) {
		if (out != NULL)
			fprintf(out, "a report and its verdict are parted "
			    "after group %" PRIu64 "\n", row->group);
		return false;
	}
	return tokens_are_told(o, &b, row, found, out) &&
	    tokens_are_true(o, row, found, out);
}

void
oracle_figures(const struct oracle *o, struct oracle_figures *out)
{
	*out = (struct oracle_figures){ .lives = o->lives };
	for (size_t i = 0; i < o->count; i++) {
		const struct note *n = o->requests[i].note;

		out->messages += n->kind == NOTE_SUBMIT;
		out->reports += n->kind == NOTE_SUBMIT && n->view.is_report;
		out->verdicts += n->kind == NOTE_VERDICT;
	}
	for (size_t i = 0; i < o->promise_count; i++) {
		out->synced += o->promises[i].note->kind == NOTE_SYNCED;
		out->refused += o->promises[i].note->kind == NOTE_REFUSED;
	}
}
