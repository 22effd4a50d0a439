/* Channels over a socket pair: frames, descriptors, violations, ends. */
#include "common/base/check.h"
#include "common/ipc/channel.h"
#include "common/ipc/channel_impl.h"
#include "common/ipc/frame.h"
#include "common/os/clock.h"
#include "common/os/fd.h"
#include "common/os/fdpass.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct end {
	struct channel *channel;
	unsigned messages;
	uint64_t sum;			/* of the tokens or sizes seen */
	uint64_t last;
	size_t largest;
	int fds[64];
	unsigned fd_count;
	unsigned closes;
	enum channel_end end;
	char why[256];
	enum msg_type last_type;
	unsigned pause_at;		/* pauses itself after so many */
	unsigned close_at;
	bool in_order;
};

static void
on_msg(void *ctx, struct channel *c, const struct msg *m, int fd)
{
	struct end *e = ctx;
	uint64_t token = m->type == MSG_token_ask ? m->token_ask.token : 0;

	e->messages++;
	e->last_type = m->type;
	if (m->type == MSG_submit) {
		token = m->submit.token;
		if (m->submit.envelope.n > e->largest)
			e->largest = m->submit.envelope.n;
	}
	if (e->messages > 1 && token != e->last + 1)
		e->in_order = false;
	e->last = token;
	e->sum += token;
	if (fd >= 0)
		e->fds[e->fd_count++] = fd;
	if (e->messages == e->pause_at)
		channel_pause(c);
	if (e->messages == e->close_at)
		channel_close(&e->channel);
}

static void
on_close(void *ctx, struct channel *c, enum channel_end end, const char *why)
{
	struct end *e = ctx;

	(void)c;
	e->closes++;
	e->end = end;
	(void)snprintf(e->why, sizeof(e->why), "%s", why);
	channel_close(&e->channel);
}

static const struct channel_ops ops = { on_msg, on_close };
static const struct channel_id smtpd = { ROLE_SMTPD, 1, 77 };
static const struct channel_id queued = { ROLE_QUEUED, 0, 88 };
static const struct channel_id parent = { ROLE_PARENT, 0, 0 };

struct pair {
	struct loop *loop;
	struct end a;			/* smtpd */
	struct end b;			/* queued */
};

static void
open_pair(struct pair *p)
{
	int ends[2];

	*p = (struct pair){ .a.in_order = true, .b.in_order = true };
	cr_assert_eq(fd_pair(ends), OK);
	cr_assert_eq(loop_new(&p->loop), OK);
	cr_assert_eq(channel_new(p->loop, ends[0], &smtpd, &queued, &ops,
	    &p->a, &p->a.channel), OK);
	cr_assert_eq(channel_new(p->loop, ends[1], &queued, &smtpd, &ops,
	    &p->b, &p->b.channel), OK);
}

static void
close_pair(struct pair *p)
{
	channel_close(&p->a.channel);
	channel_close(&p->b.channel);
	for (unsigned i = 0; i < p->b.fd_count; i++)
		close(p->b.fds[i]);
	loop_free(&p->loop);
}

static void
turns(struct loop *l, int n)
{
	for (int i = 0; i < n; i++)
		loop_turn(l, 0);
}

static enum err
send_token(struct channel *c, uint64_t token)
{
	struct msg m = { .type = MSG_token_ask, .token_ask = { token } };

	return channel_send(c, &m);
}

Test(channel, messages_arrive_in_order)
{
	struct pair p;

	open_pair(&p);
	for (uint64_t i = 1; i <= 20000; i++)
		cr_assert_eq(send_token(p.a.channel, i), OK);
	cr_assert_gt(channel_backlog(p.a.channel), 20000 * 16);
	turns(p.loop, 200);
	cr_assert_eq(p.b.messages, 20000);
	cr_assert(p.b.in_order);
	cr_assert_eq(channel_backlog(p.a.channel), 0);
	cr_assert_eq(p.a.closes + p.b.closes, 0);
	close_pair(&p);
}

static void
send_token_late(struct channel *c, uint64_t token)
{
	struct msg m = { .type = MSG_token_ask, .token_ask = { token } };

	channel_send_late(c, &m);
}

/* In order with the others; and many of them, or one for long, by
 * themselves. */
Test(channel, what_nobody_waits_for_goes_with_the_next)
{
	int64_t begun;
	struct pair p;

	open_pair(&p);
	turns(p.loop, 5);	/* the greeting would take it along */
	begun = clock_mono_ms();
	send_token_late(p.a.channel, 1);
	turns(p.loop, 5);
	cr_assert(p.b.messages == 0 ||
	    clock_mono_ms() - begun >= CHANNEL_LATE_MS);
	cr_assert_eq(send_token(p.a.channel, 2), OK);
	turns(p.loop, 5);
	cr_assert_eq(p.b.messages, 2);
	/* by time */
	send_token_late(p.a.channel, 3);
	begun = clock_mono_ms();
	while (p.b.messages < 3 && clock_mono_ms() - begun < 5000)
		turns(p.loop, 1);
	cr_assert_eq(p.b.messages, 3);
	cr_assert_geq(clock_mono_ms() - begun, CHANNEL_LATE_MS - 1);
	/* by bytes, in the first turn */
	for (uint64_t i = 4; i <= 1000; i++)
		send_token_late(p.a.channel, i);
	turns(p.loop, 1);
	cr_assert_lt(channel_backlog(p.a.channel), 16);
	turns(p.loop, 5);
	cr_assert_eq(p.b.messages, 1000);
	cr_assert(p.b.in_order);
	cr_assert_eq(p.a.closes + p.b.closes, 0);
	close_pair(&p);
}

Test(channel, frames_longer_than_the_buffer)
{
	enum { SIZE = 1024 * 1024 };
	uint8_t *bytes = calloc(1, SIZE);
	struct msg m = { .type = MSG_submit };
	struct pair p;

	open_pair(&p);
	for (uint64_t i = 1; i <= 6; i++) {
		m.submit.token = i;
		m.submit.envelope = span_of(bytes, i % 2 == 0 ? SIZE : 10);
		cr_assert_eq(channel_send(p.a.channel, &m), OK);
	}
	turns(p.loop, 2000);
	cr_assert_eq(p.b.messages, 6);
	cr_assert(p.b.in_order);
	cr_assert_eq(p.b.largest, SIZE);
	free(bytes);
	close_pair(&p);
}

Test(channel, what_cannot_be_sent_is_refused_to_the_sender)
{
	struct msg m = { .type = MSG_submitted };
	struct pair p;
	int fd = dup(0);

	open_pair(&p);
	cr_assert_eq(channel_send(p.a.channel, &m), ERR_DENIED);
	m.type = MSG_submit;
	m.submit.trace_head = span_of("", 5000);
	cr_assert_eq(channel_send(p.a.channel, &m), ERR_RANGE);
	m.type = MSG_listener;
	cr_assert_eq(channel_send_fd(p.a.channel, &m, fd), ERR_DENIED);
	cr_assert_eq(close(fd), -1, "it was taken");
	cr_assert_eq(send_token(p.a.channel, 5), OK);
	turns(p.loop, 5);
	cr_assert_eq(p.b.messages, 1);
	cr_assert_eq(p.b.last, 5);
	close_pair(&p);
}

/* Each descriptor belongs to the frame it was sent with, whatever surrounds
 * it. */
Test(channel, descriptors_stay_with_their_frames)
{
	struct end from = { 0 }, to = { 0 };
	struct msg with = { .type = MSG_listener };
	struct msg without = { .type = MSG_listener_gone };
	struct loop *l;
	int ends[2], pipes[20][2];
	char byte;

	cr_assert_eq(fd_pair(ends), OK);
	cr_assert_eq(loop_new(&l), OK);
	cr_assert_eq(channel_new(l, ends[0], &parent, &smtpd, &ops, &from,
	    &from.channel), OK);
	cr_assert_eq(channel_new(l, ends[1], &smtpd, &parent, &ops, &to,
	    &to.channel), OK);
	for (int i = 0; i < 20; i++) {
		cr_assert_eq(pipe(pipes[i]), 0);
		byte = (char)('a' + i);
		cr_assert_eq(write(pipes[i][1], &byte, 1), 1);
		if (i % 3 != 0)
			cr_assert_eq(channel_send(from.channel, &without), OK);
		cr_assert_eq(channel_send_fd(from.channel, &with,
		    pipes[i][0]), OK);
		if (i == 11)
			turns(l, 2);
	}
	turns(l, 50);
	cr_assert_eq(to.closes, 0, "%s", to.why);
	cr_assert_eq(to.fd_count, 20);
	for (int i = 0; i < 20; i++) {
		cr_assert_eq(read(to.fds[i], &byte, 1), 1);
		cr_assert_eq(byte, 'a' + i);
		close(to.fds[i]);
		close(pipes[i][1]);
	}
	channel_close(&from.channel);
	channel_close(&to.channel);
	loop_free(&l);
}

Test(channel, descriptors_never_sent_or_taken_are_closed)
{
	struct end from = { 0 };
	struct msg with = { .type = MSG_listener };
	struct loop *l;
	int ends[2], pipe_ends[2];
	char byte;

	cr_assert_eq(fd_pair(ends), OK);
	cr_assert_eq(pipe(pipe_ends), 0);
	cr_assert_eq(loop_new(&l), OK);
	cr_assert_eq(channel_new(l, ends[0], &parent, &smtpd, &ops, &from,
	    &from.channel), OK);
	cr_assert_eq(channel_send_fd(from.channel, &with, pipe_ends[1]), OK);
	channel_close(&from.channel);
	cr_assert_eq(read(pipe_ends[0], &byte, 1), 0, "no writer is left");
	close(pipe_ends[0]);
	close(ends[1]);
	loop_free(&l);
}

Test(channel, paused_keeps_frames_and_pushes_back)
{
	struct pair p;

	open_pair(&p);
	p.b.pause_at = 3;
	for (uint64_t i = 1; i <= 100; i++)
		cr_assert_eq(send_token(p.a.channel, i), OK);
	turns(p.loop, 20);
	cr_assert_eq(p.b.messages, 3);
	for (uint64_t i = 101; i <= 200000; i++)
		cr_assert_eq(send_token(p.a.channel, i), OK);
	turns(p.loop, 50);
	cr_assert_gt(channel_backlog(p.a.channel), 0);
	cr_assert_eq(p.b.messages, 3);
	channel_resume(p.b.channel);
	turns(p.loop, 500);
	cr_assert_eq(p.b.messages, 200000);
	cr_assert(p.b.in_order);
	close_pair(&p);
}

Test(channel, what_a_dead_peer_had_sent_comes_before_its_end)
{
	struct pair p;

	open_pair(&p);
	for (uint64_t i = 1; i <= 50; i++)
		cr_assert_eq(send_token(p.a.channel, i), OK);
	channel_flush(p.a.channel);
	channel_close(&p.a.channel);
	/* our own write fails first, which must not hide them */
	for (uint64_t i = 0; i < 3; i++) {
		struct msg m = { .type = MSG_credit, .credit = { 1 } };

		cr_assert_eq(channel_send(p.b.channel, &m), OK);
	}
	channel_flush(p.b.channel);
	turns(p.loop, 5);
	cr_assert_eq(p.b.messages, 50);
	cr_assert_eq(p.b.closes, 1);
	cr_assert_eq(p.b.end, CHANNEL_EOF);
	close_pair(&p);
}

/* Else both would live on, and what was said be lost (I-03). */
Test(channel, a_write_that_fails_while_the_peer_lives_ends_it)
{
	int fd, other[2];
	struct pair p;

	open_pair(&p);
	turns(p.loop, 3);
	cr_assert_eq(fd_pair(other), OK);
	fd = channel_fd(p.a.channel);
	/* a copy keeps the peer from seeing an end */
	cr_assert_eq(dup2(fd, other[0]), other[0]);
	cr_assert_eq(dup2(STDOUT_FILENO, fd), fd);
	cr_assert_eq(send_token(p.a.channel, 1), OK);
	channel_flush(p.a.channel);
	turns(p.loop, 3);
	cr_assert_eq(p.a.closes, 1);
	cr_assert_eq(p.a.end, CHANNEL_ERROR);
	cr_assert_str_eq(p.a.why, "writing failed");
	cr_assert_eq(p.b.closes, 0);
	close(other[0]);
	close(other[1]);
	close_pair(&p);
}

/* An answer that is lost would be waited for for ever. */
Test(channel, what_must_not_be_lost_ends_it)
{
	enum { SIZE = 1024 * 1024 };
	struct msg m = { .type = MSG_submit };
	uint8_t *bytes = calloc(1, SIZE);
	struct pair p;

	cr_assert_not_null(bytes);
	open_pair(&p);
	/* hardly anything waits, but there is no room for this one */
	p.a.channel->out.buf.max = SIZE / 2;
	m.submit.envelope = span_of(bytes, SIZE);
	cr_assert_eq(channel_send(p.a.channel, &m), ERR_NOMEM);
	cr_assert(channel_is_open(p.a.channel));
	channel_send_or_end(p.a.channel, &m);
	cr_assert_not(channel_is_open(p.a.channel));
	turns(p.loop, 3);
	cr_assert_eq(p.a.closes, 1);
	cr_assert_eq(p.a.end, CHANNEL_ERROR);
	close_pair(&p);
	free(bytes);
}

Test(channel, drain_input_takes_everything_at_once)
{
	struct pair p;

	open_pair(&p);
	turns(p.loop, 2);
	channel_pause(p.b.channel);
	for (uint64_t i = 1; i <= 5000; i++)
		cr_assert_eq(send_token(p.a.channel, i), OK);
	channel_flush(p.a.channel);
	channel_close(&p.a.channel);
	channel_drain_input(p.b.channel);
	cr_assert_eq(p.b.messages, 5000);
	cr_assert_eq(p.b.closes, 0, "the end comes from the loop");
	turns(p.loop, 2);
	cr_assert_eq(p.b.closes, 1);
	close_pair(&p);
}

Test(channel, may_be_closed_from_inside)
{
	struct pair p;

	open_pair(&p);
	p.b.close_at = 2;
	for (uint64_t i = 1; i <= 10; i++)
		cr_assert_eq(send_token(p.a.channel, i), OK);
	turns(p.loop, 5);
	cr_assert_eq(p.b.messages, 2);
	cr_assert_eq(p.b.closes, 0);
	cr_assert_eq(p.a.closes, 1);
	close_pair(&p);
}

Test(channel, finish_sends_the_rest_without_its_owner)
{
	enum { SIZE = 1024 * 1024 };
	uint8_t *bytes = calloc(1, SIZE);
	struct msg m = { .type = MSG_submit };
	struct pair p;

	open_pair(&p);
	m.submit.token = 1;
	m.submit.envelope = span_of(bytes, SIZE);
	cr_assert_eq(channel_send(p.a.channel, &m), OK);
	channel_finish(&p.a.channel, 5000);
	cr_assert_null(p.a.channel);
	turns(p.loop, 200);
	cr_assert_eq(p.b.largest, SIZE);
	cr_assert_eq(p.b.closes, 1);
	cr_assert_eq(p.b.end, CHANNEL_EOF);
	close_pair(&p);

	/* nobody reads: the deadline, then the end of the loop */
	for (int i = 0; i < 2; i++) {
		int64_t begin = clock_mono_ms();

		open_pair(&p);
		channel_pause(p.b.channel);
		cr_assert_eq(channel_send(p.a.channel, &m), OK);
		channel_finish(&p.a.channel, i == 0 ? 30 : 30000);
		while (i == 0 && clock_mono_ms() < begin + 60)
			loop_turn(p.loop, 10);
		close_pair(&p);
	}
	free(bytes);
}

Test(channel, a_peer_that_never_reads_is_cut_off)
{
	enum { SIZE = 1024 * 1024 };
	uint8_t *bytes = calloc(1, SIZE);
	struct msg m = { .type = MSG_submit };
	struct pair p;
	enum err e = OK;

	open_pair(&p);
	channel_pause(p.b.channel);
	m.submit.envelope = span_of(bytes, SIZE);
	for (int i = 0; i < 200 && e == OK; i++)
		e = channel_send(p.a.channel, &m);
	cr_assert_eq(e, ERR_NOMEM);
	cr_assert_eq(p.a.closes, 0);
	cr_assert_eq(send_token(p.a.channel, 1), ERR_PEER);
	turns(p.loop, 2);
	cr_assert_eq(p.a.closes, 1);
	cr_assert_eq(p.a.end, CHANNEL_STUCK);
	free(bytes);
	close_pair(&p);
}

/* I-05, T42: bytes of a liar at the other end: cut off, with words, and nothing
 * else. */
struct lie {
	const char *name;
	void (*tell)(struct buf *b);
	const char *why;
};

static void
put_hello(struct buf *b, enum ipc_role role, uint16_t index, uint64_t instance)
{
	struct msg m = frame_hello(role, index, instance);

	cr_assert_eq(frame_put(b, &m, 0), OK);
}

static void
lie_no_hello(struct buf *b)
{
	struct msg m = { .type = MSG_token_ask };

	cr_assert_eq(frame_put(b, &m, 0), OK);
}

static void
lie_role(struct buf *b)
{
	put_hello(b, ROLE_DELIVERD, 1, 77);
}

static void
lie_instance(struct buf *b)
{
	put_hello(b, ROLE_SMTPD, 1, 78);
}

static void
lie_twice(struct buf *b)
{
	put_hello(b, ROLE_SMTPD, 1, 77);
	put_hello(b, ROLE_SMTPD, 1, 77);
}

static void
lie_type(struct buf *b)
{
	struct msg m = { .type = MSG_verdict };

	put_hello(b, ROLE_SMTPD, 1, 77);
	cr_assert_eq(frame_put(b, &m, 0), OK);
}

static void
lie_fields(struct buf *b)
{
	put_hello(b, ROLE_SMTPD, 1, 77);
	wire_put_u32(b, 8 + 3);
	wire_put_u16(b, MSG_token_ask);
	wire_put_u16(b, 0);
	buf_add_str(b, "abc");
}

static void
lie_fd(struct buf *b)
{
	struct msg m = { .type = MSG_token_ask };

	put_hello(b, ROLE_SMTPD, 1, 77);
	cr_assert_eq(frame_put(b, &m, 1), OK);
}

static void
lie_noise(struct buf *b)
{
	for (int i = 0; i < 1000; i++)
		buf_add_byte(b, (uint8_t)(i * 37));
}

static const struct lie lies[] = {
	{ "no hello", lie_no_hello, "token_ask before hello" },
	{ "role", lie_role, "deliverd instead of smtpd" },
	{ "instance", lie_instance, "it is not who it should be" },
	{ "two hellos", lie_twice, "a second hello" },
	{ "type", lie_type, "smtpd must not send verdict to queued" },
	{ "fields", lie_fields, "malformed token_ask" },
	{ "no fd", lie_fd, "a frame came without its descriptor" },
	{ "noise", lie_noise, "smtpd must not send an unknown message to "
	    "queued" },
};

Test(channel, liars_are_cut_off)
{
	for (size_t i = 0; i < COUNT_OF(lies); i++) {
		struct end e = { 0 };
		struct loop *l;
		struct buf b;
		int ends[2];

		buf_init(&b, 4096);
		lies[i].tell(&b);
		cr_assert_eq(fd_pair(ends), OK);
		cr_assert_eq(loop_new(&l), OK);
		cr_assert_eq(channel_new(l, ends[0], &queued, &smtpd, &ops,
		    &e, &e.channel), OK);
		cr_assert_eq(write(ends[1], b.p, b.n), (ssize_t)b.n);
		turns(l, 3);
		cr_assert_eq(e.closes, 1, "%s", lies[i].name);
		cr_assert_eq(e.end, CHANNEL_VIOLATION);
		cr_assert_str_eq(e.why, lies[i].why);
		cr_assert_eq(e.messages, 0);
		buf_clear(&b);
		close(ends[1]);
		loop_free(&l);
	}
}

/* Frames come in whatever pieces the kernel likes. */
Test(channel, byte_by_byte)
{
	struct end e = { .in_order = true };
	struct loop *l;
	struct buf b;
	int ends[2];

	buf_init(&b, 65536);
	put_hello(&b, ROLE_SMTPD, 1, 77);
	for (uint64_t i = 1; i <= 3; i++) {
		struct msg m = { .type = MSG_token_ask, .token_ask = { i } };

		cr_assert_eq(frame_put(&b, &m, 0), OK);
	}
	cr_assert_eq(fd_pair(ends), OK);
	cr_assert_eq(loop_new(&l), OK);
	cr_assert_eq(channel_new(l, ends[0], &queued, &smtpd, &ops, &e,
	    &e.channel), OK);
	for (size_t i = 0; i < b.n; i++) {
		cr_assert_eq(write(ends[1], b.p + i, 1), 1);
		turns(l, 1);
	}
	cr_assert_eq(e.messages, 3);
	cr_assert(e.in_order);
	cr_assert_eq(e.closes, 0);
	channel_close(&e.channel);
	buf_clear(&b);
	close(ends[1]);
	loop_free(&l);
}

/* A surplus of descriptors is closed, whether or not the peer is cut off. */
Test(channel, unwanted_descriptors_are_closed)
{
	struct end e = { 0 };
	struct loop *l;
	struct buf b;
	int ends[2], pipe_ends[2];
	size_t sent;
	char byte;

	buf_init(&b, 4096);
	put_hello(&b, ROLE_SMTPD, 1, 77);
	cr_assert_eq(pipe(pipe_ends), 0);
	cr_assert_eq(fd_pair(ends), OK);
	cr_assert_eq(loop_new(&l), OK);
	cr_assert_eq(channel_new(l, ends[0], &queued, &smtpd, &ops, &e,
	    &e.channel), OK);
	for (int i = 0; i < 100 && e.closes == 0; i++) {
		struct msg m = { .type = MSG_token_ask };

		cr_assert_eq(fdpass_send(ends[1], b.p, b.n, &pipe_ends[1], 1,
		    &sent), OK);
		turns(l, 2);
		buf_reset(&b);
		cr_assert_eq(frame_put(&b, &m, 0), OK);
	}
	cr_assert_eq(e.closes, 1, "too many of them");
	close(pipe_ends[1]);
	close(ends[1]);
	cr_assert_eq(read(pipe_ends[0], &byte, 1), 0, "no writer is left");
	close(pipe_ends[0]);
	buf_clear(&b);
	loop_free(&l);
}
