/*
 * The way to a connection: names are asked for, addresses tried one after the
 * other, until one dialogue is up or the round is over.  When an address keeps us
 * waiting, one of the other family is tried beside it (RFC 8305): who answers first
 * is taken, and the other connection is dropped before anything is said there.
 *
 * No job is in a session's hands so far: those that caused it wait in the
 * pool, and any of them may be served by another connection meanwhile.  So
 * what is tried here is noted in the session (failed), and told with the first
 * job it gets, or with all that wait when there is no host at all.
 */
#include "deliverd/session_dial.h"

#include <string.h>

#include "common/base/check.h"
#include "common/ipc/ask.h"
#include "common/log/log.h"
#include "deliverd/hops/hops_race.h"
#include "deliverd/names.h"
#include "deliverd/session.h"
#include "deliverd/session_report.h"
#include "deliverd/session_sts.h"
#include "deliverd/session_unix.h"
#include "deliverd/session_way.h"
#include "deliverd/verdict.h"
#include "deliverd/way.h"

/* For one address, or for the answer about one family (RFC 8305 section 5: at most
 * 2 s).  Mail is in no hurry, and what is dropped costs the host a slot. */
#define HEAD_START_MS	1000

static uint32_t
duration_ms(const struct session *s)
{
	int64_t ms = loop_now_ms(s->d->loop) - s->begun_at_ms;

	return ms < 0 ? 0 : ms > UINT32_MAX ? UINT32_MAX : (uint32_t)ms;
}

static void
log_failed(const struct session *s, const struct tx_finding *why)
{
	struct log *log = s->d->log;

	if (!log_begin(log, LOG_HOP_FAILED, NULL))
		return;
	log_text(log, "host", span_str(s->host));
	session_log_at(s);
	log_str(log, "stage", tx_stage_name(why->stage));
	if (why->code != 0)
		log_u64(log, "code", why->code);
	log_text(log, "reason", why->text);
	log_end(log);
}

/* Keeps the words for the verdict, should this have been the last host.  WHY
 * may borrow from what is kept already.  A host that doesn't want us is no
 * reason to return mail: never more than deferred. */
void
session_dial_note(struct session *s, const struct tx_finding *why)
{
	char address[ENDPOINT_TEXT_SIZE], text[sizeof(s->trouble_text)];
	struct msg_attempt a = {
		.host = span_str(s->host),
		.address = session_address(s, address),
		.tls = span_str(s->tls_text),
		.stage = (uint8_t)verdict_stage(why->stage),
		.code = why->code,
		.text = span_sub(session_tls_reason(s, why, text,
		    sizeof(text)), 0, sizeof(s->trouble_text)),
		.begun_at = s->begun_at,
		.duration_ms = duration_ms(s),
	};

	session_report_failed(s, why);
	if (a.text.n > 0)
		memmove(s->trouble_text, a.text.p, a.text.n);
	s->trouble = *why;
	s->trouble.outcome = TX_DEFERRED;
	s->trouble.text = span_of(s->trouble_text, a.text.n);
	a.text = s->trouble.text;
	msg_put_attempt(&s->failed, &a);
	s->n_failed++;
	if (why->stage == TX_STAGE_TLS)
		s->n_unfit++;
	log_failed(s, &s->trouble);
}

void
session_dial_refused(struct session *s, const char *text)
{
	struct tx_finding why = {
		.outcome = TX_DEFERRED, .stage = TX_STAGE_CONNECT,
		.status = STATUS(4, 4, 1), .text = span_str(text),
	};

	session_dial_note(s, &why);
}

void
session_dial_stop(struct session *s)
{
	dial_cancel(&s->tries[0].dial);
	dial_cancel(&s->tries[1].dial);
	timer_stop(&s->timer);
}

static bool
is_dialing(const struct session *s)
{
	return s->tries[0].dial != NULL || s->tries[1].dial != NULL ||
	    list_is_linked(&s->asking);		/* the parent, for a socket */
}

/* What is told from now on is told of this one. */
static void
turn_to(struct session *s, const struct try *try)
{
	s->at = try->at;
	s->begun_at = try->begun_at;
	s->begun_at_ms = try->begun_at_ms;
}

static void
on_dialed(struct session *s, unsigned i, int fd, int error)
{
	struct try *try = &s->tries[i], *other = &s->tries[1 - i];

	try->dial = NULL;
	turn_to(s, try);
	if (fd >= 0) {
		session_dial_stop(s);
		session_connected(s, fd);
		return;
	}
	session_dial_refused(s, strerror(error));
	if (other->dial != NULL)
		turn_to(s, other);
	else
		session_dial_next(s);
}

static void
on_first(void *ctx, int fd, int error)
{
	on_dialed(ctx, 0, fd, error);
}

static void
on_beside(void *ctx, int fd, int error)
{
	on_dialed(ctx, 1, fd, error);
}

static void
begin_try(struct session *s)
{
	s->begun_at = (uint64_t)loop_wall_ms(s->d->loop);
	s->begun_at_ms = loop_now_ms(s->d->loop);
	s->tls_text[0] = '\0';
}

/* To s->at. */
static bool
dial_try(struct session *s, unsigned i)
{
	struct try *try = &s->tries[i];
	const struct ipaddr *source;

	begin_try(s);
	*try = (struct try){ .at = s->at, .begun_at = s->begun_at,
		.begun_at_ms = s->begun_at_ms };
	source = session_way_source(s);
	if (source == NULL && !s->is_unix && s->route.way->n_sources > 0) {
		session_dial_refused(s, "no address of `source` is of its "
		    "family");
		return false;
	}
	if (s->is_unix ? session_unix_dial(s) : dial_start(s->d->loop, &s->at,
	    source, s->settings->connect_ms, i == 0 ? on_first : on_beside, s,
	    &try->dial) == OK)
		return true;
	session_dial_refused(s, "no socket for a connection");
	return false;
}

static bool
dial(struct session *s)
{
	timer_start(&s->timer, HEAD_START_MS);
	return dial_try(s, 0);
}

/* Of the same host, so all that is known of that holds. */
static void
dial_beside(struct session *s)
{
	struct hop hop;

	if (s->tries[0].dial == NULL || s->tries[1].dial != NULL ||
	    s->is_plain || !hops_beside(s->hops, &hop))
		return;
	s->at = hop.at;
	(void)dial_try(s, 1);
	turn_to(s, &s->tries[0]);
}

/* A host that can't be used as it stands: no connection is made. */
static void
skip(struct session *s)
{
	const struct policy *p = &s->policy;
	struct tx_finding why = {
		.outcome = TX_DEFERRED,
		.stage = p->is_unfit ? TX_STAGE_TLS : TX_STAGE_CONNECT,
		.status = p->status, .text = span_str(p->text),
	};

	begin_try(s);
	session_report_skipped(s, why.text);
	session_dial_note(s, &why);
	hops_skip(s->hops);
}

static bool
dial_judged(struct session *s)
{
	if (session_tls_judge(s, s->dane))
		return dial(s);
	skip(s);
	return false;
}

/* The host is noted first: the note of a failure names it.  True: something is
 * to be waited for. */
static bool
dial_hop(struct session *s, const struct hop *hop)
{
	(void)span_copy(span_str(hop->host), s->host, sizeof(s->host));
	s->at = hop->at;
	s->is_tls_host = hop->is_tls;
	s->is_lmtp = hop->is_lmtp;
	s->is_literal = hop->is_literal;
	s->is_unix = hop->is_unix;
	s->user = hop->user;
	s->is_plain = false;
	s->dane = hop->dane;
	return !session_sts_find(s) || dial_judged(s);
}

void
session_dial_go(struct session *s)
{
	if (!session_sts_find(s) || dial_judged(s))
		return;
	session_dial_next(s);
}

void
session_dial_again(struct session *s)
{
	if (!dial(s))
		session_dial_next(s);
}

/* The session may be gone afterwards. */
static void
on_answer(void *ctx, uint32_t tag, uint16_t type,
    const struct msg_dns_answer *m)
{
	struct hops_record records[ASK_RECORDS_MAX];
	struct hops_answer answer;
	struct session *s = ctx;

	names_read(type, m, records, &answer);
	hops_answer(s->hops, tag, &answer);
	if (is_dialing(s)) {
		if (!timer_is_running(&s->timer))
			dial_beside(s);
	} else if (s->stream == NULL) {
		session_dial_next(s);
	}
}

/* Without memory it is answered here, so that the round goes on to its end. */
static void
put_question(struct session *s, const struct hops_question *q)
{
	static const struct hops_answer none = {
		.found = HOPS_TEMPORARY, .text = SPAN_LIT("out of memory"),
	};

	if (ask_question(s->d->ask, q->name, q->type, s->settings->dns_ms,
	    on_answer, s, q->id) != OK)
		hops_answer(s->hops, q->id, &none);
}

static void
judge_unfit(const struct session *s, struct tx_finding *why)
{
	if (s->requires_tls &&
	    way_returns(s->n_unfit, s->n_failed, &why->status))
		why->outcome = TX_FAILED;
}

/* The round is over.  What the last host said counts more than that there is
 * no other.  Notes without memory are left out as a whole: half of a list is
 * none. */
static void
give_up(struct session *s)
{
	struct msg_list failed = { s->n_failed, buf_span(&s->failed) };
	struct hops_verdict verdict;
	struct tx_finding why;

	if (s->n_failed > 0) {
		why = s->trouble;
		judge_unfit(s, &why);
	} else {
		hops_verdict(s->hops, &verdict);
		why = (struct tx_finding){
			.outcome = verdict.is_permanent ? TX_FAILED :
			    TX_DEFERRED,
			.stage = TX_STAGE_CONNECT,
			.status = verdict.status,
			.text = span_str(verdict.text),
		};
	}
	if (buf_failed(&s->failed))
		failed = (struct msg_list){ 0 };
	pool_note_group(s);
	pool_dial_failed(s->d->pool, s, &why, failed);
	session_end(s);
}

/* No host is to blame, and no attempt to be told of. */
void
session_dial_refuse(struct session *s, const char *text)
{
	const struct tx_finding why = {
		.outcome = TX_DEFERRED, .stage = TX_STAGE_CONNECT,
		.status = STATUS(4, 3, 0), .text = span_str(text),
	};

	pool_dial_failed(s->d->pool, s, &why, (struct msg_list){ 0 });
	session_end(s);
}

/* Without a host it is the name service that does not answer: no attempt. */
void
session_dial_abandon(struct session *s)
{
	static const struct tx_finding why = {
		.outcome = TX_DEFERRED, .stage = TX_STAGE_CONNECT,
		.status = { 4, 4, 1 },
		.text = SPAN_LIT("no answer in time, and others need the "
		    "connection"),
	};

	if (s->host[0] != '\0') {
		session_dial_note(s, &why);
		give_up(s);
		return;
	}
	pool_dial_failed(s->d->pool, s, &why, (struct msg_list){ 0 });
	session_end(s);
}

void
session_dial_hurry(struct session *s)
{
	if (is_dialing(s))
		dial_beside(s);
	else if (hops_hurry(s->hops))
		session_dial_next(s);
	else
		timer_start(&s->timer, HEAD_START_MS);
}

/* Goes on until there is something to wait for.  Nobody calls it while a
 * connection is made or a dialogue runs. */
void
session_dial_next(struct session *s)
{
	struct hops_question question;
	struct hop hop;

	for (;;) {
		switch (hops_next(s->hops, &question, &hop)) {
		case HOPS_ASK:
			put_question(s, &question);
			break;
		case HOPS_AWAIT:
			timer_start(&s->timer, HEAD_START_MS);
			return;
		case HOPS_TRY:
			if (dial_hop(s, &hop))
				return;
			break;
		case HOPS_OVER:
			give_up(s);
			return;
		}
	}
}
