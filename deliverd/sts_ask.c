/*
 * Questions lie in a map by id, for their answers, and in a list as they were
 * put.  While there are any, a timer looks at them once a second: nobody needs
 * to know sooner.
 */
#include "deliverd/sts_ask.h"

#include <stdlib.h>

#include "common/base/list.h"
#include "common/base/map.h"
#include "common/ipc/channel.h"
#include "common/loop/timer.h"
#include "common/sts/sts_cache.h"

#define LOOK_MS		1000
#define REMEMBERED_ID	"x"	/* the record's id is fetchd's business */

struct question {
	struct list node;
	uint32_t id;
	int64_t due_at_ms;
	sts_ask_fn *fn;
	void *ctx;
	char domain[DOMAIN_MAX + 1];
};

struct sts_ask {
	struct loop *loop;
	struct channel *channel;
	struct sts_cache *known;
	struct map_u64 questions;
	struct list order;
	struct timer timer;
	uint32_t last_id;
};

/* ---- answers ---- */

static void
free_question(struct sts_ask *a, struct question *q)
{
	(void)map_u64_remove(&a->questions, q->id);
	list_remove(&q->node);
	free(q);
}

/* Q is gone before FN is called, which may put another one. */
static void
tell(struct sts_ask *a, struct question *q, const struct sts_answer *answer)
{
	sts_ask_fn *fn = q->fn;
	void *ctx = q->ctx;

	free_question(a, q);
	fn(ctx, answer);
}

static void
answer_from_memory(struct sts_ask *a, struct question *q)
{
	const struct sts_entry *e = sts_cache_find(a->known,
	    span_str(q->domain), loop_wall_ms(a->loop));
	struct sts_answer answer = {
		.mode = STS_MODE_NONE, .is_certain = e != NULL,
		.trouble = POLICY_TROUBLE_FETCH,
		.text = SPAN_LIT("whether its domain has a policy of MTA-STS "
		    "can't be asked now"),
	};

	if (e != NULL) {
		answer.mode = e->mode;
		answer.mx = e->mx;
	}
	tell(a, q, &answer);
}

/* The oldest is looked up anew each time: a callee may change the list. */
static void
on_timer(void *ctx)
{
	struct sts_ask *a = ctx;
	int64_t now = loop_now_ms(a->loop);
	struct list *node = list_first(&a->order);

	while (node != NULL) {
		struct question *q = CONTAINER_OF(node, struct question, node);

		if (q->due_at_ms > now) {
			node = list_next(&a->order, node);
			continue;
		}
		answer_from_memory(a, q);
		node = list_first(&a->order);
	}
	if (!list_is_empty(&a->order))
		timer_start(&a->timer, LOOK_MS);
}

/* Only what binds is remembered; fetchd knows the rest soon enough.  Without
 * memory for it nothing is lost while fetchd is there. */
static void
remember(struct sts_ask *a, const char *domain,
    const struct msg_policy_answer *m)
{
	int64_t now = loop_wall_ms(a->loop);
	int64_t left_s = ((int64_t)m->until_at - now) / 1000;
	struct sts_policy policy = { .mode = (enum sts_mode)m->mode };

	if (left_s <= 0 || left_s > (int64_t)STS_AGE_MAX_S) {
		sts_cache_forget(a->known, span_str(domain));
		return;
	}
	policy.max_age_s = (uint32_t)left_s;
	(void)sts_cache_store(a->known, span_str(domain), REMEMBERED_ID,
	    &policy, m->mx, now);
}

/* A list that is none comes from a process that has gone astray: nothing is
 * known then. */
void
sts_ask_answer(struct sts_ask *a, const struct msg_policy_answer *m)
{
	struct question *q = map_u64_get(&a->questions, m->question);
	struct sts_answer answer = {
		.mode = (enum sts_mode)m->mode,
		.is_certain = m->is_certain != 0,
		.trouble = (enum policy_trouble)m->trouble,
		.mx = m->mx, .text = m->text,
	};

	if (q == NULL)
		return;
	if (m->mode >= POLICY_MODE_COUNT || !sts_mx_is_list(m->mx) ||
	    m->trouble >= POLICY_TROUBLE_COUNT) {
		answer_from_memory(a, q);
		return;
	}
	if (answer.is_certain)
		remember(a, q->domain, m);
	tell(a, q, &answer);
}

/* ---- questions ---- */

/* When it can't be sent the channel is ending, and another one comes. */
static void
put(struct sts_ask *a, struct question *q)
{
	struct msg m = { .type = MSG_policy_ask };
	int64_t wait_ms = a->channel != NULL ? STS_ASK_ANSWER_MS :
	    STS_ASK_AWAY_MS;

	q->due_at_ms = loop_now_ms(a->loop) + wait_ms;
	if (a->channel == NULL)
		return;
	m.policy_ask.question = q->id;
	m.policy_ask.domain = span_str(q->domain);
	channel_send_or_end(a->channel, &m);
}

void
sts_ask_set_channel(struct sts_ask *a, struct channel *c)
{
	a->channel = c;
	for (struct list *n = list_first(&a->order); n != NULL;
	    n = list_next(&a->order, n))
		put(a, CONTAINER_OF(n, struct question, node));
}

enum err
sts_ask_question(struct sts_ask *a, const char *domain, sts_ask_fn *fn,
    void *ctx)
{
	struct question *q = calloc(1, sizeof(*q));

	if (q == NULL)
		return ERR_NOMEM;
	if (!span_copy(span_str(domain), q->domain, sizeof(q->domain))) {
		free(q);
		return ERR_RANGE;
	}
	q->id = ++a->last_id;
	q->fn = fn;
	q->ctx = ctx;
	if (map_u64_add(&a->questions, q->id, q) != OK) {
		free(q);
		return ERR_NOMEM;
	}
	list_add_last(&a->order, &q->node);
	put(a, q);
	if (!timer_is_running(&a->timer))
		timer_start(&a->timer, LOOK_MS);
	return OK;
}

void
sts_ask_cancel(struct sts_ask *a, const void *ctx)
{
	for (struct list *n = list_first(&a->order); n != NULL;
	    n = list_next(&a->order, n)) {
		struct question *q = CONTAINER_OF(n, struct question, node);

		if (q->ctx != ctx)
			continue;
		free_question(a, q);
		return;
	}
}

/* ---- life ---- */

enum err
sts_ask_new(struct loop *l, const struct siphash_key *seed,
    struct sts_ask **out)
{
	struct sts_ask *a = calloc(1, sizeof(*a));

	if (a == NULL)
		return ERR_NOMEM;
	a->loop = l;
	list_init(&a->order);
	map_u64_init(&a->questions, seed);
	if (sts_cache_new(seed, &a->known) != OK ||
	    timer_init(&a->timer, l, on_timer, a) != OK) {
		sts_ask_free(&a);
		return ERR_NOMEM;
	}
	*out = a;
	return OK;
}

void
sts_ask_free(struct sts_ask **ask)
{
	struct sts_ask *a = *ask;
	struct list *node;

	if (a == NULL)
		return;
	while ((node = list_first(&a->order)) != NULL)
		free_question(a, CONTAINER_OF(node, struct question, node));
	map_u64_clear(&a->questions);
	sts_cache_free(&a->known);
	timer_clear(&a->timer);
	free(a);
	*ask = NULL;
}
