/*
 * Each question lies in a map (by id, for its answer) and in a list (as they
 * were put, for the clock and for the next dnsd).  All have the same timeout
 * but those put around a reload, so the list is as good as ordered by time,
 * and one timer for the oldest is enough.
 *
 * While dnsd is away, or its channel has no memory, questions just lie here:
 * they are put to the next one, or answered by the clock.
 */
#include "common/ipc/ask.h"

#include <stdlib.h>

#include "common/base/list.h"
#include "common/base/map.h"
#include "common/ipc/channel.h"
#include "common/loop/timer.h"

#define LATE_MS		2000	/* dnsd has a deadline of its own */

struct question {
	struct list node;	/* in the order they were put */
	uint32_t id;
	uint16_t type;
	int64_t due_at_ms;
	ask_fn *fn;
	void *ctx;
	uint32_t tag;
	char name[ASK_NAME_SIZE];
};

struct ask {
	struct loop *loop;
	struct channel *channel;
	struct map_u64 questions;
	struct list order;
	struct timer timer;
	uint32_t next_id;
};

static void
free_question(struct ask *a, struct question *q)
{
	(void)map_u64_remove(&a->questions, q->id);
	list_remove(&q->node);
	free(q);
}

/* Q is gone before FN is called: it may put questions, and cancel others. */
static void
tell(struct ask *a, struct question *q, const struct msg_dns_answer *answer)
{
	ask_fn *fn = q->fn;
	void *ctx = q->ctx;
	uint32_t tag = q->tag;
	uint16_t type = q->type;

	free_question(a, q);
	fn(ctx, tag, type, answer);
}

static struct question *
oldest(const struct ask *a)
{
	struct list *node = list_first(&a->order);

	return node == NULL ? NULL :
	    CONTAINER_OF(node, struct question, node);
}

/* The oldest is looked up anew each time, since ask_fn may have changed the
 * list. */
static void
on_timer(void *ctx)
{
	static const struct msg_dns_answer late = {
		.status = DNS_TEMPORARY,
		.text = SPAN_LIT("no answer in time"),
	};
	struct ask *a = ctx;
	struct question *q;

	while ((q = oldest(a)) != NULL &&
	    q->due_at_ms <= loop_now_ms(a->loop))
		tell(a, q, &late);
	if (q != NULL)
		timer_start_at(&a->timer, q->due_at_ms);
}

enum err
ask_new(struct loop *l, const struct siphash_key *seed, struct ask **out)
{
	struct ask *a = calloc(1, sizeof(*a));

	if (a == NULL)
		return ERR_NOMEM;
	a->loop = l;
	map_u64_init(&a->questions, seed);
	list_init(&a->order);
	if (timer_init(&a->timer, l, on_timer, a) != OK) {
		free(a);
		return ERR_NOMEM;
	}
	*out = a;
	return OK;
}

void
ask_free(struct ask **a)
{
	struct question *q;

	if (*a == NULL)
		return;
	while ((q = oldest(*a)) != NULL)
		free_question(*a, q);
	map_u64_clear(&(*a)->questions);
	timer_clear(&(*a)->timer);
	free(*a);
	*a = NULL;
}

static void
put(struct ask *a, const struct question *q)
{
	struct msg m = { .type = MSG_dns_ask };

	if (a->channel == NULL)
		return;
	m.dns_ask.question = q->id;
	m.dns_ask.type = q->type;
	m.dns_ask.name = span_str(q->name);
	(void)channel_send(a->channel, &m);
}

void
ask_set_channel(struct ask *a, struct channel *c)
{
	a->channel = c;
	for (struct list *n = list_first(&a->order); n != NULL;
	    n = list_next(&a->order, n))
		put(a, CONTAINER_OF(n, struct question, node));
}

enum err
ask_question(struct ask *a, const char *name, uint16_t type,
    int64_t timeout_ms, ask_fn *fn, void *ctx, uint32_t tag)
{
	struct question *q = calloc(1, sizeof(*q));

	if (q == NULL || !span_copy(span_str(name), q->name,
	    sizeof(q->name))) {
		free(q);
		return ERR_NOMEM;
	}
	q->id = ++a->next_id;
	q->type = type;
	q->due_at_ms = loop_now_ms(a->loop) + timeout_ms + LATE_MS;
	q->fn = fn;
	q->ctx = ctx;
	q->tag = tag;
	if (map_u64_add(&a->questions, q->id, q) != OK) {
		free(q);
		return ERR_NOMEM;
	}
	list_add_last(&a->order, &q->node);
	if (!timer_is_running(&a->timer))
		timer_start_at(&a->timer, q->due_at_ms);
	put(a, q);
	return OK;
}

void
ask_cancel(struct ask *a, const void *ctx)
{
	struct list *n = list_first(&a->order);

	while (n != NULL) {
		struct question *q = CONTAINER_OF(n, struct question, node);

		n = list_next(&a->order, n);
		if (q->ctx == ctx)
			free_question(a, q);
	}
}

/* An answer to nothing came too late, or to a question that was forgotten. */
void
ask_answer(struct ask *a, const struct msg_dns_answer *m)
{
	struct question *q = map_u64_get(&a->questions, m->question);

	if (q != NULL)
		tell(a, q, m);
}
