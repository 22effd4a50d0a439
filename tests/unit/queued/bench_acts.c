/*
 * What scripted peers say to queued.
 */
#include "bench.h"

#include "bench_world.h"
#include "common/base/check.h"
#include "common/os/clock.h"

#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* ---- smtpd ---- */

void
bench_envelope(const char *sender, const char *rcpts, struct buf *out)
{
	const struct envelope head = { .sender = span_str(sender) };
	const char *end;

	envelope_put_head(&head, out);
	for (; *rcpts != '\0'; rcpts = *end == ' ' ? end + 1 : end) {
		struct envelope_rcpt r = { .notify = 0 };

		end = strchr(rcpts, ' ');
		if (end == NULL)
			end = rcpts + strlen(rcpts);
		r.address = span_of((const uint8_t *)rcpts,
		    (size_t)(end - rcpts));
		envelope_put_rcpt(&r, out);
	}
}

uint64_t
bench_submit_envelope(struct bench_peer *p, struct span envelope,
    struct span body, uint64_t body_bytes)
{
	struct msg m = { .type = MSG_submit };

	m.submit.token = p->b->next_token++;
	m.submit.envelope = envelope;
	m.submit.trace_head = SPAN_LIT("Received: from a by self with SMTP id ");
	m.submit.trace_tail = SPAN_LIT("; now\r\n");
	m.submit.body = body;
	m.submit.body_bytes = body_bytes;
	MUST(channel_send(p->theirs, &m) == OK);
	return m.submit.token;
}

uint64_t
bench_submit(struct bench *b, const char *sender, const char *rcpts,
    const char *body)
{
	struct buf envelope;
	uint64_t token;

	buf_init(&envelope, 1 << 22);
	bench_envelope(sender, rcpts, &envelope);
	token = bench_submit_envelope(&b->smtpds[0], buf_span(&envelope),
	    span_str(body), strlen(body));
	buf_clear(&envelope);
	return token;
}

const struct bench_answer *
bench_answer(const struct bench *b, uint64_t token)
{
	for (unsigned i = b->n_answers; i > 0; i--)
		if (b->answers[i - 1].token == token)
			return &b->answers[i - 1];
	return NULL;
}

uint64_t
bench_mail(struct bench *bp, const char *sender, const char *rcpts)
{
	uint64_t token = bench_submit(bp, sender, rcpts,
	    "Subject: x\r\n\r\nbody\r\n");
	int64_t end = bench_real_ms() + BENCH_PATIENCE_MS;

	while (bench_answer(bp, token) == NULL && bench_real_ms() < end)
		bench_turn(bp, 1);
	cr_assert_not_null(bench_answer(bp, token), "no answer");
	cr_assert_eq(bench_answer(bp, token)->result, SUBMIT_ACCEPTED);
	return bench_answer(bp, token)->id;
}

/* ---- deliverd ---- */

struct bench_lease *
bench_lease(struct bench *b, unsigned i)
{
	cr_assert_lt(i, b->n_leases);
	return &b->leases[i];
}

struct bench_lease *
bench_untold(struct bench *b)
{
	for (unsigned i = 0; i < b->n_leases; i++)
		if (!b->leases[i].is_told)
			return &b->leases[i];
	return NULL;
}

static void
send_verdict(struct bench *b, const struct bench_lease *l)
{
	struct bench_peer *p = &b->deliverds[l->peer];
	const struct msg_attempt attempt = {
		.host = SPAN_LIT("mx.example"),
		.address = SPAN_LIT("192.0.2.1:25"),
		.stage = STAGE_FINAL, .code = l->attempt_code,
		.begun_at = (uint64_t)clock_wall_ms(),
	};
	struct msg m = { .type = MSG_verdict };
	struct buf attempts;

	buf_init(&attempts, 1 << 16);
	msg_put_attempt(&attempts, &attempt);
	m.verdict.lease = l->m.lease;
	m.verdict.id = l->m.id;
	m.verdict.unit = l->m.unit;
	m.verdict.scope = l->scope;
	m.verdict.attempts.n = 1;
	m.verdict.attempts.bytes = buf_span(&attempts);
	m.verdict.results.n = l->n_results;
	m.verdict.results.bytes = buf_span(&l->results);
	if (p->theirs != NULL)
		MUST(channel_send(p->theirs, &m) == OK);
	buf_clear(&attempts);
}

void
bench_tell_again(struct bench *b)
{
	for (unsigned i = 0; i < b->n_leases; i++) {
		if (b->leases[i].is_told && !b->leases[i].is_confirmed)
			send_verdict(b, &b->leases[i]);
	}
}

void
bench_tell_rows(struct bench *b, struct bench_lease *l,
    enum verdict_scope scope, const struct msg_result *rows, uint32_t n)
{
	buf_clear(&l->results);
	buf_init(&l->results, 1 << 22);
	for (uint32_t i = 0; i < n; i++)
		msg_put_result(&l->results, &rows[i]);
	l->n_results = n;
	l->scope = (uint8_t)scope;
	l->is_told = true;
	send_verdict(b, l);
}

void
bench_tell(struct bench *b, struct bench_lease *l, enum outcome outcome,
    enum verdict_scope scope, const char *text)
{
	struct msg_result row = { .first = 0, .last = l->rcpts - 1 };

	row.outcome = (uint8_t)outcome;
	row.code = outcome == OUTCOME_DELIVERED ? 250 :
	    outcome == OUTCOME_FAILED ? 550 : 450;
	row.status = outcome == OUTCOME_DELIVERED ? SPAN_LIT("2.0.0") :
	    outcome == OUTCOME_FAILED ? SPAN_LIT("5.1.1") : SPAN_LIT("4.2.1");
	row.text = span_str(text);
	bench_tell_rows(b, l, scope, &row, 1);
}

void
bench_next(struct bench *bp, enum outcome outcome, enum verdict_scope scope,
    const char *text)
{
	int64_t end = bench_real_ms() + BENCH_PATIENCE_MS;

	while (bench_untold(bp) == NULL && bench_real_ms() < end)
		bench_turn(bp, 1);
	cr_assert_not_null(bench_untold(bp), "nothing is leased");
	bench_tell(bp, bench_untold(bp), outcome, scope, text);
}

void
bench_tell_held(struct bench_peer *p, const struct bench_lease *l)
{
	struct msg m = { .type = MSG_held };

	m.held.lease = l->m.lease;
	m.held.id = l->m.id;
	m.held.unit = l->m.unit;
	m.held.rows = buf_span(&l->rows);
	MUST(channel_send(p->theirs, &m) == OK);
}

void
bench_return(struct bench_peer *p)
{
	struct bench *b = p->b;
	struct bench_lease *l;

	for (unsigned i = 0; i < b->n_leases; i++) {
		l = &b->leases[i];
		if (l->peer == p->index && !l->is_confirmed)
			bench_tell_held(p, l);
	}
	for (unsigned i = 0; i < b->n_leases; i++) {
		l = &b->leases[i];
		if (l->peer == p->index && !l->is_confirmed && l->is_told)
			send_verdict(b, l);
	}
	bench_present(p);
}

/* ---- mtactl ---- */

static void
client_msg(void *ctx, struct channel *ch, const struct msg *m, int fd)
{
	struct bench_client *c = ctx;
	struct msg_list list;
	struct msg_ctl_recipient r;

	(void)ch;
	(void)fd;
	if (m->type == MSG_ctl_row) {
		c->rows++;
		c->row = m->ctl_row;
		list = m->ctl_row.recipients;
		if (msg_next_ctl_recipient(&list, &r))
			(void)snprintf(c->why, sizeof(c->why), "%.*s",
			    (int)r.text.n, (const char *)r.text.p);
	} else if (m->type == MSG_ctl_end && m->ctl_end.result == CTL_BUSY) {
		c->busy++;
	} else if (m->type == MSG_ctl_end) {
		c->ends++;
		c->result = m->ctl_end.result;
		c->count = m->ctl_end.count;
		(void)snprintf(c->text, sizeof(c->text), "%.*s",
		    (int)m->ctl_end.text.n,
		    (const char *)m->ctl_end.text.p);
	} else if (m->type == MSG_ctl_head) {
		c->heads++;
	} else if (m->type == MSG_ctl_figures) {
		c->figures++;
	} else if (m->type == MSG_ctl_forecast_all) {
		c->forecast = m->ctl_forecast_all;
	} else if (m->type == MSG_ctl_forecast_dest) {
		c->forecast_rows++;
	}
}

static void
client_close(void *ctx, struct channel *ch, enum channel_end end,
    const char *why)
{
	struct bench_client *c = ctx;

	(void)ch;
	(void)end;
	(void)why;
	c->is_cut = true;
	channel_close(&c->c);
}

struct bench_client *
bench_client(struct bench *b)
{
	static const struct channel_ops ops = { client_msg, client_close };
	const struct channel_id self = { .role = ROLE_CTL };
	const struct channel_id peer = { .role = ROLE_QUEUED };
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	struct bench_client *c = b->clients;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	while (c->c != NULL)
		c++;
	MUST(c < b->clients + BENCH_CLIENTS);
	memset(c, 0, sizeof(*c));
	c->b = b;
	(void)snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", b->sock);
	MUST(connect(fd, (struct sockaddr *)&sun, sizeof(sun)) == 0);
	MUST(channel_new(b->loop, fd, &self, &peer, &ops, c, &c->c) == OK);
	bench_turn(b, 1);
	return c;
}

void
bench_send_queue(struct bench_client *c, enum ctl_verb verb,
    const char *words, bool is_dry_run)
{
	struct msg m = { .type = MSG_ctl_queue };

	m.ctl_queue.verb = (uint8_t)verb;
	m.ctl_queue.selection = span_str(words);
	m.ctl_queue.is_dry_run = is_dry_run;
	MUST(channel_send(c->c, &m) == OK);
}

uint64_t
bench_ask(struct bench *bp, enum ctl_verb verb, const char *words)
{
	struct bench_client *c = bench_client(bp);
	int64_t end = bench_real_ms() + BENCH_PATIENCE_MS;

	bench_send_queue(c, verb, words, false);
	while (c->ends == 0 && bench_real_ms() < end)
		bench_turn(bp, 1);
	cr_assert_eq(c->ends, 1, "no answer from mtactl's side");
	cr_assert_eq(c->result, CTL_DONE, "%s", c->text);
	channel_close(&c->c);
	return c->count;
}

/* ---- looking ---- */

uint64_t
bench_messages(const struct bench *b)
{
	struct store_figures f;

	store_figures(b->q->store, &f);
	return f.messages;
}

uint64_t
bench_recipients(const struct bench *b)
{
	struct store_figures f;

	store_figures(b->q->store, &f);
	return f.recipients;
}

unsigned
bench_log_count(struct bench *b, const char *words)
{
	static char text[1 << 20];
	unsigned n = 0;
	ssize_t bytes;

	(void)log_flush(b->proc->log);
	bytes = pread(b->log_fd, text, sizeof(text) - 1, 0);
	text[bytes > 0 ? bytes : 0] = '\0';
	for (const char *p = text; (p = strstr(p, words)) != NULL; p++)
		n++;
	return n;
}
