#include "keyd/grants.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"
#include "common/base/list.h"
#include "common/ipc/channel.h"
#include "common/log/log.h"
#include "common/loop/timer.h"
#include "keyd/grant.h"

#define TEXT_MAX	1024	/* as in messages.def */
#define WORDS_MAX	600	/* of them: what was said */

struct grants {
	struct loop *loop;
	struct log *log;
	struct channel *parent;
	struct channel *fetchd;		/* NULL while it is away */
	struct list ways;		/* struct way */
	uint64_t last_number;		/* of a token */
	uint32_t last_question;
	size_t n_waiting;
};

struct way {
	struct list node;
	struct grants *grants;
	struct grant grant;
	struct list waiting;		/* struct waiter */
	struct timer timer;		/* for the answer */
	bool is_asked;			/* one is due, or fetchd is away */
	uint32_t question;
	char trouble[WORDS_MAX];	/* why there was no token last time */
};

struct waiter {
	struct list node;
	struct channel *channel;
	uint64_t cookie;
};

/* ---- answers ---- */

static void
tell_token(const struct way *w, struct channel *c, uint64_t cookie)
{
	struct msg m = { .type = MSG_hop_token };

	m.hop_token.cookie = cookie;
	m.hop_token.number = w->grant.number;
	m.hop_token.token = buf_span(&w->grant.token);
	channel_send_or_end(c, &m);
}

/* "no token from https://login.example/token: …" */
static void
tell_trouble(const struct way *w, struct channel *c, uint64_t cookie,
    const char *why)
{
	struct msg m = { .type = MSG_hop_token };
	struct buf text;

	buf_init(&text, TEXT_MAX);
	buf_add_str(&text, "no token");
	if (w != NULL) {
		buf_add_str(&text, " from ");
		buf_add_span(&text, span_sub(buf_span(&w->grant.url), 0,
		    TEXT_MAX - WORDS_MAX - 20));
	}
	buf_addf(&text, ": %s", why);
	m.hop_token.cookie = cookie;
	m.hop_token.text = buf_failed(&text) ? SPAN_LIT("no memory") :
	    buf_span(&text);
	channel_send_or_end(c, &m);
	buf_clear(&text);
}

/* ---- who wait ---- */

static void
drop_waiter(struct grants *g, struct waiter *waiter)
{
	list_remove(&waiter->node);
	free(waiter);
	g->n_waiting--;
}

static bool
add_waiter(struct way *w, struct channel *c, uint64_t cookie)
{
	struct waiter *waiter = NULL;

	if (w->grants->n_waiting < GRANTS_WAITING_MAX)
		waiter = calloc(1, sizeof(*waiter));
	if (waiter == NULL)
		return false;
	waiter->channel = c;
	waiter->cookie = cookie;
	list_add_last(&w->waiting, &waiter->node);
	w->grants->n_waiting++;
	return true;
}

/* WHY there is no token, or NULL. */
static void
answer_all(struct way *w, const char *why)
{
	struct list *node;

	w->is_asked = false;
	timer_stop(&w->timer);
	while ((node = list_first(&w->waiting)) != NULL) {
		struct waiter *waiter = CONTAINER_OF(node, struct waiter,
		    node);

		if (why == NULL)
			tell_token(w, waiter->channel, waiter->cookie);
		else
			tell_trouble(w, waiter->channel, waiter->cookie, why);
		drop_waiter(w->grants, waiter);
	}
}

void
grants_forget(struct grants *g, const struct channel *c)
{
	struct list *way, *node, *next;

	for (way = list_first(&g->ways); way != NULL;
	    way = list_next(&g->ways, way)) {
		struct way *w = CONTAINER_OF(way, struct way, node);

		for (node = list_first(&w->waiting); node != NULL;
		    node = next) {
			struct waiter *waiter = CONTAINER_OF(node,
			    struct waiter, node);

			next = list_next(&w->waiting, node);
			if (waiter->channel == c)
				drop_waiter(g, waiter);
		}
	}
}

/* ---- requests ---- */

static void
send_request(struct way *w)
{
	struct msg m = { .type = MSG_token_fetch };

	if (w->grants->fetchd == NULL)
		return;
	grant_request(&w->grant, &m.token_fetch);
	w->question = ++w->grants->last_question;
	m.token_fetch.question = w->question;
	channel_send_or_end(w->grants->fetchd, &m);
}

static void
log_outcome(const struct way *w, enum log_id id, const char *why)
{
	struct log *log = w->grants->log;

	if (!log_begin(log, id, NULL))
		return;
	log_text(log, "endpoint", buf_span(&w->grant.url));
	log_text(log, "client", buf_span(&w->grant.client_id));
	if (why != NULL)
		log_str(log, "why", why);
	log_end(log);
}

/* What the endpoint says may hold what it was told. */
static void
fail(struct way *w, struct span words)
{
	if (grant_is_told(&w->grant, words))
		words = SPAN_LIT("its answer repeats a secret");
	words = span_sub(words, 0, sizeof(w->trouble) - 1);
	if (!span_copy(words, w->trouble, sizeof(w->trouble)))
		(void)span_copy(SPAN_LIT("its answer is no text"), w->trouble,
		    sizeof(w->trouble));
	log_outcome(w, LOG_TOKEN_FAILED, w->trouble);
	answer_all(w, w->trouble);
}

static void
on_timer(void *ctx)
{
	struct way *w = ctx;

	fail(w, w->grants->fetchd == NULL ? SPAN_LIT("fetchd is away") :
	    SPAN_LIT("no answer in time"));
}

void
grants_set_fetchd(struct grants *g, struct channel *fetchd)
{
	struct list *node;

	g->fetchd = fetchd;
	for (node = list_first(&g->ways); node != NULL;
	    node = list_next(&g->ways, node)) {
		struct way *w = CONTAINER_OF(node, struct way, node);

		if (w->is_asked)
			send_request(w);
	}
}

/* The old one may be of no more use, so the new one is to outlive us. */
static void
keep_refresh(struct way *w)
{
	struct msg m = { .type = MSG_refresh_keep };

	if (!w->grant.has_changed)
		return;
	w->grant.has_changed = false;
	m.refresh_keep.name = buf_span(&w->grant.name);
	m.refresh_keep.refresh_token = buf_span(&w->grant.refresh);
	channel_send_or_end(w->grants->parent, &m);
}

void
grants_fetched(struct grants *g, const struct msg_token_fetched *m)
{
	struct way *w = NULL;
	struct list *node;

	for (node = list_first(&g->ways); node != NULL;
	    node = list_next(&g->ways, node)) {
		w = CONTAINER_OF(node, struct way, node);
		if (w->is_asked && w->question == m->question)
			break;
	}
	if (node == NULL)
		return;
	if (m->token.n == 0) {
		fail(w, m->text);
	} else if (grant_take(&w->grant, m, ++g->last_number,
	    loop_now_ms(g->loop)) != OK) {
		fail(w, SPAN_LIT("no memory"));
	} else {
		w->trouble[0] = '\0';
		keep_refresh(w);
		log_outcome(w, LOG_TOKEN_FETCHED, NULL);
		answer_all(w, NULL);
	}
}

/* ---- questions ---- */

static struct way *
find(struct list *ways, struct span name)
{
	struct list *node;

	for (node = list_first(ways); node != NULL;
	    node = list_next(ways, node)) {
		struct way *w = CONTAINER_OF(node, struct way, node);

		if (span_equal(buf_span(&w->grant.name), name))
			return w;
	}
	return NULL;
}

static void
wait_for_token(struct way *w, struct channel *c, uint64_t cookie)
{
	if (!add_waiter(w, c, cookie)) {
		tell_trouble(w, c, cookie, "too many wait for it");
		return;
	}
	if (w->is_asked)
		return;
	w->is_asked = true;
	timer_start(&w->timer, GRANTS_WAIT_MS);
	send_request(w);
}

void
grants_ask(struct grants *g, struct channel *c,
    const struct msg_hop_token_ask *m)
{
	struct way *w = find(&g->ways, m->name);

	if (w == NULL) {
		tell_trouble(NULL, c, m->cookie, "nothing is known yet by "
		    "which to get one");
		return;
	}
	if (w->is_asked) {
		wait_for_token(w, c, m->cookie);
		return;
	}
	switch (grant_want(&w->grant, m->refused, loop_now_ms(g->loop))) {
	case GRANT_TELL:
		tell_token(w, c, m->cookie);
		break;
	case GRANT_FETCH:
		wait_for_token(w, c, m->cookie);
		break;
	case GRANT_LATER:
		tell_trouble(w, c, m->cookie, w->trouble[0] != '\0' ?
		    w->trouble : "it was asked for too often");
		break;
	}
}

/* ---- life ---- */

static void
free_way(struct way *w)
{
	answer_all(w, "the configuration has changed");
	list_remove(&w->node);
	timer_clear(&w->timer);
	grant_clear(&w->grant);
	free(w);
}

static void
free_ways(struct list *ways)
{
	struct list *node;

	while ((node = list_first(ways)) != NULL)
		free_way(CONTAINER_OF(node, struct way, node));
}

static enum err
add_way(struct grants *g, const struct msg_hop_grant *row, struct list *out)
{
	struct way *w = calloc(1, sizeof(*w));
	enum err e;

	if (w == NULL)
		return ERR_NOMEM;
	w->grants = g;
	list_init(&w->waiting);
	e = grant_init(&w->grant, row, loop_now_ms(g->loop));
	if (e == OK)
		e = timer_init(&w->timer, g->loop, on_timer, w);
	if (e != OK) {
		grant_clear(&w->grant);
		free(w);
		return e;
	}
	list_add_last(out, &w->node);
	return OK;
}

/* The new ones, beside those that stay. */
static enum err
make_ways(struct grants *g, struct msg_list rows, struct list *out)
{
	struct msg_hop_grant row;
	enum err e = OK;

	while (e == OK && msg_next_hop_grant(&rows, &row)) {
		struct way *w = find(&g->ways, row.name);

		if (find(out, row.name) == NULL &&
		    (w == NULL || !grant_keep(&w->grant, &row)))
			e = add_way(g, &row, out);
	}
	return e;
}

static bool
is_named(struct msg_list rows, const struct way *w, struct list *fresh)
{
	struct msg_hop_grant row;

	if (find(fresh, buf_span(&w->grant.name)) != NULL)
		return false;
	while (msg_next_hop_grant(&rows, &row))
		if (span_equal(row.name, buf_span(&w->grant.name)))
			return true;
	return false;
}

enum err
grants_load(struct grants *g, const struct msg_list *rows)
{
	struct list fresh, *node, *next;
	enum err e;

	list_init(&fresh);
	e = make_ways(g, *rows, &fresh);
	if (e != OK) {
		free_ways(&fresh);
		return e;
	}
	for (node = list_first(&g->ways); node != NULL; node = next) {
		struct way *w = CONTAINER_OF(node, struct way, node);

		next = list_next(&g->ways, node);
		if (!is_named(*rows, w, &fresh))
			free_way(w);
	}
	while ((node = list_first(&fresh)) != NULL) {
		list_remove(node);
		list_add_last(&g->ways, node);
	}
	return OK;
}

enum err
grants_new(struct loop *loop, struct log *log, struct channel *parent,
    struct grants **out)
{
	struct grants *g = calloc(1, sizeof(*g));

	if (g == NULL)
		return ERR_NOMEM;
	g->loop = loop;
	g->log = log;
	g->parent = parent;
	list_init(&g->ways);
	*out = g;
	return OK;
}

/* Nobody is told anything any more. */
void
grants_free(struct grants **grants)
{
	struct grants *g = *grants;
	struct list *node, *waiting;

	if (g == NULL)
		return;
	while ((node = list_first(&g->ways)) != NULL) {
		struct way *w = CONTAINER_OF(node, struct way, node);

		while ((waiting = list_first(&w->waiting)) != NULL)
			drop_waiter(g, CONTAINER_OF(waiting, struct waiter,
			    node));
		free_way(w);
	}
	free(g);
	*grants = NULL;
}
