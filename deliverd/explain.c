/*
 * The steps of session_dial.c without its dials: a host that is to be tried is
 * noted, and the next one asked for.  All of them see the same settings, so a
 * reload meanwhile changes nothing.
 */
#include "deliverd/explain.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/base/check.h"
#include "common/ipc/ask.h"
#include "common/ipc/channel.h"
#include "common/loop/timer.h"
#include "deliverd/explain_tls.h"
#include "deliverd/hops/hops_note.h"
#include "deliverd/jobs.h"
#include "deliverd/names.h"
#include "deliverd/settings.h"
#include "deliverd/way.h"
#include "deliverd/way_sts.h"

/* HOPS_WHOLE_MAX records at their longest, and more than enough notes. */
#define HOPS_BYTES	((size_t)512 * 1024)
#define NOTES_BYTES	((size_t)64 * 1024)

struct explain {
	struct list node;
	struct explains *all;
	struct settings *settings;
	struct route route;		/* borrowed from settings */
	bool requires_tls;
	uint64_t cookie;
	struct hops *hops;
	struct hop hop;			/* now looked at */
	struct way_sts sts;
	struct timer timer;
	struct buf rows;		/* hosts so far */
	uint32_t n;
	uint32_t skipped;		/* of them … */
	uint32_t unfit;			/* … for what they lack */
	struct policy skip;		/* of the last one */
};

struct explains {
	struct deliverd *d;
	struct list list;
	unsigned n;
};

/* ---- life ---- */

enum err
explains_new(struct deliverd *d, struct explains **out)
{
	struct explains *all = calloc(1, sizeof(*all));

	if (all == NULL)
		return ERR_NOMEM;
	all->d = d;
	list_init(&all->list);
	*out = all;
	return OK;
}

static void
free_one(struct explain *e)
{
	ask_cancel(e->all->d->ask, e);
	way_sts_clear(&e->sts);
	list_remove(&e->node);
	e->all->n--;
	timer_clear(&e->timer);
	hops_free(&e->hops);
	buf_clear(&e->rows);
	settings_drop(&e->settings);
	free(e);
}

void
explains_forget(struct explains *all)
{
	struct list *node;

	while ((node = list_first(&all->list)) != NULL)
		free_one(CONTAINER_OF(node, struct explain, node));
}

void
explains_free(struct explains **all)
{
	if (*all == NULL)
		return;
	explains_forget(*all);
	free(*all);
	*all = NULL;
}

/* ---- the answer ---- */

static void
refuse(struct explains *all, uint64_t cookie, enum route_result why)
{
	struct msg m = { .type = MSG_route_hops };

	m.route_hops.cookie = cookie;
	m.route_hops.result = (uint8_t)why;
	channel_send_or_end(all->d->queued, &m);
}

static uint32_t
put_notes(const struct hops *hops, struct buf *out)
{
	const struct hops_note *notes;
	size_t n = hops_notes(hops, &notes);

	for (size_t i = 0; i < n; i++) {
		const struct hops_note *note = &notes[i];
		struct msg_route_note m = { .host = span_str(note->host) };
		char address[IPADDR_TEXT_SIZE] = "", text[256];
		int length = snprintf(text, sizeof(text), "%s%s%s",
		    hops_why_text(note->why),
		    note->text[0] != '\0' ? ": " : "", note->text);

		if (note->ip.family != IPADDR_NONE)
			ipaddr_format(&note->ip, address);
		m.address = span_str(address);
		m.text = span_of(text, length < (int)sizeof(text) ?
		    (size_t)length : sizeof(text) - 1);
		msg_put_route_note(out, &m);
	}
	return (uint32_t)n;
}

/* What the round says when it has no host; or why the last one that it had got
 * nothing. */
static void
put_no_host(struct explain *e, struct hops_verdict *verdict,
    char status[STATUS_SIZE], struct msg_route_hops *m)
{
	if (e->n == 0) {
		hops_verdict(e->hops, verdict);
		m->is_permanent = verdict->is_permanent;
		m->text = span_str(verdict->text);
		(void)status_format(verdict->status, status);
	} else {
		m->is_permanent = e->requires_tls &&
		    way_returns(e->unfit, e->n, &e->skip.status);
		m->text = span_str(e->skip.text);
		(void)status_format(e->skip.status, status);
	}
	m->status = span_str(status);
}

/* Ends it. */
static void
tell(struct explain *e, enum route_result result)
{
	struct msg m = { .type = MSG_route_hops };
	struct hops_verdict verdict;
	char status[STATUS_SIZE] = "";
	struct buf notes;

	buf_init(&notes, NOTES_BYTES);
	m.route_hops.cookie = e->cookie;
	m.route_hops.notes.n = put_notes(e->hops, &notes);
	m.route_hops.notes.bytes = buf_span(&notes);
	m.route_hops.hops.n = e->n;
	m.route_hops.hops.bytes = buf_span(&e->rows);
	m.route_hops.helo = span_str(e->route.way->helo[0] != '\0' ?
	    e->route.way->helo : e->settings->helo);
	m.route_hops.result = (uint8_t)result;
	if (e->n == e->skipped && result == ROUTE_RESULT_DONE)
		put_no_host(e, &verdict, status, &m.route_hops);
	if (buf_failed(&notes) || buf_failed(&e->rows))
		refuse(e->all, e->cookie, ROUTE_RESULT_NO_MEMORY);
	else
		channel_send_or_end(e->all->d->queued, &m);
	buf_clear(&notes);
	free_one(e);
}

/* ---- steps ---- */

static uint8_t
flags_of(const struct explain *e, const struct hop *hop,
    const struct policy *policy)
{
	unsigned flags = 0;

	flags |= hop->is_tls ? ROUTE_HOP_TLS : 0;
	flags |= hop->is_lmtp ? ROUTE_HOP_LMTP : 0;
	flags |= route_is_mx(&e->route) ? ROUTE_HOP_MX : 0;
	flags |= hop->is_drawn ? ROUTE_HOP_DRAWN : 0;
	flags |= hop->is_beyond ? ROUTE_HOP_BEYOND : 0;
	flags |= policy->need == POLICY_SKIP ? ROUTE_HOP_SKIPPED : 0;
	return (uint8_t)flags;
}

/* One that would be skipped is none to be tried. */
static void
note_hop(struct explain *e)
{
	const struct hop *hop = &e->hop;
	const struct way_facts facts = {
		.route = &e->route, .requires_tls = e->requires_tls,
		.is_unix = hop->is_unix, .dane = hop->dane,
		.sts = &e->sts.facts,
	};
	char address[ENDPOINT_TEXT_SIZE], why[EXPLAIN_TLS_SIZE];
	struct policy policy;
	struct msg_route_hop m = {
		.host = span_str(hop->host),
		.preference = hop->preference,
	};

	if (!hop->is_unix)
		m.address = span_of(address, endpoint_format(&hop->at,
		    address));
	way_judge(&facts, &policy);
	m.flags = flags_of(e, hop, &policy);
	if (e->route.auth_secret[0] != '\0' && !hop->is_unix)
		m.user = span_str(hop->user[0] != '\0' ? hop->user :
		    e->route.auth_user);
	m.tls = span_str(explain_tls_name(&policy, hop->is_tls));
	m.tls_why = span_of(why, explain_tls_why(&policy, hop,
	    &e->sts.facts, why));
	msg_put_route_hop(&e->rows, &m);
	e->n++;
	if (policy.need == POLICY_SKIP) {
		e->skipped++;
		e->unfit += policy.is_unfit ? 1 : 0;
		e->skip = policy;
		hops_skip(e->hops);
	}
}

/* False: its policy is to be waited for. */
static bool
look_at_hop(struct explain *e)
{
	const struct way_sts_host host = {
		.name = e->hop.host, .is_lmtp = e->hop.is_lmtp,
		.has_none = e->hop.is_literal || e->hop.is_unix,
	};

	if (!way_sts_find(&e->sts, &host))
		return false;
	note_hop(e);
	return true;
}

static void go_on(struct explain *e);

static void
on_answer(void *ctx, uint32_t tag, uint16_t type,
    const struct msg_dns_answer *m)
{
	struct hops_record records[ASK_RECORDS_MAX];
	struct hops_answer answer;
	struct explain *e = ctx;

	names_read(type, m, records, &answer);
	hops_answer(e->hops, tag, &answer);
	if (!e->sts.is_awaited)
		go_on(e);
}

/* Without memory it is answered here, so that the round goes on to its end. */
static void
put_question(struct explain *e, const struct hops_question *q)
{
	static const struct hops_answer none = {
		.found = HOPS_TEMPORARY, .text = SPAN_LIT("out of memory"),
	};

	if (ask_question(e->all->d->ask, q->name, q->type,
	    e->settings->dns_ms, on_answer, e, q->id) != OK)
		hops_answer(e->hops, q->id, &none);
}

/* Until there is something to wait for; it may be gone then. */
static void
go_on(struct explain *e)
{
	struct hops_question question;

	for (;;) {
		switch (hops_next(e->hops, &question, &e->hop)) {
		case HOPS_ASK:
			put_question(e, &question);
			break;
		case HOPS_AWAIT:
			return;
		case HOPS_TRY:
			if (!look_at_hop(e))
				return;
			break;
		case HOPS_OVER:
			tell(e, ROUTE_RESULT_DONE);
			return;
		}
	}
}

static void
on_policy(void *ctx)
{
	struct explain *e = ctx;

	if (look_at_hop(e))
		go_on(e);
}

static void
on_timer(void *ctx)
{
	tell(ctx, ROUTE_RESULT_CUT);
}

/* ---- asking ---- */

static enum err
begin(struct explain *e, const struct msg_route_ask *m)
{
	struct hops_setup setup;
	enum err err;

	way_setup(e->settings, &e->route, e->requires_tls,
	    route_domain(m->recipient), rng_u64(&e->all->d->dice), &setup);
	setup.wants_notes = true;
	setup.is_whole = m->is_whole != 0;
	err = hops_new(&setup, &e->hops);
	if (err != OK)
		return err;
	timer_start(&e->timer, EXPLAIN_MS);
	way_sts_init(&e->sts, e->all->d->sts_ask, &e->route, on_policy, e);
	way_sts_begin(&e->sts, hops_domain(e->hops));
	return OK;
}

static enum err
make(struct explains *all, const struct msg_route_ask *m,
    struct settings *settings, struct explain **out)
{
	struct explain *e = calloc(1, sizeof(*e));
	enum err err;

	if (e == NULL)
		return ERR_NOMEM;
	list_init(&e->node);
	buf_init(&e->rows, HOPS_BYTES);
	e->all = all;
	all->n++;
	list_add_last(&all->list, &e->node);
	e->settings = settings_use(settings);
	e->cookie = m->cookie;
	e->requires_tls = m->requires_tls != 0;
	err = timer_init(&e->timer, all->d->loop, on_timer, e);
	if (err == OK && !route_table_get(settings->routes, m->route,
	    &e->route))
		err = ERR_RANGE;
	if (err == OK)
		err = begin(e, m);
	if (err != OK) {
		free_one(e);
		return err;
	}
	*out = e;
	return OK;
}

/* ERR_RANGE: such a rule there is not, or a domain that the DNS can't hold. */
void
explains_ask(struct explains *all, const struct msg_route_ask *m)
{
	struct settings *settings = jobs_settings(all->d, m->generation);
	struct explain *e;
	enum err err;

	if (settings == NULL) {
		refuse(all, m->cookie, ROUTE_RESULT_OTHER_CONF);
		return;
	}
	if (all->n >= EXPLAIN_MAX) {
		refuse(all, m->cookie, ROUTE_RESULT_BUSY);
		return;
	}
	err = make(all, m, settings, &e);
	if (err == OK)
		go_on(e);
	else
		refuse(all, m->cookie, err == ERR_NOMEM ?
		    ROUTE_RESULT_NO_MEMORY : ROUTE_RESULT_NO_NAME);
}
