#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

#include "common/base/check.h"
#include "common/confload/conf_load.h"
#include "common/ipc/ask.h"
#include "common/ipc/channel.h"
#include "common/log/log.h"
#include "common/mail/envelope.h"
#include "deliverd/pool.h"
#include "deliverd/session.h"
#include "deliverd/settings.h"
#include "deliverd/sts_ask.h"

static struct bench *the_bench;

void
deliverd_check_drained(struct deliverd *d)
{
	if (d->is_draining && pool_sessions(d->pool) == 0 &&
	    jobs_count(d->jobs) == 0)
		the_bench->is_drained = true;
}

static struct conf *
load(const char *yaml)
{
	struct conf_report report;
	struct buf text;
	struct conf *conf = NULL;

	conf_report_init(&report, "test.yaml");
	if (conf_load(span_str(yaml), "/tmp", &report, &conf) != OK) {
		buf_init(&text, 1 << 20);
		conf_report_print(&report, false, &text);
		fprintf(stderr, "%.*s\n", (int)text.n, (const char *)text.p);
		abort();
	}
	conf_report_clear(&report);
	return conf;
}

void
bench_init(struct bench *b)
{
	memset(b, 0, sizeof(*b));
	the_bench = b;
	if (loop_new(&b->d.loop) != OK)
		abort();
}

void
bench_open(struct bench *b, const char *conf)
{
	struct deliverd *d = &b->d;

	b->conf = load(conf);
	b->is_confirming = true;
	b->next_lease = 1;
	b->lease_generation = 7;
	buf_init(&b->large, 1 << 26);
	rng_init(&d->dice, 1);
	if (log_new("deliverd", 2, &d->log) != OK)
		abort();
	log_set_level(d->log, LOG_LEVEL_ERROR);
	if (settings_new(b->conf, 7, 1, &d->settings) != OK ||
	    ask_new(d->loop, &d->seed, &d->ask) != OK ||
	    sts_ask_new(d->loop, &d->seed, &d->sts_ask) != OK ||
	    jobs_new(d, &d->jobs) != OK || pool_new(d, &d->pool) != OK)
		abort();
	bench_live(b);
}

void
bench_close(struct bench *b)
{
	struct deliverd *d = &b->d;

	d->is_draining = true;
	bench_die(b);
	pool_free(&d->pool);
	jobs_free(&d->jobs);
	ask_free(&d->ask);
	sts_ask_free(&d->sts_ask);
	settings_drop(&d->settings);
	settings_drop(&d->previous);
	conf_free(&b->conf);
	buf_clear(&b->large);
	log_free(&d->log);
}

/* ---- queued's end ---- */

static void
note_results(struct bench_verdict *v, struct msg_list list)
{
	struct msg_result r;

	v->n_results = 0;
	while (v->n_results < BENCH_RESULTS && msg_next_result(&list, &r)) {
		struct bench_result *to = &v->results[v->n_results++];

		to->first = r.first;
		to->last = r.last;
		to->outcome = r.outcome;
		to->code = r.code;
		to->attempt = r.attempt;
		(void)span_copy(r.status, to->status, sizeof(to->status));
		(void)span_copy(span_sub(r.text, 0, 255), to->text,
		    sizeof(to->text));
	}
}

static void
note_attempts(struct bench_verdict *v, struct msg_list list)
{
	struct msg_attempt a;
	size_t n = 0;

	v->n_attempts = 0;
	v->hosts[0] = '\0';
	while (msg_next_attempt(&list, &a)) {
		if (n < sizeof(v->hosts))
			n += (size_t)snprintf(v->hosts + n,
			    sizeof(v->hosts) - n, "%s%.*s/%u/%u",
			    v->n_attempts > 0 ? " " : "", (int)a.address.n,
			    (const char *)a.address.p, a.stage, a.code);
		v->n_attempts++;
	}
}

static void
on_verdict(struct bench *b, const struct msg_verdict *m)
{
	struct bench_verdict *v = &b->verdicts[m->lease];
	struct msg confirm = { .type = MSG_confirm };

	MUST(m->lease < BENCH_LEASES);
	b->n_told += v->count++ == 0;
	v->scope = m->scope;
	note_results(v, m->results);
	note_attempts(v, m->attempts);
	if (!b->is_confirming)
		return;
	confirm.confirm.lease = m->lease;
	(void)channel_send(b->theirs, &confirm);
}

static void
on_want(struct bench *b, const struct msg_content_want *m)
{
	struct msg answer = { .type = MSG_content };

	b->wanted++;
	if (b->want_limit != 0 && b->wanted > b->want_limit)
		return;
	answer.content.lease = m->lease;
	answer.content.offset = m->offset;
	answer.content.bytes = span_sub(buf_span(&b->large), m->offset,
	    m->bytes);
	(void)channel_send(b->theirs, &answer);
}

static void
their_msg(void *ctx, struct channel *c, const struct msg *m, int fd)
{
	struct bench *b = ctx;

	(void)c;
	(void)fd;
	if (m->type == MSG_verdict)
		on_verdict(b, &m->verdict);
	else if (m->type == MSG_content_want)
		on_want(b, &m->content_want);
	else if (m->type == MSG_held)
		b->held++;
	else if (m->type == MSG_presented) {
		b->presented++;
		b->presented_new += m->presented.is_new;
	}
}

static void
our_msg(void *ctx, struct channel *c, const struct msg *m, int fd)
{
	struct bench *b = ctx;
	struct job *j;

	(void)c;
	(void)fd;
	if (m->type == MSG_lease)
		jobs_lease(b->d.jobs, &m->lease);
	else if (m->type == MSG_confirm)
		jobs_confirm(b->d.jobs, m->confirm.lease);
	else if (m->type == MSG_content &&
	    (j = jobs_active(b->d.jobs, m->content.lease)) != NULL &&
	    j->session != NULL)
		session_content(j->session, j, &m->content);
}

static void
on_close(void *ctx, struct channel *c, enum channel_end end, const char *why)
{
	struct bench *b = ctx;

	(void)end;
	if (!b->may_end) {
		fprintf(stderr, "channel: %s\n", why);
		abort();
	}
	if (c == b->ours) {
		b->d.queued = NULL;
		channel_close(&b->ours);
	} else {
		channel_close(&b->theirs);
	}
}

void
bench_live(struct bench *b)
{
	static const struct channel_ops our_ops = { our_msg, on_close };
	static const struct channel_ops their_ops = { their_msg, on_close };
	struct channel_id deliverd = { ROLE_DELIVERD, 0, 5 };
	struct channel_id queued = { ROLE_QUEUED, 0, ++b->instance };
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0 ||
	    channel_new(b->d.loop, fds[0], &deliverd, &queued, &our_ops, b,
	    &b->ours) != OK ||
	    channel_new(b->d.loop, fds[1], &queued, &deliverd, &their_ops, b,
	    &b->theirs) != OK)
		abort();
	b->d.queued = b->ours;
	jobs_present(b->d.jobs);
	bench_turn(b, 1);
}

void
bench_die(struct bench *b)
{
	channel_close(&b->ours);
	channel_close(&b->theirs);
	b->d.queued = NULL;
}

static void
put_envelope(const char *rcpts, struct buf *out)
{
	const struct envelope head = { .sender = SPAN_LIT("s@a.example") };
	char text[4096];

	(void)snprintf(text, sizeof(text), "%s", rcpts);
	envelope_put_head(&head, out);
	for (char *w = strtok(text, " "); w != NULL; w = strtok(NULL, " ")) {
		struct envelope_rcpt r = { .address = span_str(w) };

		envelope_put_rcpt(&r, out);
	}
}

uint64_t
bench_lease(struct bench *b, const char *destination, uint32_t route,
    const char *rcpts, const char *content, uint64_t size)
{
	struct msg m = { .type = MSG_lease };
	struct buf envelope;

	buf_init(&envelope, 1 << 20);
	put_envelope(rcpts, &envelope);
	m.lease.lease = b->next_lease++;
	m.lease.id = 1000 + m.lease.lease;
	m.lease.unit = 3;
	m.lease.generation = b->lease_generation;
	m.lease.route = route;
	m.lease.destination = span_str(destination);
	m.lease.envelope = buf_span(&envelope);
	m.lease.rows = SPAN_LIT("rows");
	m.lease.size = size;
	if (content != NULL) {
		m.lease.content = span_str(content);
		m.lease.size = m.lease.content.n;
		if (content[0] == '.' || strstr(content, "\n.") != NULL)
			m.lease.flags |= CONTENT_DOTS;
	}
	MUST(channel_send(b->theirs, &m) == OK);
	buf_clear(&envelope);
	return m.lease.lease;
}

static int64_t
now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

bool
bench_wait(struct bench *b, unsigned n, int seconds)
{
	int64_t end = now_ms() + seconds * 1000;

	while (b->n_told < n && now_ms() < end)
		loop_turn(b->d.loop, 10);
	return b->n_told >= n;
}

void
bench_turn(struct bench *b, int ms)
{
	int64_t end = now_ms() + ms;

	do
		loop_turn(b->d.loop, 1);
	while (now_ms() < end);
}
