/* How often a message has been here (T22). */
#include <criterion/criterion.h>

#include "common/base/check.h"
#include "common/mail/trace_scan.h"

static uint32_t
count(struct span header, size_t piece)
{
	struct trace_scan t;

	trace_scan_init(&t);
	while (header.n > 0) {
		trace_scan_feed(&t, SPAN_LIT("Mx.example"),
		    span_sub(header, 0, piece));
		header = span_from(header, piece);
	}
	return t.own;
}

static const struct {
	const char *header;
	uint32_t own;
} rows[] = {
	{ "", 0 },
	{ "Received: by mx.example; x\r\n", 1 },
	{ "received \t: from a\r\n\tby mX.eXample\r\n with y\r\n", 1 },
	{ "Received:by mx.example(x)\n", 1 },
	{ "Received: from a (c (by mx.example) d) by mx.example;\r\n", 1 },
	{ "Received: from a (by mx.example) by b; x\r\n", 0 },
	{ "Received: by a by mx.example; x\r\n", 0 },
	{ "Received: from by-mx.example; x\r\n", 0 },
	{ "Received: byby mx.example; x\r\n", 0 },
	{ "Received: by mx.example.org; x\r\n", 0 },
	{ "Received: by mx.exampl; x\r\n", 0 },
	{ "Received: by\r\nReceived: mx.example\r\n", 0 },
	{ "Received: by\r\n mx.example\r\n", 1 },
	{ "X-Received: by mx.example\r\n", 0 },
	{ "Receive: by mx.example\r\n", 0 },
	{ "Receivedx: by mx.example\r\n", 0 },
	{ "Subject: x\r\n Received: by mx.example\r\n", 0 },
	{ "Received: by mx.example; x\r\nReceived: by MX.EXAMPLE; y\r\n", 2 },
	{ "Received: x\r\nSubject: y\r\n by mx.example\r\n", 0 },
	{ "Received: ) by mx.example\r\n", 1 },
};

Test(trace_scan, fields_of_this_host)
{
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct span s = span_str(rows[i].header);

		for (size_t piece = 1; piece <= s.n; piece++)
			cr_expect_eq(count(s, piece), rows[i].own,
			    "row %zu in pieces of %zu: %u", i, piece,
			    count(s, piece));
	}
}
