/*
 * What the line parser costs: a pipelined session of commands, in pieces as a
 * socket gives them, many times.  Usage: micro_lines [ROUNDS]
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "common/smtp/smtp_lines.h"

#define PIECE 1448		/* octets of a TCP segment */

static const char commands[] =
    "EHLO client.example.org\r\n"
    "MAIL FROM:<sender@example.org> SIZE=4096 BODY=8BITMIME\r\n"
    "RCPT TO:<first.recipient@example.net>\r\n"
    "RCPT TO:<second.recipient@example.net>\r\n"
    "RCPT TO:<third.recipient@example.net>\r\n"
    "DATA\r\n"
    "RSET\r\n"
    "NOOP and some words that nobody reads\r\n"
    "QUIT\r\n";

static double
seconds(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Feeds IN piece by piece; how many lines there were. */
static size_t
feed(struct span in)
{
	struct smtp_lines l;
	size_t lines = 0, begin = 0, end = 0;

	smtp_lines_init(&l, SMTP_LINES_MAX);
	while (end < in.n) {
		enum smtp_lines_event event;

		end = in.n - end < PIECE ? in.n : end + PIECE;
		do {
			struct span line;

			event = smtp_lines_next(&l, span_sub(in, begin,
			    end - begin), &begin, &line);
			lines += event == SMTP_LINES_LINE;
		} while (event != SMTP_LINES_NONE);
	}
	return lines;
}

int
main(int argc, char **argv)
{
	unsigned long rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : 200000;
	size_t n = sizeof(commands) - 1, lines = 0;
	enum { COPIES = 20 };
	char *in = malloc(n * COPIES);
	double begin;

	if (in == NULL || rounds == 0)
		return 2;
	for (size_t i = 0; i < COPIES; i++)
		memcpy(in + i * n, commands, n);
	begin = seconds();
	for (unsigned long i = 0; i < rounds / COPIES; i++)
		lines += feed(span_of(in, n * COPIES));
	printf("lines: %.1f ns a line\n",
	    (seconds() - begin) * 1e9 / (double)(lines > 0 ? lines : 1));
	free(in);
	return 0;
}
