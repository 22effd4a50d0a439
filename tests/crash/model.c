#include "tests/crash/model.h"

#include <string.h>

void
model_clear(struct model *m)
{
	m->n = 0;
	m->sums = (struct model_sums){ .digest = 0 };
}

static void
count(struct model *m, const struct view *v, uint64_t sign)
{
	m->sums.digest += sign * view_digest(v);
	m->sums.bones += sign * view_bones(v);
}

static struct view *
find(struct model *m, uint64_t id)
{
	for (size_t i = m->n; i > 0; i--) {
		if (m->v[i - 1].id == id)
			return &m->v[i - 1];
	}
	return NULL;
}

static bool
add(struct model *m, const struct view *v)
{
	if (m->n == VIEW_MAX || find(m, v->id) != NULL)
		return false;
	memcpy(&m->v[m->n++], v, sizeof(*v));
	count(m, v, 1);
	return true;
}

static bool
drop(struct model *m, struct view *v)
{
	if (v == NULL)
		return false;
	count(m, v, UINT64_MAX);
	if (v != &m->v[m->n - 1])
		memcpy(v, &m->v[m->n - 1], sizeof(*v));
	m->n--;
	return true;
}

/* How many of U are still open. */
static uint32_t
open_rcpts(const struct view_unit *u)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < u->count; i++)
		n += !u->rcpts[i].is_settled;
	return n;
}

/* A list that is begun wholly is over with its verdict only. */
static bool
has_open(const struct view *v)
{
	for (uint32_t i = 0; i < VIEW_UNITS; i++)
		if (v->unit[i].is_here)
			return true;
	return false;
}

static bool
judge(struct view *v, const struct note *n)
{
	struct view_unit *u = &v->unit[n->unit];
	uint32_t before;

	if (n->unit >= VIEW_UNITS || !u->is_here || n->last >= u->count)
		return false;
	before = open_rcpts(u);
	for (uint32_t i = n->first; i <= n->last; i++) {
		struct view_rcpt *r = &u->rcpts[i];

		r->outcome = n->outcome;
		r->code = n->code;
		r->text = n->text;
		r->is_settled = r->is_settled || n->is_settled;
	}
	u->tries = n->tries;
	u->due_at = n->value;
	u->lease = 0;
	/* a list's one stands for all that were not begun */
	v->left -= n->id == v->list && before > open_rcpts(u) ? v->left :
	    before - open_rcpts(u);
	v->is_warned = v->is_warned || n->is_warned;
	if (open_rcpts(u) == 0)
		memset(u, 0, sizeof(*u));
	return true;
}

static bool
change(struct view *v, const struct note *n)
{
	struct view_unit *u = &v->unit[n->unit % VIEW_UNITS];

	switch (n->kind) {
	case NOTE_VERDICT:
		return judge(v, n);
	case NOTE_HOLD:
		v->is_held = n->is_held;
		return true;
	case NOTE_DUE:
		u->due_at = n->value;
		return u->is_here;
	case NOTE_LEASE:
		u->lease = n->value;
		return u->is_here;
	case NOTE_BEGUN:
		v->left -= (uint32_t)n->value - v->begun;
		v->begun = (uint32_t)n->value;
		return v->begun <= v->total;
	default:
		return false;
	}
}

bool
model_apply(struct model *m, const struct note *n)
{
	struct view *v;
	bool ok;

	if (n->kind == NOTE_BASE || n->kind == NOTE_SUBMIT)
		return add(m, &n->view);
	v = find(m, n->id);
	if (n->kind == NOTE_DROPPED)
		return drop(m, v);
	if (v == NULL)
		return false;
	count(m, v, UINT64_MAX);
	ok = change(v, n);
	count(m, v, 1);
	return ok && (v->left > 0 || has_open(v) || drop(m, v));
}

struct model_sums
model_sums_of(const struct view *v, size_t n)
{
	struct model_sums sums = { .digest = 0 };

	for (size_t i = 0; i < n; i++) {
		sums.digest += view_digest(&v[i]);
		sums.bones += view_bones(&v[i]);
	}
	return sums;
}
