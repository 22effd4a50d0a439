/*
 * smtpd: clients send mail, small and large, to a queued that dies and comes
 * back.  Whatever fails, a client hears `250' only of what queued has, and a
 * refusal only of what it has not (I-01, I-03); who was refused for now, or
 * lost his connection, comes through when he tries again.  What queued gets is
 * what he sent, byte for byte (I-09).
 */
#include "tests/nth/nth.h"

#include "common/base/check.h"
#include "common/ipc/channel.h"
#include "smtpd/admission.h"
#include "tests/unit/smtpd/fake_queued.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MAILS = 8, TRIES = 6, TOKENS = 256, SMALL_BYTES = 3000,
	LARGE_BYTES = 400 * 1024, LINE_BYTES = 80, STREAMS = 8 };

static struct fake f;		/* its server; queued is the thread below */
static struct channel *ours;
static bool is_lost;		/* the channel to queued ended */
static char *lines;		/* mail I begins with the Ith */

static struct mail {
	unsigned tries, acked, refused, closed;
} mails[MAILS];

/* ---- queued, in a thread of its own ---- */

static pthread_t thread;
static _Atomic bool is_over;
static _Atomic int next_fd = -1;	/* the other end of a new channel */
static _Atomic unsigned stored[MAILS];
static struct channel *theirs;
static uint64_t known[TOKENS];		/* tokens of what is stored */
static unsigned known_count;

static struct stream {
	uint64_t token;			/* 0: free */
	size_t n;
	char bytes[LARGE_BYTES + 2];
} streams[STREAMS];

static size_t
bytes_of(unsigned i)
{
	return i % 3 == 2 ? LARGE_BYTES : SMALL_BYTES;
}

static const char *
body_of(unsigned i)
{
	return lines + (size_t)i * LINE_BYTES;
}

/* With the end of line that stands before the dot. */
static void
check_content(unsigned i, struct span got)
{
	size_t n = bytes_of(i);

	if (got.n != n + 2 || memcmp(got.p, body_of(i), n) != 0 ||
	    memcmp(got.p + n, "\r\n", 2) != 0)
		nth_fail("mail %u: another content, of %zu bytes", i, got.n);
}

static struct stream *
stream_of(uint64_t token)
{
	for (unsigned i = 0; i < STREAMS; i++)
		if (streams[i].token == token)
			return &streams[i];
	return NULL;
}

static void
stream_open(uint64_t token)
{
	struct stream *s = stream_of(0);

	MUST(s != NULL);
	s->token = token;
	s->n = 0;
}

static void
stream_add(uint64_t token, struct span bytes)
{
	struct stream *s = stream_of(token);

	if (s == NULL || bytes.n > sizeof(s->bytes) - s->n)
		nth_fail("%zu bytes too many of a body", bytes.n);
	memcpy(s->bytes + s->n, bytes.p, bytes.n);
	s->n += bytes.n;
}

static void
stream_end(uint64_t token)
{
	struct stream *s = stream_of(token);

	if (s != NULL)
		s->token = 0;
}

/* By what smtpd says of it. */
static struct span
content_of(const struct msg_submit *m)
{
	const struct stream *s = stream_of(m->token);

	if (!m->is_streamed)
		return m->body;
	if (s == NULL || s->n != m->body_bytes)
		nth_fail("a body of %ju bytes that did not come",
		    (uintmax_t)m->body_bytes);
	return span_of((const uint8_t *)s->bytes, s->n);
}

static void
answer(uint64_t token, uint8_t result)
{
	struct msg m = { .type = MSG_submitted };

	m.submitted.token = token;
	m.submitted.result = result;
	m.submitted.id = token;
	(void)channel_send(theirs, &m);
}

static void
take_submit(const struct msg_submit *m)
{
	struct msg credit = { .type = MSG_credit };
	struct envelope e;
	struct envelope_iter it;
	struct envelope_rcpt rcpt;
	unsigned n;
	char text[64];

	MUST(envelope_check(m->envelope, &e) == OK);
	envelope_iter_init(&e, &it);
	MUST(envelope_iter_next(&it, &rcpt));
	(void)span_copy(rcpt.address, text, sizeof(text));
	MUST(sscanf(text, "r%u@", &n) == 1 && n < MAILS);
	check_content(n, content_of(m));
	stream_end(m->token);
	atomic_fetch_add(&stored[n], 1);
	MUST(known_count < TOKENS);
	known[known_count++] = m->token;
	answer(m->token, SUBMIT_ACCEPTED);
	credit.credit.bytes = (uint32_t)(m->envelope.n + m->body.n);
	(void)channel_send(theirs, &credit);
}

static void
give_body_credit(uint64_t token, uint32_t bytes)
{
	struct msg m = { .type = MSG_body_credit };

	m.body_credit.token = token;
	m.body_credit.bytes = bytes;
	(void)channel_send(theirs, &m);
}

static void
their_msg(void *ctx, struct channel *c, const struct msg *m, int fd)
{
	bool is_known = false;

	(void)ctx;
	(void)c;
	(void)fd;
	if (m->type == MSG_submit) {
		take_submit(&m->submit);
	} else if (m->type == MSG_body_open) {
		stream_open(m->body_open.token);
		give_body_credit(m->body_open.token, 256 * 1024);
	} else if (m->type == MSG_body_data) {
		stream_add(m->body_data.token, m->body_data.bytes);
		give_body_credit(m->body_data.token,
		    (uint32_t)m->body_data.bytes.n);
	} else if (m->type == MSG_body_drop) {
		stream_end(m->body_drop.token);
	}
	if (m->type != MSG_token_ask)
		return;
	for (unsigned i = 0; i < known_count; i++)
		is_known |= known[i] == m->token_ask.token;
	answer(m->token_ask.token, is_known ? SUBMIT_ACCEPTED :
	    SUBMIT_UNKNOWN);
}

static void
their_close(void *ctx, struct channel *c, enum channel_end end,
    const char *why)
{
	(void)ctx;
	(void)c;
	(void)end;
	(void)why;
	channel_close(&theirs);
}

static const struct channel_id smtpd_id = { ROLE_SMTPD, 0, 1 };
static const struct channel_id queued_id = { ROLE_QUEUED, 0, 1 };

static void *
run_queued(void *arg)
{
	static const struct channel_ops ops = { their_msg, their_close };
	struct msg credit = { .type = MSG_credit, .credit = { 1 << 20 } };
	struct loop *l;
	int fd;

	(void)arg;
	nth_stay_out();
	MUST(loop_new(&l) == OK);
	while (!atomic_load(&is_over)) {
		fd = atomic_exchange(&next_fd, -1);
		if (fd >= 0) {
			channel_close(&theirs);
			for (unsigned i = 0; i < STREAMS; i++)
				streams[i].token = 0;
			MUST(channel_new(l, fd, &queued_id, &smtpd_id, &ops,
			    NULL, &theirs) == OK);
			(void)channel_send(theirs, &credit);
		}
		loop_turn(l, 2);
	}
	channel_close(&theirs);
	loop_free(&l);
	return NULL;
}

/* ---- smtpd's end ---- */

static void
our_msg(void *ctx, struct channel *c, const struct msg *m, int fd)
{
	(void)ctx;
	(void)c;
	(void)fd;
	spool_client_msg(&f.server.spool, m);
}

static void
our_close(void *ctx, struct channel *c, enum channel_end end,
    const char *why)
{
	(void)ctx;
	(void)c;
	(void)end;
	(void)why;
	is_lost = true;
}

static void
disconnect(void)
{
	if (ours == NULL)
		return;
	spool_client_detach(&f.server.spool);
	channel_close(&ours);
}

/* As the parent does until it succeeds. */
static void
connect_again(void)
{
	static const struct channel_ops ops = { our_msg, our_close };
	int fds[2];

	disconnect();
	is_lost = false;
	MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
	while (channel_new(f.server.loop, fds[0], &smtpd_id, &queued_id, &ops,
	    NULL, &ours) != OK)
		nth_note("no-channel");
	while (atomic_load(&next_fd) != -1)
		(void)sched_yield();
	atomic_store(&next_fd, fds[1]);
	spool_client_attach(&f.server.spool, ours);
}

static void
turn(void)
{
	loop_turn(f.server.loop, 1);
	if (is_lost) {
		nth_note("channel-lost");
		connect_again();
	}
}

/* ---- a client ---- */

/* Its end of a connection; -1: it was not taken. */
static int
client_new(void)
{
	static const struct session_door door = { .rx = { 0 } };
	struct endpoint e = { .port = 1 };
	int fds[2];

	MUST(ipaddr_parse(SPAN_LIT("127.0.0.1"), &e.addr) == OK);
	MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == 0);
	if (admission_enter(f.server.clients, f.server.conf, &e.addr, true) !=
	    ADMISSION_GRANTED)
		nth_fail("a place is lost");
	if (session_new(&f.server, fds[0], &e, &door, RX_GREET_WELCOME,
	    true) == OK)
		return fds[1];
	admission_leave(f.server.clients, &e.addr);
	(void)close(fds[0]);
	(void)close(fds[1]);
	return -1;
}

static int64_t
now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Sends all, as fast as it is taken; false: the connection is gone. */
static bool
say(int fd, const char *p, size_t n)
{
	int64_t end = now_ms() + 8000;

	while (n > 0 && now_ms() < end) {
		ssize_t done = send(fd, p, n, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (done < 0 && errno != EAGAIN)
			return false;
		p += done > 0 ? done : 0;
		n -= done > 0 ? (size_t)done : 0;
		turn();
	}
	if (n > 0)
		nth_fail("smtpd reads no more");
	return true;
}

/* The code of the next reply; 0: the connection is gone. */
static int
hear(int fd)
{
	int64_t end = now_ms() + 8000;
	char line[1024];
	size_t n = 0;

	while (now_ms() < end) {
		ssize_t got = recv(fd, line + n, 1, MSG_DONTWAIT);

		if (got == 0 || (got < 0 && errno != EAGAIN))
			return 0;
		if (got < 0)
			turn();
		else if (line[n] != '\n' && n < sizeof(line) - 2)
			n++;
		else if (n > 4 && line[3] == '-')
			n = 0;
		else
			return atoi(line);
	}
	nth_fail("a client gets no reply");
}

/* The code that decided; 0: no connection any more, perhaps too late. */
static int
transaction(int fd, unsigned i, bool *is_dotted)
{
	char text[128];
	int code = hear(fd);

	if (code != 220 || !say(fd, "EHLO c.example\r\n", 16) ||
	    (code = hear(fd)) != 250)
		return code;
	(void)snprintf(text, sizeof(text), "MAIL FROM:<a@b.example>\r\n"
	    "RCPT TO:<r%u@d.example>\r\nDATA\r\n", i);
	if (!say(fd, text, strlen(text)))
		return 0;
	for (int want = 0; want < 3; want++) {
		code = hear(fd);
		if (code != (want < 2 ? 250 : 354))
			return code;
	}
	*is_dotted = true;
	if (!say(fd, body_of(i), bytes_of(i)) || !say(fd, "\r\n.\r\n", 5))
		return 0;
	return hear(fd);
}

static void
send_mail(unsigned i)
{
	bool is_dotted;
	int code = 0, fd;

	while (mails[i].acked == 0) {
		if (mails[i].tries++ >= TRIES)
			nth_fail("mail %u is refused for ever: %d", i, code);
		is_dotted = false;
		if ((fd = client_new()) < 0) {
			nth_note("no-session");
			continue;
		}
		code = transaction(fd, i, &is_dotted);
		mails[i].acked += code == 250 && is_dotted;
		mails[i].closed += code == 0 && is_dotted;
		if (code >= 500)
			nth_fail("mail %u is refused for good: %d", i, code);
		if (code != 250)
			nth_note(code == 0 ? "closed" : "refused");
		(void)close(fd);
		for (int n = 0; n < 5; n++)
			turn();
	}
}

static void
check(unsigned i)
{
	unsigned n = atomic_load(&stored[i]);

	if (n < mails[i].acked)
		nth_fail("mail %u is lost", i);
	if (n > mails[i].acked + mails[i].closed)
		nth_fail("mail %u: %u times stored, %u acknowledged, "
		    "%u unknown", i, n, mails[i].acked, mails[i].closed);
}

/* No two begin alike, none with a dot. */
static void
make_lines(void)
{
	size_t n = LARGE_BYTES + (size_t)MAILS * LINE_BYTES;

	lines = malloc(n);
	MUST(lines != NULL);
	for (size_t i = 0; i < n; i++)
		lines[i] = (char)('a' + (i * 7 + i / LINE_BYTES * 11) % 26);
	for (size_t i = LINE_BYTES - 2; i < n; i += LINE_BYTES)
		memcpy(lines + i, "\r\n", 2);
}

void
nth_scenario(void)
{
	nth_pause();
	make_lines();
	fake_init(&f);
	MUST(pthread_create(&thread, NULL, run_queued, NULL) == 0);
	connect_again();
	nth_resume();
	for (unsigned i = 0; i < MAILS; i++) {
		/* between two messages queued dies and comes back */
		if (i == MAILS / 2)
			connect_again();
		send_mail(i);
	}
	nth_pause();
	for (unsigned i = 0; i < MAILS; i++)
		check(i);
	disconnect();
	fake_turns(&f);
	fake_clear(&f);
	atomic_store(&is_over, true);
	MUST(pthread_join(thread, NULL) == 0);
	free(lines);
	nth_resume();
}
