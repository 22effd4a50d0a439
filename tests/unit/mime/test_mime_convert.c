/* 8BIT-04, 8BIT-05: what is no 7-bit text becomes it, or it is known why not
 * (RFC 6152 3, RFC 2045 6). */
#include "tests/unit/mime/mime_whole.h"

#include <criterion/criterion.h>

#include "common/base/check.h"

#define U "\xc3\xbc"
#define M "MIME-Version: 1.0\r\n"
#define T "Content-Type: text/plain; charset=utf-8\r\n"
#define E(x) "Content-Transfer-Encoding: " x "\r\n"
#define MULTI(x) "Content-Type: multipart/" x "; boundary=b\r\n"
#define QP E("quoted-printable")

static const struct {
	const char *in;
	const char *out;	/* NULL: as it was; else after "!": why not */
} rows[] = {
	{ "", NULL },
	{ "\r\n", NULL },
	{ "Subject: x\r\n", NULL },
	{ "Subject: x\r\n\r\nplain\r\n", NULL },
	{ M T E("7bit") "\r\nplain\r\n", NULL },
	{ M T E("8bit") "\r\nplain\r\n", M T E("7bit") "\r\nplain\r\n" },
	{ M T E("8bit") "\r\n" U "\r\n", M T QP "\r\n=C3=BC\r\n" },
	/* in the place of the old field, in any spelling */
	{ M "content-transfer-encoding :\r\n 8BIT\r\n" T "\r\n" U " \r\n",
	    M QP T "\r\n=C3=BC=20\r\n" },
	/* undeclared: RFC 1428 3 */
	{ "Subject: x\r\n\r\n" U "\r\n", "Subject: x\r\nMIME-Version: 1.0\r\n"
	    "Content-Type: text/plain; charset=unknown-8bit\r\n" QP
	    "\r\n=C3=BC\r\n" },
	{ T "\r\n" U "\r\n", T M QP "\r\n=C3=BC\r\n" },
	{ M T "\r\n" U "\r\n", M T QP "\r\n=C3=BC\r\n" },
	{ M T E("7bit") "\r\n" U "\r\n", M T QP "\r\n=C3=BC\r\n" },
	/* mostly octets above 127 */
	{ M T E("8bit") "\r\n\xff\xff\xff\xff\xff\xff\xff\xff\xff\r\n",
	    M T E("base64") "\r\n////////////DQo=\r\n" },
	/* binary: octet by octet, to the last */
	{ M E("binary") "\r\nab\rcd\nef", M QP "\r\nab=0Dcd=0Aef=\r\n" },
	/* parts, each by itself; what lies between stays */
	{ M MULTI("mixed") E("8bit") "\r\npreamble\r\n--b\r\n" T E("8bit")
	    "\r\n" U "\r\n\r\n--b  \r\n\r\nplain\r\n--b\r\n" E("8BIT") "\r\n"
	    "plain\r\n--b--\r\nepilogue",
	    M MULTI("mixed") E("7bit") "\r\npreamble\r\n--b\r\n" T QP
	    "\r\n=C3=BC\r\n\r\n--b  \r\n\r\nplain\r\n--b\r\n" E("7bit")
	    "\r\nplain\r\n--b--\r\nepilogue" },
	/* the CRLF before a boundary is not the part's */
	{ M MULTI("mixed") "\r\n--b\r\n" T "\r\n" U "\r\n--b--\r\n",
	    M MULTI("mixed") "\r\n--b\r\n" T QP
	    "\r\n=C3=BC\r\n--b--\r\n" },
	{ M MULTI("mixed") "\r\n--b\r\n" T "\r\nabc " U " \r\n--b--",
	    M MULTI("mixed") "\r\n--b\r\n" T QP
	    "\r\nabc =C3=BC=20\r\n--b--" },
	/* a part without its header's end, one without anything */
	{ M MULTI("mixed") "\r\n--b\r\n--b\r\n" T "--b\r\n\r\n--b\r\n\r\n" U,
	    M MULTI("mixed") "\r\n--b\r\n--b\r\n" T "--b\r\n\r\n--b\r\n"
	    QP "\r\n=C3=BC=\r\n" },
	/* multiparts in each other; the outer boundary ends the inner one */
	{ M MULTI("mixed") "\r\n--b\r\nContent-Type: multipart/related;"
	    " boundary=c\r\n" E("8bit") "\r\n--c\r\n\r\n" U "\r\n--b\r\n\r\n"
	    U "\r\n--c\r\n" U "\r\n--b--\r\n",
	    M MULTI("mixed") "\r\n--b\r\nContent-Type: multipart/related;"
	    " boundary=c\r\n" E("7bit") "\r\n--c\r\n" QP
	    "\r\n=C3=BC\r\n--b\r\n" QP "\r\n=C3=BC\r\n=2D-c\r\n=C3=BC\r\n"
	    "--b--\r\n" },
	/* messages within it */
	{ M MULTI("mixed") "\r\n--b\r\nContent-Type: message/rfc822\r\n"
	    E("8bit") "\r\nSubject: y\r\n\r\n" U "\r\n--b--\r\n",
	    M MULTI("mixed") "\r\n--b\r\nContent-Type: message/rfc822\r\n"
	    E("7bit") "\r\nSubject: y\r\nMIME-Version: 1.0\r\n"
	    "Content-Type: text/plain; charset=unknown-8bit\r\n" QP
	    "\r\n=C3=BC\r\n--b--\r\n" },
	{ M MULTI("digest") "\r\n--b\r\n\r\n" M T "\r\n" U "\r\n--b--\r\n",
	    M MULTI("digest") "\r\n--b\r\n\r\n" M T QP
	    "\r\n=C3=BC\r\n--b--\r\n" },
	{ M "Content-Type: message/global\r\n\r\nSubject: " U "\r\n\r\n",
	    M "Content-Type: message/global\r\n" QP
	    "\r\nSubject: =C3=BC\r\n\r\n" },
	/* what has an encoding keeps it */
	{ M E("base64") "\r\n/w==\r\n", NULL },
	{ M MULTI("mixed") E("base64") "\r\n--b\r\n", NULL },
	/* what can't be told in 7 bits */
	{ "Subject: " U "\r\n\r\nx\r\n", "!octets above 127" },
	{ "S" U ": x\r\n\r\nx\r\n", "!octets above 127" },
	{ "A: x\r\n b" U "\r\n\r\nx\r\n", "!octets above 127" },
	{ M MULTI("mixed") "\r\n--b\r\nX: " U "\r\n\r\nx\r\n--b--\r\n",
	    "!octets above 127" },
	{ M MULTI("mixed") "\r\n" U "\r\n--b--\r\n", "!between" },
	{ M MULTI("mixed") "\r\n--b--\r\n" U "\r\n", "!between" },
	{ M MULTI("mixed") "\r\n--b\r\n\r\n" U "\r\n--b--\r\nx\n",
	    "!between" },
	{ M MULTI("mixed") "\r\n--b\r\n\r\n" U "\r\n--b--\r\nx\r",
	    "!CR alone" },
	{ M "Content-Type: message/partial; id=1\r\n\r\n" U "\r\n",
	    "!may not be encoded" },
	{ M "Content-Type: message/external-body\r\n\r\n" U "\r\n",
	    "!may not be encoded" },
	{ M "Content-Type: multipart/mixed\r\n\r\n" U "\r\n",
	    "!may not be encoded" },
	{ M E("base64") "\r\n" U "\r\n", "!its encoding" },
	{ M E("x-uuencode") "\r\n" U "\r\n", "!its encoding" },
	{ M MULTI("mixed") E("base64") "\r\n--b\r\n\r\n" U "\r\n--b--\r\n",
	    "!its encoding" },
	/* what two readers may understand in two ways */
	{ M T T "\r\n" U "\r\n", "!two types" },
	{ M E("8bit") E("7bit") "\r\n" U "\r\n", "!two encodings" },
	{ "no field\r\n\r\n" U "\r\n", "!no field" },
	{ " fold\r\n\r\n" U "\r\n", "!a fold" },
	{ "A: x\n\r\n" U "\r\n", "!CR or LF" },
	{ "A: x\ry\r\n\r\n" U "\r\n", "!CR or LF" },
	{ "A: x\r\n\r" U "\r\n", "!octets above 127" },
	{ "A: x\r\n\rx\r\n", "!CR or LF" },
	{ "A: x\r\nB", "!within a header" },
};

static void
check_row(size_t i, size_t step)
{
	struct span in = span_str(rows[i].in);
	const char *want = rows[i].out == NULL ? rows[i].in : rows[i].out;
	struct mime_plan plan;
	struct buf out;

	buf_init(&out, 65536);
	whole_convert(in, step, &plan, &out);
	if (want[0] == '!') {
		cr_assert_not_null(plan.why_not, "row %zu", i);
		cr_expect_not_null(strstr(plan.why_not, want + 1),
		    "row %zu: %s", i, plan.why_not);
	} else {
		cr_expect_null(plan.why_not, "row %zu: %s", i, plan.why_not);
		cr_expect(span_equal(buf_span(&out), span_str(want)),
		    "row %zu by %zu: %.*s", i, step, (int)out.n, out.p);
		cr_expect_eq(plan.size, out.n, "row %zu", i);
		cr_expect_eq(plan.is_needed, rows[i].out != NULL);
	}
	mime_plan_clear(&plan);
	buf_clear(&out);
}

Test(mime_convert, rows)
{
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		for (size_t step = 1; step < 40; step += step < 4 ? 1 : 17)
			check_row(i, step);
}

/* C5321-35: a NUL and a long line are no 7-bit text. */
Test(mime_convert, octets)
{
	static const char nul[] = "A: b\r\n" M "\r\nx\0\r\n";
	static const char want[] = "A: b\r\n" M QP "\r\nx=00\r\n";
	struct mime_plan plan;
	struct buf in, out;

	buf_init(&in, 65536);
	buf_init(&out, 65536);
	whole_convert(span_of(nul, sizeof(nul) - 1), 5, &plan, &out);
	cr_expect(span_equal(buf_span(&out), span_str(want)));
	mime_plan_clear(&plan);
	for (size_t n = 998; n < 1000; n++) {
		buf_reset(&in);
		buf_reset(&out);
		buf_add_str(&in, M "\r\n");
		for (size_t i = 0; i < n; i++)
			buf_add_byte(&in, 'x');
		buf_add_str(&in, "\r\n");
		whole_convert(buf_span(&in), 700, &plan, &out);
		cr_expect_eq(plan.is_needed, n > 998);
		cr_expect_eq(whole_longest_line(buf_span(&out)),
		    n > 998 ? 76 : n);
		mime_plan_clear(&plan);
	}
	buf_clear(&in);
	buf_clear(&out);
}

static const struct {
	const char *in;
	bool breaks_signed, breaks_dkim;
} seals[] = {
	{ M MULTI("signed") E("8bit") "\r\n--b\r\n\r\nx\r\n--b--\r\n",
	    false, false },
	{ M MULTI("signed") "\r\n--b\r\n\r\n" U "\r\n--b--\r\n", true, false },
	{ M MULTI("signed") "\r\n--b\r\n" E("8bit") "\r\nx\r\n--b--\r\n",
	    true, false },
	{ M MULTI("signed") "\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n"
	    "A: b\r\n\r\n" U "\r\n--b--\r\n", true, false },
	{ "DKIM-Signature: v=1\r\n" M T "\r\n" U "\r\n", false, true },
	{ "ARC-Message-Signature: i=1\r\n" M T "\r\n" U "\r\n", false, true },
	{ "DKIM-Signature: v=1\r\n" M T "\r\nx\r\n", false, false },
	{ M "Content-Type: message/rfc822\r\n\r\nDKIM-Signature: v=1\r\n"
	    "\r\n" U "\r\n", false, false },
};

/* 8BIT-06: what a conversion breaks is known before. */
Test(mime_convert, signatures)
{
	for (size_t i = 0; i < COUNT_OF(seals); i++) {
		struct mime_plan plan;
		struct buf out;

		buf_init(&out, 65536);
		whole_convert(span_str(seals[i].in), 7, &plan, &out);
		cr_expect_eq(plan.breaks_signed, seals[i].breaks_signed,
		    "row %zu", i);
		cr_expect_eq(plan.breaks_dkim, seals[i].breaks_dkim,
		    "row %zu", i);
		mime_plan_clear(&plan);
		buf_clear(&out);
	}
}

/* Another message than that of the plan is noticed. */
Test(mime_convert, another)
{
	static const char more[] = M MULTI("mixed") "\r\n--b\r\n\r\nx\r\n";
	struct mime_convert *c;
	struct mime_plan plan;
	struct buf out;

	buf_init(&out, 65536);
	whole_convert(SPAN_LIT(T "\r\n" U "\r\n"), 9, &plan, &out);
	cr_assert_eq(mime_convert_new(&plan, &c), OK);
	cr_expect_eq(mime_convert_feed(c, span_str(more), &out), ERR_CORRUPT);
	cr_expect_eq(mime_convert_end(c, &out), ERR_CORRUPT);
	mime_convert_free(&c);
	mime_plan_clear(&plan);
	buf_clear(&out);
}
