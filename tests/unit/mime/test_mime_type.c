/* What Content-Type and Content-Transfer-Encoding say (RFC 2045 5, 6). */
#include "common/mime/mime_type.h"

#include <criterion/criterion.h>

#include "common/base/check.h"

#define S60 "123456789012345678901234567890123456789012345678901234567890"

static const struct {
	const char *body;
	enum mime_kind kind;
	const char *boundary;
} rows[] = {
	{ "", MIME_LEAF, "" },
	{ " text/plain; charset=utf-8", MIME_LEAF, "" },
	{ "text", MIME_LEAF, "" },
	{ "/", MIME_LEAF, "" },
	{ "multipart/mixed; boundary=b", MIME_MULTIPART, "b" },
	{ " MULTIPART/Mixed;\r\n\tBOUNDARY=\"a b\"\r\n", MIME_MULTIPART,
	    "a b" },
	{ "multipart/mixed; boundary=\"a\\\"b\\\\\"", MIME_MULTIPART,
	    "a\"b\\" },
	{ "multipart/mixed; boundary=\"tail  \"", MIME_MULTIPART, "tail" },
	{ "multipart/mixed; boundary==_a/b", MIME_MULTIPART, "=_a/b" },
	{ "multipart/mixed;boundary=x; boundary=y", MIME_MULTIPART, "x" },
	{ "multipart/mixed; name=\"boundary=n\"; boundary=x",
	    MIME_MULTIPART, "x" },
	{ "multipart/mixed; odd; =; boundary = x", MIME_MULTIPART, "x" },
	{ "(a (b)) multipart (c) / (d) mixed (e); (f) boundary (g) = (h) x",
	    MIME_MULTIPART, "x" },
	{ "multipart/mixed", MIME_OPAQUE, "" },
	{ "multipart/mixed; boundary=", MIME_OPAQUE, "" },
	{ "multipart/mixed; boundary=\"\"", MIME_OPAQUE, "" },
	{ "multipart/mixed; boundary=" S60 S60 S60 S60, MIME_OPAQUE, "" },
	{ "multipart/mixed; a=" S60 S60 S60 S60 "; boundary=x",
	    MIME_MULTIPART, "x" },
	{ "multipart/mixed; boundary*=x", MIME_OPAQUE, "" },
	{ "multipart/mixed; (boundary=x", MIME_OPAQUE, "" },
	{ "message/rfc822", MIME_MESSAGE, "" },
	{ "Message/RFC822 ; x=y", MIME_MESSAGE, "" },
	{ "message/partial; id=1; number=1", MIME_OPAQUE, "" },
	{ "message/external-body; access-type=URL", MIME_OPAQUE, "" },
	{ "message/delivery-status", MIME_OPAQUE, "" },
	{ "message/global", MIME_LEAF, "" },
	{ "message/global-delivery-status", MIME_LEAF, "" },
	{ "messages/rfc822", MIME_LEAF, "" },
};

Test(mime_type, kinds)
{
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct mime_type t;

		mime_type_parse(span_str(rows[i].body), &t);
		cr_expect_eq(t.kind, rows[i].kind, "%s", rows[i].body);
		cr_expect(span_equal(span_of(t.boundary, t.boundary_n),
		    span_str(rows[i].boundary)), "%s: %.*s", rows[i].body,
		    t.boundary_n, t.boundary);
	}
}

Test(mime_type, multiparts)
{
	struct mime_type t;

	mime_type_parse(SPAN_LIT("multipart/digest; boundary=b"), &t);
	cr_expect(t.is_digest && !t.is_signed);
	mime_type_parse(SPAN_LIT("multipart/Signed; boundary=b"), &t);
	cr_expect(t.is_signed && !t.is_digest);
}

/* Nothing is read beyond the field, wherever it is cut. */
Test(mime_type, cut)
{
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		for (size_t n = 0; n < strlen(rows[i].body); n++) {
			char *exact = malloc(n + 1);
			struct mime_type t;

			memcpy(exact, rows[i].body, n);
			mime_type_parse(span_of(exact, n), &t);
			(void)mime_cte_parse(span_of(exact, n));
			cr_expect(t.boundary_n <= n);
			free(exact);
		}
}

Test(mime_type, encodings)
{
	cr_expect_eq(mime_cte_parse(SPAN_LIT(" 7bit\r\n")), MIME_CTE_7BIT);
	cr_expect_eq(mime_cte_parse(SPAN_LIT("8BIT (x)")), MIME_CTE_8BIT);
	cr_expect_eq(mime_cte_parse(SPAN_LIT("\r\n binary;")),
	    MIME_CTE_BINARY);
	cr_expect_eq(mime_cte_parse(SPAN_LIT("base64")), MIME_CTE_ENCODED);
	cr_expect_eq(mime_cte_parse(SPAN_LIT("8bits")), MIME_CTE_ENCODED);
	cr_expect_eq(mime_cte_parse(SPAN_LIT("")), MIME_CTE_ENCODED);
}
