/*
 * T21: messages built to cost more than they weigh.  Whatever a header holds,
 * twice as much of it takes twice the processor time, and nothing of it stays
 * in memory.
 *
 * Time is that of this process alone, the least of several runs, and measured
 * again when the machine was busy: a quadratic reader would take four times.
 */
#include "common/base/check.h"
#include "tests/unit/smtpd/play.h"

#include <criterion/criterion.h>
#include <time.h>

#define PIECE	((size_t)16 * 1024)
#define BYTES	((size_t)8 << 20)
#define RUNS	3
#define ROUNDS	8
#define RATIO	2.2
#define KEPT	(2 * PIECE)	/* most of a piece that may wait */

struct bomb {
	const char *name;
	const char *head;	/* once, then: */
	const char *unit;	/* again and again */
};

static const struct bomb bombs[] = {
	{ "a million fields", "", "A: b\r\n" },
	{ "one line", "Subject: ", "x" },
	{ "one folded field", "Subject: x\r\n", " \r\n" },
	{ "a field of colons", "Subject: ", ":" },
	{ "no colon", "", "x\r\n" },
	{ "trace fields", "", "Received: by x\r\n" },
	{ "nearly trace fields", "", "Receivee: by x\r\n" },
	{ "parts within parts", "",
	    "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n" },
	{ "parameters", "Content-Type: text/plain", ";\r\n n*1*=''x" },
	{ "addresses", "To: a@b.example", ",\r\n a@b.example" },
	{ "comments", "To: ", "(" },
	{ "encoded words", "Subject: ", "=?utf-8?q?=00?=\r\n " },
	{ "dots", "\r\n", "..\r\n" },
	{ "empty lines", "", "\r\n" },
	{ "carriage returns", "\r\n", "\r" },
	{ "line feeds", "\r\n", "\n" },
	{ "nothing", "", "\0" },
};

static struct play p;

static void
setup(void)
{
	play_init(&p);
	p.conf->limits.message_bytes = 4 * BYTES;
	p.conf->limits.hops = UINT32_MAX;
}

static void
teardown(void)
{
	play_clear(&p);
}

TestSuite(smtpd_bombs, .init = setup, .fini = teardown, .timeout = 170);

static double
cpu_seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Feeds all of IN, as a driver would that passes content on at once. */
static void
pour(struct span in)
{
	while (in.n > 0 && !p.is_closed) {
		struct span piece = span_sub(in, 0, PIECE);
		size_t taken = 0;
		enum rx_act act = rx_step(p.rx, piece, &taken, &p.body,
		    &p.out);

		cr_assert_leq(p.body.n, KEPT);
		buf_reset(&p.body);
		p.is_closed = act == RX_CLOSE;
		cr_assert(taken > 0 || act != RX_READ);
		in = span_from(in, taken);
	}
}

/* The processor time of one message with that content. */
static double
seconds_of(struct span content)
{
	double start;

	play_connect(&p, "127.0.0.1");
	play_say(&p, "EHLO c\r\nMAIL FROM:<a@b.example>\r\n"
	    "RCPT TO:<c@example.org>\r\nDATA\r\n");
	start = cpu_seconds();
	pour(content);
	return cpu_seconds() - start;
}

static double
least_of(struct span content)
{
	double least = seconds_of(content);

	for (int i = 1; i < RUNS; i++) {
		double now = seconds_of(content);

		least = now < least ? now : least;
	}
	return least;
}

static void
build(const struct bomb *bomb, uint8_t *to)
{
	size_t head = strlen(bomb->head);
	size_t unit = bomb->unit[0] == '\0' ? 1 : strlen(bomb->unit);

	memcpy(to, bomb->head, head);
	for (size_t i = head; i < BYTES; i++)
		to[i] = (uint8_t)bomb->unit[(i - head) % unit];
}

Test(smtpd_bombs, twice_as_much_takes_twice_as_long)
{
	uint8_t *bytes = malloc(BYTES);

	cr_assert_not_null(bytes);
	for (size_t i = 0; i < COUNT_OF(bombs); i++) {
		double ratio = RATIO + 1;

		build(&bombs[i], bytes);
		for (int n = 0; n < ROUNDS && ratio > RATIO; n++)
			ratio = least_of(span_of(bytes, BYTES)) /
			    least_of(span_of(bytes, BYTES / 2));
		cr_expect_leq(ratio, RATIO, "%s: %.2f", bombs[i].name, ratio);
	}
	free(bytes);
}
