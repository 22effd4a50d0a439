/* TXT records of _smtp._tls, RFC 8460 3: RPT-01. */
#include <criterion/criterion.h>

#include "queued/tlsrpt/tlsrpt_record.h"

static enum err
parse(const char *txt, struct tlsrpt_record *out)
{
	return tlsrpt_record_parse(span_str(txt), out);
}

static void
uri_is(const struct tlsrpt_record *r, size_t i, const char *want)
{
	cr_assert_lt(i, r->n);
	cr_assert(span_equal(r->uris[i], span_str(want)), "%.*s",
	    (int)r->uris[i].n, (const char *)r->uris[i].p);
}

Test(tlsrpt_record, of_the_rfc)
{
	struct tlsrpt_record r;

	cr_assert_eq(parse("v=TLSRPTv1;rua=mailto:reports@example.com", &r),
	    OK);
	cr_assert_eq(r.n, 1);
	uri_is(&r, 0, "mailto:reports@example.com");
	cr_assert_eq(parse("v=TLSRPTv1; rua=https://reporting.example.com/v1/"
	    "tlsrpt , MAILTO:a@example.com; ", &r), OK);
	cr_assert_eq(r.n, 2);
	uri_is(&r, 0, "https://reporting.example.com/v1/tlsrpt");
	uri_is(&r, 1, "MAILTO:a@example.com");
}

Test(tlsrpt_record, later_fields_are_skipped)
{
	struct tlsrpt_record r;

	cr_assert_eq(parse("v=TLSRPTv1 ;\tnew=1;rua=mailto:a@b.example;x=y",
	    &r), OK);
	cr_assert_eq(r.n, 1);
	cr_assert_eq(parse("v=TLSRPTv1;rua=ftp://x,mailto:a@b.example", &r),
	    OK);
	cr_assert_eq(r.n, 1);
}

Test(tlsrpt_record, of_something_else)
{
	static const char *const others[] = {
		"", "v=spf1 -all", "v=TLSRPTv2;rua=mailto:a@b.example",
		"v=TLSRPTv1", "v=TLSRPTv10;rua=mailto:a@b.example",
		"V=TLSRPTv1;rua=mailto:a@b.example",
		" v=TLSRPTv1;rua=mailto:a@b.example",
	};
	struct tlsrpt_record r;

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		cr_assert_eq(parse(others[i], &r), ERR_NOT_FOUND, "%s",
		    others[i]);
}

Test(tlsrpt_record, without_a_use)
{
	static const char *const bad[] = {
		"v=TLSRPTv1;", "v=TLSRPTv1;rua=", "v=TLSRPTv1;rua=a@b.example",
		"v=TLSRPTv1;rua=http://plain.example/",
		"v=TLSRPTv1;rua=mailto:a@b.example;rua=mailto:c@d.example",
		"v=TLSRPTv1;rua=mailto:a b@c.example",
		"v=TLSRPTv1;rua=mailto:a\r\nBcc:x@c.example",
	};
	struct tlsrpt_record r;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_assert_eq(parse(bad[i], &r), ERR_SYNTAX, "%s", bad[i]);
}

Test(tlsrpt_record, bounded)
{
	char txt[4000] = "v=TLSRPTv1;rua=mailto:a@b.example";
	struct tlsrpt_record r;

	for (int i = 0; i < 100; i++)
		strcat(txt, ",mailto:a@b.example");
	cr_assert_eq(parse(txt, &r), OK);
	cr_assert_eq(r.n, TLSRPT_URIS_MAX);
}

/* Exactly one counts; what is of something else is not looked at. */
Test(tlsrpt_record, pick)
{
	const struct span one = SPAN_LIT("v=TLSRPTv1;rua=mailto:a@b.example");
	const struct span two[] = { one, SPAN_LIT("v=spf1 -all"), one };
	struct tlsrpt_record r;

	cr_assert_eq(tlsrpt_record_pick(NULL, 0, &r), ERR_NOT_FOUND);
	cr_assert_eq(tlsrpt_record_pick(two, 2, &r), OK);
	cr_assert_eq(tlsrpt_record_pick(two, 3, &r), ERR_NOT_FOUND);
	cr_assert_eq(tlsrpt_record_pick(two + 1, 1, &r), ERR_NOT_FOUND);
}

static enum err
mailbox(const char *uri, char out[TLSRPT_MAILBOX_SIZE])
{
	return tlsrpt_record_mailbox(span_str(uri), out);
}

Test(tlsrpt_record, mailboxes)
{
	char out[TLSRPT_MAILBOX_SIZE];
	char longer[TLSRPT_MAILBOX_SIZE + 20] = "mailto:";

	cr_assert_eq(mailbox("mailto:a@b.example?subject=x", out), OK);
	cr_assert_str_eq(out, "a@b.example");
	cr_assert_eq(mailbox("MailTo:a%2Cb%21c@b.example", out), ERR_SYNTAX);
	cr_assert_eq(mailbox("MailTo:a%21c@b.example", out), OK);
	cr_assert_str_eq(out, "a!c@b.example");
	cr_assert_eq(mailbox("https://a@b.example", out), ERR_NOT_FOUND);
	cr_assert_eq(mailbox("mailto:", out), ERR_SYNTAX);
	cr_assert_eq(mailbox("mailto:a", out), ERR_SYNTAX);
	cr_assert_eq(mailbox("mailto:a%0d%0ax@b.example", out), ERR_SYNTAX);
	cr_assert_eq(mailbox("mailto:a%00@b.example", out), ERR_SYNTAX);
	cr_assert_eq(mailbox("mailto:a%4", out), ERR_SYNTAX);
	cr_assert_eq(mailbox("mailto:a@b.example,c@d.example", out),
	    ERR_SYNTAX);
	memset(longer + 7, 'a', TLSRPT_MAILBOX_SIZE);
	cr_assert_eq(mailbox(longer, out), ERR_SYNTAX);
}
