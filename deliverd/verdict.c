/*
 * Verdicts are written when they are told, each time anew, from the job:
 * between two tries only the job is kept, no message.  Neighbours with one
 * result share it, so that a thousand recipients of one reply cost one result,
 * not a thousand times its words.
 */
#include "deliverd/verdict.h"

#include <stdlib.h>

#include "common/base/check.h"
#include "common/ipc/channel.h"

/* JOB_RCPTS_MAX results with TX_TEXT_MAX octets each, and to spare. */
#define RESULTS_BYTES	((size_t)4 * 1024 * 1024)

struct verdict {
	struct buf results;
	uint32_t n_results;
};

enum err
verdict_new(struct verdict **out)
{
	struct verdict *v = calloc(1, sizeof(*v));

	if (v == NULL)
		return ERR_NOMEM;
	buf_init(&v->results, RESULTS_BYTES);
	*out = v;
	return OK;
}

void
verdict_free(struct verdict **v)
{
	if (*v == NULL)
		return;
	buf_clear(&(*v)->results);
	free(*v);
	*v = NULL;
}

enum outcome
verdict_outcome(enum tx_outcome o)
{
	static const enum outcome words[TX_OUTCOME_COUNT] = {
		[TX_OPEN] = OUTCOME_UNTRIED,
		[TX_DELIVERED] = OUTCOME_DELIVERED,
		[TX_DEFERRED] = OUTCOME_DEFERRED,
		[TX_FAILED] = OUTCOME_FAILED,
		[TX_IN_DOUBT] = OUTCOME_IN_DOUBT,
	};

	MUST(o < TX_OUTCOME_COUNT);
	return words[o];
}

enum attempt_stage
verdict_stage(enum tx_stage s)
{
	static const enum attempt_stage words[TX_STAGE_COUNT] = {
		[TX_STAGE_CONNECT] = STAGE_CONNECT,
		[TX_STAGE_GREETING] = STAGE_GREETING,
		[TX_STAGE_HELLO] = STAGE_HELLO,
		[TX_STAGE_TLS] = STAGE_TLS,
		[TX_STAGE_AUTH] = STAGE_AUTH,
		[TX_STAGE_MAIL] = STAGE_MAIL,
		[TX_STAGE_RCPT] = STAGE_RCPT,
		[TX_STAGE_DATA] = STAGE_DATA,
		[TX_STAGE_CONTENT] = STAGE_CONTENT,
		[TX_STAGE_FINAL] = STAGE_FINAL,
	};

	MUST(s < TX_STAGE_COUNT);
	return words[s];
}

/* A class of status for each outcome: what the reply said, as far as it
 * agrees (RFC 3464 2.3.4: the action and the status must). */
static struct status
status_for(const struct tx_rcpt *r)
{
	static const uint8_t classes[TX_OUTCOME_COUNT] = {
		[TX_DELIVERED] = 2, [TX_DEFERRED] = 4, [TX_FAILED] = 5,
		[TX_IN_DOUBT] = 4,
	};
	struct status s = r->status;

	if (r->outcome == TX_OPEN)
		return STATUS(4, 0, 0);
	if (s.class == 0)
		s = STATUS(0, 0, 0);
	s.class = classes[r->outcome];
	return s;
}

/* What came from one reply of one host; then one result stands for both. */
static bool
is_same(const struct job *j, uint32_t a, uint32_t b)
{
	const struct tx_rcpt *x = &j->mail.rcpts[a];
	const struct tx_rcpt *y = &j->mail.rcpts[b];

	return x->outcome == y->outcome && x->code == y->code &&
	    x->status.class == y->status.class &&
	    x->status.subject == y->status.subject &&
	    x->status.detail == y->status.detail &&
	    x->text_at == y->text_at && x->text_n == y->text_n &&
	    x->has_dsn == y->has_dsn && x->is_by_lost == y->is_by_lost &&
	    j->attempt_of[a] == j->attempt_of[b];
}

static void
put_result(struct verdict *v, const struct job *j, uint32_t first,
    uint32_t last)
{
	const struct tx_rcpt *r = &j->mail.rcpts[first];
	struct msg_result result = { .first = first, .last = last };
	char status[STATUS_SIZE];

	result.outcome = (uint8_t)verdict_outcome(r->outcome);
	result.code = r->code;
	result.has_dsn = r->is_by_lost ? 2 : r->has_dsn;
	result.status = span_of(status,
	    status_format(status_for(r), status));
	result.text = tx_mail_text(&j->mail, r);
	result.attempt = j->attempt_of[first];
	msg_put_result(&v->results, &result);
	v->n_results++;
}

/* Ranges of neighbours: FIRST is where the present one began. */
static void
put_results(struct verdict *v, const struct job *j)
{
	uint32_t first = 0;

	for (uint32_t i = 1; i <= j->mail.rcpt_count; i++) {
		if (i < j->mail.rcpt_count && is_same(j, first, i))
			continue;
		put_result(v, j, first, i - 1);
		first = i;
	}
}

static void
begin(struct verdict *v, struct msg *m)
{
	buf_reset(&v->results);
	v->n_results = 0;
	*m = (struct msg){ .type = MSG_verdict };
}

/* A verdict that can't be sent for lack of memory is told again by jobs, since
 * it isn't confirmed; nothing is lost. */
static void
finish(struct verdict *v, struct channel *c, struct msg *m)
{
	m->verdict.results = (struct msg_list){ v->n_results,
	    buf_span(&v->results) };
	if (c != NULL && !buf_failed(&v->results))
		(void)channel_send(c, m);
}

void
verdict_send(struct verdict *v, struct channel *c, const struct job *j,
    struct span group)
{
	struct msg m;

	if (c == NULL)
		return;
	begin(v, &m);
	put_results(v, j);
	m.verdict.lease = j->lease;
	m.verdict.id = j->id;
	m.verdict.unit = j->unit;
	m.verdict.scope = j->scope;
	m.verdict.group = group;
	m.verdict.attempts = (struct msg_list){ j->n_attempts,
	    buf_span(&j->attempts) };
	finish(v, c, &m);
}

/* Untried costs the message nothing.  A lease that makes no sense would be
 * given to us again at once, for ever: it is deferred, and so waits. */
void
verdict_give_back(struct verdict *v, struct channel *c,
    const struct msg_lease *lease, uint32_t n, bool is_broken)
{
	struct msg_result result = { .last = n - 1 };
	struct msg m;

	begin(v, &m);
	result.outcome = is_broken ? OUTCOME_DEFERRED : OUTCOME_UNTRIED;
	result.status = SPAN_LIT("4.3.0");
	result.text = is_broken ?
	    SPAN_LIT("the lease made no sense to deliverd") :
	    SPAN_LIT("not now");
	result.attempt = JOB_NO_ATTEMPT;
	msg_put_result(&v->results, &result);
	v->n_results = 1;
	m.verdict.lease = lease->lease;
	m.verdict.id = lease->id;
	m.verdict.unit = lease->unit;
	finish(v, c, &m);
}
