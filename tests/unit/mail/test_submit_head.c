/* Headers of submissions, in pieces of every size.  SUB-05. */
#include "common/base/check.h"
#include "common/mail/submit_head.h"

#include <criterion/criterion.h>

static const struct {
	const char *in, *out;
	bool has_date, has_id;
} rows[] = {
	{ "Date: x\r\nMessage-ID: <a@b>\r\n\r\nbody\r\n", NULL, true, true },
	{ "\r\nBcc: body\r\n", NULL, false, false },
	{ "Bcc: a@b\r\n\r\nbody\r\n", "\r\nbody\r\n", false, false },
	{ "bcc : a@b,\r\n c@d,\r\n\te@f\r\nDate: y\r\n\r\nb",
	    "Date: y\r\n\r\nb", true, false },
	{ "Subject: x\r\n Bcc: no\r\nBCC:\r\nMESSAGE-id:z\r\n\r\n.",
	    "Subject: x\r\n Bcc: no\r\nMESSAGE-id:z\r\n\r\n.", false, true },
	{ "Bccc: x\r\nXBcc: y\r\nResent-Bcc: z\r\n\r\n", NULL, false, false },
	{ "Datex: 1\r\nX-Date: 2\r\n\r\n", NULL, false, false },
	{ "no field\r\nBcc: x\r\n\r\nBcc: y\r\n",
	    "no field\r\n\r\nBcc: y\r\n", false, false },
	{ "Bcc: x\r\nBcc: y\r\n z\r\nTo: w\r\n\r\nq", "To: w\r\n\r\nq", false,
	    false },
	{ "Bcc", NULL, false, false },
	{ "Bcc:", "", false, false },
	{ "", NULL, false, false },
	{ "A-very-long-name-of-a-field: x\r\nBcc: y\r\n\r\n",
	    "A-very-long-name-of-a-field: x\r\n\r\n", false, false },
};

static void
run(size_t row, size_t piece)
{
	struct span in = span_str(rows[row].in);
	const char *want = rows[row].out != NULL ? rows[row].out
	    : rows[row].in;
	const uint64_t whole = in.n;
	struct submit_head h;
	struct buf body;

	submit_head_init(&h);
	buf_init(&body, 4096);
	do {
		size_t before = body.n;
		struct span part = span_sub(in, 0, piece);

		buf_add_span(&body, part);
		in = span_from(in, part.n);
		submit_head_edit(&h, &body, before, in.n == 0);
	} while (in.n > 0);
	cr_expect(span_equal(buf_span(&body), span_str(want)),
	    "%zu in %zu: %.*s", row, piece, (int)body.n,
	    (const char *)body.p);
	cr_expect_eq(h.removed, whole - body.n);
	cr_expect_eq(h.has_date, rows[row].has_date, "%zu", row);
	cr_expect_eq(h.has_message_id, rows[row].has_id, "%zu", row);
	buf_clear(&body);
}

Test(submit_head, in_pieces)
{
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		for (size_t piece = 1; piece < 40; piece++)
			run(i, piece);
}
