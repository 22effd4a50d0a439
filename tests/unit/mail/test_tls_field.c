/*
 * TLS-Required: No in a header, however it is cut into pieces (RTLS-07, RTLS-08).
 */
#include <criterion/criterion.h>

#include "common/base/check.h"
#include "common/mail/tls_field.h"

static bool
says_no(struct span header, size_t piece)
{
	struct tls_field t;

	tls_field_init(&t);
	for (; header.n > 0; header = span_from(header, piece))
		tls_field_feed(&t, span_sub(header, 0, piece));
	return tls_field_says_no(&t);
}

static void
expect(const char *header, bool want)
{
	struct span all = span_str(header);

	for (size_t piece = 1; piece <= all.n; piece++)
		cr_expect_eq(says_no(all, piece), want, "%zu at a time: %s",
		    piece, header);
}

Test(tls_field, fields)
{
	static const char *const yes[] = {
		"TLS-Required: No\r\n",
		"Subject: x\r\nTLS-Required: No\r\nTo: y\r\n",
		"tls-required:no\n",
		"TLS-Required :\r\n\tNO \r\n",
		"X: TLS\r\n TLS-Required: yes\r\nTLS-Required: No\r\n",
	};
	static const char *const no[] = {
		"", "Subject: TLS-Required: No\r\n",
		"TLS-Required: Yes\r\n", "TLS-Required: Not\r\n",
		"TLS-Required: N\r\n", "TLS-Required:\r\n",
		"TLS-Required: No\r\n more\r\n",
		"X: y\r\n TLS-Required: No\r\n",
		"TLS-Requiredx: No\r\n", "xTLS-Required: No\r\n",
		"TLS-Required\r\n: No\r\n",
		"TLS-Required: No\r\nTLS-Required: No\r\n",
		"TLS-Required: Yes\r\nTLS-Required: No\r\n",
	};

	for (size_t i = 0; i < COUNT_OF(yes); i++)
		expect(yes[i], true);
	for (size_t i = 0; i < COUNT_OF(no); i++)
		expect(no[i], false);
}

/* Counters of eight bits do not come round. */
Test(tls_field, very_many)
{
	struct tls_field t;

	tls_field_init(&t);
	for (int i = 0; i < 257; i++)
		tls_field_feed(&t, SPAN_LIT("TLS-Required: No\r\n"));
	cr_expect_not(tls_field_says_no(&t));
	tls_field_init(&t);
	tls_field_feed(&t, SPAN_LIT("TLS-Required: "));
	for (int i = 0; i < 129; i++)
		tls_field_feed(&t, SPAN_LIT("no"));
	cr_expect_not(tls_field_says_no(&t));
}
