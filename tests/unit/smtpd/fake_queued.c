#include "tests/unit/smtpd/fake_queued.h"

#include "common/base/check.h"
#include "common/conf/conf_match.h"
#include "smtpd/admission.h"
#include "smtpd/quotas.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- smtpd's end of the channel: as server.c does ---- */

static void
on_msg(void *ctx, struct channel *c, const struct msg *m, int fd)
{
	struct fake *f = ctx;

	(void)c;
	MUST(fd < 0);
	spool_client_msg(&f->server.spool, m);
}

static void
on_close(void *ctx, struct channel *c, enum channel_end end, const char *why)
{
	(void)ctx;
	(void)c;
	(void)end;
	(void)why;
}

static const struct channel_ops our_ops = { on_msg, on_close };

/* ---- queued's end ---- */

static void
send_msg(struct fake *f, const struct msg *m)
{
	MUST(channel_send(f->theirs, m) == OK);
}

void
fake_credit(struct fake *f, uint32_t bytes)
{
	struct msg m = { .type = MSG_credit };

	m.credit.bytes = bytes;
	send_msg(f, &m);
}

void
fake_body_credit(struct fake *f, uint64_t token, uint32_t bytes)
{
	struct msg m = { .type = MSG_body_credit };

	m.body_credit.token = token;
	m.body_credit.bytes = bytes;
	send_msg(f, &m);
}

void
fake_body_failed(struct fake *f, uint64_t token, uint8_t why)
{
	struct msg m = { .type = MSG_body_failed };

	m.body_failed.token = token;
	m.body_failed.why = why;
	send_msg(f, &m);
}

void
fake_answer(struct fake *f, uint64_t token, uint8_t result)
{
	struct msg m = { .type = MSG_submitted };

	m.submitted.token = token;
	m.submitted.result = result;
	m.submitted.id = 1;
	send_msg(f, &m);
}

static void
take_submit(struct fake *f, const struct msg_submit *m)
{
	struct fake_submit *s = &f->submits[f->submit_count];
	struct envelope e;

	MUST(f->submit_count < FAKE_SUBMITS_MAX);
	MUST(envelope_check(m->envelope, &e) == OK);
	f->submit_count++;
	s->token = m->token;
	s->body_bytes = m->body_bytes;
	s->inline_bytes = m->body.n;
	s->flags = m->flags;
	s->is_streamed = m->is_streamed != 0;
	s->rcpts = e.rcpt_count;
	buf_reset(&f->body);
	buf_add_span(&f->body, m->body);
	buf_reset(&f->trace);
	buf_add_span(&f->trace, m->trace_head);
	buf_add_str(&f->trace, "ID");
	buf_add_span(&f->trace, m->trace_tail);
	if (f->is_holding)
		return;
	fake_answer(f, m->token, f->result);
	fake_credit(f, (uint32_t)(m->envelope.n + m->body.n));
}

static void
queued_on_msg(void *ctx, struct channel *c, const struct msg *m, int fd)
{
	struct fake *f = ctx;

	(void)c;
	MUST(fd < 0);
	switch (m->type) {
	case MSG_submit:
		take_submit(f, &m->submit);
		break;
	case MSG_body_open:
		f->opened++;
		if (f->body_credit > 0)
			fake_body_credit(f, m->body_open.token,
			    f->body_credit);
		break;
	case MSG_body_data:
		buf_add_span(&f->streamed, m->body_data.bytes);
		if (f->body_credit > 0)
			fake_body_credit(f, m->body_data.token,
			    (uint32_t)m->body_data.bytes.n);
		break;
	case MSG_body_drop:
		f->dropped++;
		break;
	case MSG_token_ask:
		f->asked++;
		fake_answer(f, m->token_ask.token, f->asked_result);
		break;
	default:
		MUST(!"such a message goes to queued");
	}
}

static const struct channel_ops queued_ops = { queued_on_msg, on_close };

void
fake_live(struct fake *f, uint32_t credit)
{
	const struct channel_id smtpd = { ROLE_SMTPD, 0, 1 };
	const struct channel_id queued = { ROLE_QUEUED, 0, ++f->instance };
	int fds[2];

	MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
	MUST(channel_new(f->server.loop, fds[0], &smtpd, &queued, &our_ops,
	    f, &f->ours) == OK);
	MUST(channel_new(f->server.loop, fds[1], &queued, &smtpd, &queued_ops,
	    f, &f->theirs) == OK);
	spool_client_attach(&f->server.spool, f->ours);
	if (credit > 0)
		fake_credit(f, credit);
	fake_turns(f);
}

void
fake_die(struct fake *f)
{
	channel_close(&f->theirs);
	fake_turns(f);
	spool_client_detach(&f->server.spool);
	channel_close(&f->ours);
	fake_turns(f);
}

/* ---- the server ---- */

static void
on_attached(void *ctx)
{
	struct server *sv = ctx;
	struct list *node = list_first(&sv->sessions);

	for (; node != NULL; node = list_next(&sv->sessions, node))
		session_wake(CONTAINER_OF(node, struct session, node));
}

static const struct spool_ops spool_ops = {
	session_on_fill, session_on_result, session_on_failed,
	session_on_credit, on_attached,
};

static void
make_conf(struct server *sv)
{
	struct conf *conf;

	MUST(conf_new(&conf) == OK);
	conf->hostname = "mx.example";
	MUST(conf_match_new(conf, &sv->match) == OK);
	sv->conf = conf;
	sv->site.conf = conf;
	sv->site.match = sv->match;
	sv->site.spool = RX_SPOOL_OPEN;
	sv->site.room_bytes = UINT64_MAX;
}

static void
make_client_table(struct server *sv)
{
	const struct siphash_key key = { 1, 2 };
	struct client_table *parents;
	int fd;

	MUST(client_table_new(1, 100, &key, &parents) == OK);
	fd = dup(client_table_fd(parents));
	MUST(client_table_attach(fd, 0, 1, 100, &key, &sv->clients) == OK);
	client_table_free(&parents);
}

void
fake_init(struct fake *f)
{
	struct server *sv = &f->server;
	int null;

	*f = (struct fake){ .result = SUBMIT_ACCEPTED,
	    .asked_result = SUBMIT_UNKNOWN };
	MUST(loop_new(&sv->loop) == OK);
	null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	MUST(log_new("smtpd", null, &sv->log) == OK);
	make_client_table(sv);
	make_conf(sv);
	list_init(&sv->sessions);
	list_init(&sv->strangers);
	list_init(&sv->listeners);
	MUST(refusals_init(sv) == OK);
	MUST(quotas_new(sv, &sv->quotas) == OK);
	MUST(quotas_reload(sv->quotas, sv->conf) == OK);
	MUST(gate_open(sv) == OK);
	MUST(gate_reload(sv, sv->conf) == OK);
	bodies_init(&sv->bodies, 64U << 20);
	buf_init(&sv->envelope, 1U << 20);
	buf_init(&sv->trace_head, 4096);
	buf_init(&sv->trace_tail, 8192);
	spool_client_init(&sv->spool, &spool_ops, sv, 7);
	buf_init(&f->streamed, 64U << 20);
	buf_init(&f->body, 1U << 20);
	buf_init(&f->trace, 1U << 16);
}

void
fake_clear(struct fake *f)
{
	struct server *sv = &f->server;
	struct conf *conf = (struct conf *)(uintptr_t)sv->conf;
	struct list *node;

	while ((node = list_first(&sv->sessions)) != NULL)
		session_free(CONTAINER_OF(node, struct session, node));
	MUST(sv->bodies.used_bytes == 0);
	MUST(client_table_total(sv->clients) == 0);
	MUST(map_u64_count(&sv->spool.jobs) == 0 || f->is_holding);
	channel_close(&f->ours);
	channel_close(&f->theirs);
	spool_client_clear(&sv->spool);
	bodies_clear(&sv->bodies);
	buf_clear(&sv->envelope);
	buf_clear(&sv->trace_head);
	buf_clear(&sv->trace_tail);
	buf_clear(&f->streamed);
	buf_clear(&f->body);
	buf_clear(&f->trace);
	MUST(sv->arrival_count == 0);
	gate_close(sv);
	quotas_free(&sv->quotas);
	refusals_clear(sv);
	conf_match_free(&sv->match);
	conf_free(&conf);
	client_table_free(&sv->clients);
	log_free(&sv->log);
	loop_free(&sv->loop);
}

void
fake_turns(struct fake *f)
{
	for (int i = 0; i < 20; i++)
		loop_turn(f->server.loop, 0);
}

int
fake_client(struct fake *f)
{
	struct endpoint e = { .port = 1 };
	const struct session_door door = { .rx = { 0 } };
	int fds[2];

	MUST(ipaddr_parse(SPAN_LIT("127.0.0.1"), &e.addr) == OK);
	MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == 0);
	MUST(admission_enter(f->server.clients, f->server.conf, &e.addr,
	    true) == ADMISSION_GRANTED);
	MUST(session_new(&f->server, fds[0], &e, &door, RX_GREET_WELCOME,
	    true) == OK);
	fake_turns(f);
	return fds[1];
}

void
fake_say(struct fake *f, int client, struct span bytes)
{
	int idle = 0;

	while (bytes.n > 0 && idle < 50) {
		ssize_t n = send(client, bytes.p, bytes.n,
		    MSG_NOSIGNAL | MSG_DONTWAIT);

		idle = n > 0 ? 0 : idle + 1;
		bytes = span_from(bytes, n > 0 ? (size_t)n : 0);
		loop_turn(f->server.loop, 0);
	}
	fake_turns(f);
}

const char *
fake_heard(struct fake *f, int client)
{
	static char text[65536];
	size_t n = 0;
	ssize_t got;

	fake_turns(f);
	while (n < sizeof(text) - 1 && (got = recv(client, text + n,
	    sizeof(text) - 1 - n, MSG_DONTWAIT)) > 0)
		n += (size_t)got;
	text[n] = '\0';
	return text;
}
