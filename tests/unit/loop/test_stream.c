/* Streams over a socket pair: bytes, back-pressure, ends, finishing. */
#include "common/base/check.h"
#include "common/loop/stream.h"
#include "common/os/clock.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct side {
	struct loop *loop;
	struct stream *stream;
	int peer;			/* the test's end, non-blocking */
	char got[1024];
	size_t n;			/* bytes taken */
	size_t largest;			/* offer */
	unsigned offers;
	size_t take_max;		/* most to take of an offer */
	unsigned ends;
	enum stream_end end;
	int error;
	unsigned sents;
	bool closes;			/* from inside on_bytes */
	bool finishes;
	bool echoes;
};

static size_t
on_bytes(void *ctx, struct span bytes)
{
	struct side *s = ctx;
	size_t take = bytes.n < s->take_max ? bytes.n : s->take_max;

	s->offers++;
	if (bytes.n > s->largest)
		s->largest = bytes.n;
	if (s->n + take < sizeof(s->got))
		memcpy(s->got + s->n, bytes.p, take);
	s->n += take;
	if (s->echoes)
		stream_write(s->stream, span_sub(bytes, 0, take));
	if (s->closes)
		stream_close(&s->stream);
	if (s->finishes) {
		stream_write(s->stream, SPAN_LIT("bye"));
		stream_finish(&s->stream, 0, 1000);
	}
	return take;
}

static void
on_end(void *ctx, enum stream_end end, int error)
{
	struct side *s = ctx;

	s->ends++;
	s->end = end;
	s->error = error;
	if (s->closes)
		stream_close(&s->stream);
}

static void
on_sent(void *ctx)
{
	struct side *s = ctx;

	s->sents++;
}

static const struct stream_ops ops = {
	.on_bytes = on_bytes, .on_end = on_end, .on_sent = on_sent,
};

static void
open_side(struct side *s, size_t in_max, size_t out_max)
{
	struct stream_limits limits = { .in_max = in_max, .out_max = out_max,
	    .out_keep = 4096 };
	int ends[2];

	*s = (struct side){ .take_max = SIZE_MAX };
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	cr_assert_eq(loop_new(&s->loop), OK);
	cr_assert_eq(stream_new(s->loop, ends[0], &limits, &ops, s,
	    &s->stream), OK);
	cr_assert_eq(fcntl(ends[1], F_SETFL, O_NONBLOCK), 0);
	s->peer = ends[1];
}

static void
close_side(struct side *s)
{
	stream_close(&s->stream);
	if (s->peer >= 0)
		close(s->peer);
	loop_free(&s->loop);
}

static void
put(struct side *s, const char *text)
{
	cr_assert_eq(write(s->peer, text, strlen(text)), (ssize_t)strlen(text));
}

static void
turn(struct side *s)
{
	loop_turn(s->loop, 100);
}

static size_t
drain_peer(struct side *s)
{
	static char scratch[65536];
	size_t total = 0;
	ssize_t n;

	while ((n = read(s->peer, scratch, sizeof(scratch))) > 0)
		total += (size_t)n;
	return total;
}

Test(stream, echoes_with_one_write_a_turn)
{
	struct side s;
	char reply[32] = "";

	open_side(&s, 4096, 0);
	s.echoes = true;
	put(&s, "abc");
	turn(&s);
	cr_assert_eq(s.n, 3);
	cr_assert_eq(read(s.peer, reply, sizeof(reply)), 3);
	cr_assert_str_eq(reply, "abc");
	cr_assert_eq(s.sents, 1);
	cr_assert_eq(stream_bytes_in(s.stream), 3);
	cr_assert_eq(stream_bytes_out(s.stream), 3);
	/* gathered: nothing leaves before the end of the turn */
	stream_write(s.stream, SPAN_LIT("1"));
	stream_write(s.stream, SPAN_LIT("2"));
	cr_assert_eq(stream_backlog(s.stream), 2);
	cr_assert_eq(read(s.peer, reply, sizeof(reply)), -1);
	loop_turn(s.loop, 0);
	cr_assert_eq(read(s.peer, reply, sizeof(reply)), 2);
	close_side(&s);
}

Test(stream, unread_bytes_are_offered_again_with_more)
{
	struct side s;

	open_side(&s, 4096, 0);
	s.take_max = 0;
	put(&s, "ab");
	turn(&s);
	cr_assert_eq(s.offers, 1);
	s.take_max = 3;
	put(&s, "cd");
	turn(&s);
	cr_assert_eq(s.largest, 4);
	cr_assert_eq(s.n, 3);
	cr_assert_arr_eq(s.got, "abc", 3);
	put(&s, "e");
	turn(&s);
	cr_assert_eq(s.n, 5);
	cr_assert_arr_eq(s.got, "abcde", 5);
	close_side(&s);
}

Test(stream, byte_by_byte_and_whole_are_the_same)
{
	const char *text = "EHLO a\r\nMAIL FROM:<>\r\n";
	struct side s;

	open_side(&s, 64, 0);
	s.take_max = 1;
	for (const char *p = text; *p != '\0'; p++) {
		cr_assert_eq(write(s.peer, p, 1), 1);
		turn(&s);
	}
	cr_assert_eq(s.n, strlen(text));
	cr_assert_arr_eq(s.got, text, s.n);
	close_side(&s);
}

Test(stream, stops_reading_at_in_max_and_resume_offers)
{
	struct side s;
	char many[100];

	memset(many, 'x', sizeof(many));
	open_side(&s, 10, 0);
	s.take_max = 0;
	cr_assert_eq(write(s.peer, many, sizeof(many)), 100);
	for (int i = 0; i < 5; i++)
		loop_turn(s.loop, 0);
	cr_assert_eq(s.largest, 10);
	cr_assert_eq(s.offers, 1, "full: not offered again by itself");
	s.take_max = SIZE_MAX;
	stream_resume(s.stream);
	for (int i = 0; i < 20; i++)
		loop_turn(s.loop, 0);
	cr_assert_eq(s.n, 100);
	close_side(&s);
}

Test(stream, paused_is_silent)
{
	struct side s;

	open_side(&s, 4096, 0);
	stream_pause(s.stream);
	put(&s, "abc");
	loop_turn(s.loop, 0);
	close(s.peer);
	s.peer = -1;
	loop_turn(s.loop, 0);
	cr_assert_eq(s.offers, 0);
	cr_assert_eq(s.ends, 0);
	stream_resume(s.stream);
	turn(&s);
	turn(&s);
	cr_assert_eq(s.n, 3);
	cr_assert_eq(s.ends, 1);
	cr_assert_eq(s.end, STREAM_EOF);
	close_side(&s);
}

Test(stream, half_closed_peer_still_gets_its_reply)
{
	struct side s;
	char reply[8] = "";

	open_side(&s, 4096, 0);
	put(&s, "quit");
	cr_assert_eq(shutdown(s.peer, SHUT_WR), 0);
	turn(&s);
	turn(&s);
	cr_assert_eq(s.end, STREAM_EOF);
	cr_assert_eq(s.ends, 1);
	stream_write(s.stream, SPAN_LIT("bye"));
	stream_finish(&s.stream, 1000, 1000);
	cr_assert_null(s.stream);
	loop_turn(s.loop, 0);
	cr_assert_eq(read(s.peer, reply, sizeof(reply)), 3);
	cr_assert_eq(read(s.peer, reply, sizeof(reply)), 0);
	close_side(&s);
}

Test(stream, closing_inside_a_callback)
{
	struct side s;

	open_side(&s, 4096, 0);
	s.closes = true;
	put(&s, "abc");
	turn(&s);
	cr_assert_null(s.stream);
	turn(&s);
	cr_assert_eq(s.ends, 0);
	close_side(&s);

	open_side(&s, 4096, 0);
	s.closes = true;
	close(s.peer);
	s.peer = -1;
	turn(&s);
	cr_assert_null(s.stream);
	cr_assert_eq(s.ends, 1);
	close_side(&s);
}

Test(stream, finishing_inside_a_callback)
{
	struct side s;
	char reply[8] = "";

	open_side(&s, 4096, 0);
	s.finishes = true;
	put(&s, "abc");
	turn(&s);
	cr_assert_null(s.stream);
	cr_assert_eq(read(s.peer, reply, sizeof(reply)), 3);
	cr_assert_str_eq(reply, "bye");
	close_side(&s);
}

Test(stream, large_output_goes_in_pieces_and_is_told_once)
{
	enum { SIZE = 4 * 1024 * 1024 };
	uint8_t *bytes = calloc(1, SIZE);
	struct side s;
	size_t total = 0;

	open_side(&s, 4096, SIZE + 1);
	stream_write(s.stream, span_of(bytes, SIZE));
	for (int i = 0; i < 10000 && total < SIZE; i++) {
		loop_turn(s.loop, 0);
		total += drain_peer(&s);
	}
	loop_turn(s.loop, 0);
	cr_assert_eq(total, SIZE);
	cr_assert_eq(s.sents, 1);
	cr_assert_eq(stream_backlog(s.stream), 0);
	cr_assert_eq(stream_bytes_out(s.stream), SIZE);
	close_side(&s);
	free(bytes);
}

Test(stream, too_much_output_ends_it)
{
	static const uint8_t bytes[2000];
	struct side s;

	open_side(&s, 4096, 1000);
	stream_write(s.stream, span_of(bytes, 600));
	stream_write(s.stream, span_of(bytes, 600));
	cr_assert_eq(s.ends, 0, "never from inside a call of the owner");
	turn(&s);
	cr_assert_eq(s.ends, 1);
	cr_assert_eq(s.end, STREAM_OVERFLOW);
	stream_write(s.stream, span_of(bytes, 100));
	turn(&s);
	cr_assert_eq(drain_peer(&s), 0, "nothing after a hole");
	cr_assert_eq(s.ends, 1);
	close_side(&s);
}

Test(stream, last_words_of_a_peer_are_read_after_a_failed_write)
{
	struct side s;

	open_side(&s, 4096, 0);
	put(&s, "421 bye");
	close(s.peer);
	s.peer = -1;
	stream_write(s.stream, SPAN_LIT("MAIL"));
	stream_flush(s.stream);
	for (int i = 0; i < 4; i++)
		loop_turn(s.loop, 10);
	cr_assert_eq(s.n, 7);
	cr_assert_eq(s.ends, 1);
	cr_assert_eq(s.end, STREAM_ERROR);
	cr_assert_eq(s.error, EPIPE);
	close_side(&s);
}

Test(stream, lingers_until_the_peer_ends)
{
	struct side s;
	char reply[8] = "";

	open_side(&s, 4096, 0);
	stream_write(s.stream, SPAN_LIT("421"));
	stream_finish(&s.stream, 5000, 5000);
	put(&s, "more commands");
	loop_turn(s.loop, 10);
	cr_assert_eq(read(s.peer, reply, sizeof(reply)), 3);
	cr_assert_eq(read(s.peer, reply, sizeof(reply)), 0);
	put(&s, "and more");	/* it still takes them: no reset */
	loop_turn(s.loop, 10);
	cr_assert_eq(shutdown(s.peer, SHUT_WR), 0);
	loop_turn(s.loop, 10);
	cr_assert_eq(send(s.peer, "x", 1, MSG_NOSIGNAL), -1);
	close_side(&s);
}

Test(stream, a_peer_that_reads_nothing_cannot_hold_it)
{
	enum { SIZE = 4 * 1024 * 1024 };
	uint8_t *bytes = calloc(1, SIZE);
	struct side s;
	int64_t begin = clock_mono_ms();

	open_side(&s, 4096, SIZE + 1);
	stream_write(s.stream, span_of(bytes, SIZE));
	stream_finish(&s.stream, 0, 50);
	while (clock_mono_ms() < begin + 100)
		loop_turn(s.loop, 20);
	cr_assert_lt(drain_peer(&s), SIZE);
	cr_assert_eq(read(s.peer, bytes, 1), 0, "it is closed");
	close_side(&s);

	/* and a loop that ends closes what still finishes */
	open_side(&s, 4096, SIZE + 1);
	stream_write(s.stream, span_of(bytes, SIZE));
	stream_finish(&s.stream, 0, 50000);
	close_side(&s);
	free(bytes);
}
