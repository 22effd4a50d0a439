/*
 * Prints one report for the test in Python: print_report KIND.
 */
#include "tests/unit/mail/report_sample.h"

#include <stdio.h>

int
main(int argc, char **argv)
{
	struct report r = report_sample();
	struct report_rcpt rcpt;
	struct buf out;
	int result;

	if (argc != 2)
		return 2;
	if (strcmp(argv[1], "delayed") == 0)
		r = report_sample_delayed(&rcpt);
	else if (strcmp(argv[1], "header") == 0)
		r.is_header_only = true;
	else if (strcmp(argv[1], "cut") == 0)
		r.message.n -= 5;
	else if (strcmp(argv[1], "8bit") == 0) {
		r.message = SPAN_LIT("Subject: \xc3\xa4\r\n\r\n\xe4\r\n");
		r.message_bytes = r.message.n;
	}
	buf_init(&out, 1 << 20);
	(void)report_build(&r, &out);
	result = buf_failed(&out) ||
	    fwrite(out.p, 1, out.n, stdout) != out.n;
	buf_clear(&out);
	return result;
}
