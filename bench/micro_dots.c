/*
 * What the dot transforms cost: one 4 KiB message of 72-octet lines, in and
 * out, many times.  Usage: micro_dots [ROUNDS]
 */
#include "common/smtp/smtp_dots_in.h"
#include "common/smtp/smtp_dots_out.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define MESSAGE_BYTES	4096
#define LINE_BYTES	74	/* with CRLF */

static double
seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static struct span
make_message(uint8_t *p)
{
	for (size_t i = 0; i < MESSAGE_BYTES; i++) {
		size_t column = i % LINE_BYTES;

		p[i] = (uint8_t)(column == LINE_BYTES - 2 ? '\r' :
		    column == LINE_BYTES - 1 ? '\n' : 'a' + i % 26);
	}
	p[MESSAGE_BYTES - 2] = '\r';
	p[MESSAGE_BYTES - 1] = '\n';
	p[MESSAGE_BYTES - 3] = 'x';
	return span_of(p, MESSAGE_BYTES);
}

static double
measure_in(struct span wire, unsigned long rounds, struct buf *out)
{
	double begin = seconds();

	for (unsigned long i = 0; i < rounds; i++) {
		struct smtp_dots_in d;

		buf_reset(out);
		smtp_dots_in_init(&d, false);
		(void)smtp_dots_in_feed(&d, wire, out);
		if (!d.is_end)
			abort();
	}
	return seconds() - begin;
}

static double
measure_out(struct span content, unsigned long rounds, struct buf *out)
{
	double begin = seconds();

	for (unsigned long i = 0; i < rounds; i++) {
		struct smtp_dots_out d;

		buf_reset(out);
		smtp_dots_out_init(&d);
		smtp_dots_out_feed(&d, content, out);
		(void)smtp_dots_out_end(&d, out);
	}
	return seconds() - begin;
}

int
main(int argc, char **argv)
{
	unsigned long rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : 200000;
	static uint8_t message[MESSAGE_BYTES];
	struct span content = make_message(message);
	struct buf wire, out;

	if (rounds == 0) {
		fprintf(stderr, "usage: micro_dots [ROUNDS]\n");
		return 2;
	}
	buf_init(&wire, 1 << 16);
	buf_init(&out, 1 << 16);
	(void)measure_out(content, 1, &wire);
	printf("in:  %.3f us a message of %d octets\n",
	    measure_in(buf_span(&wire), rounds, &out) * 1e6 / (double)rounds,
	    MESSAGE_BYTES);
	printf("out: %.3f us\n",
	    measure_out(content, rounds, &out) * 1e6 / (double)rounds);
	buf_clear(&wire);
	buf_clear(&out);
	return 0;
}
