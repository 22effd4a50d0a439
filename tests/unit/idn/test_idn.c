#include "common/idn/idn.h"

#include <criterion/criterion.h>

#include "common/base/check.h"

/* UTF8-05: expectations by the tables of RFC 5892 and Python's idna, not by
 * libidn2 */
static const struct {
	const char *name;
	enum err e;
	const char *ascii;
} names[] = {
	{ "example.org", OK, "example.org" },
	{ "Example.ORG", OK, "Example.ORG" },
	{ "under_score.example", OK, "under_score.example" },
	{ "m\xc3\xbcller.example", OK, "xn--mller-kva.example" },
	{ "M\xc3\x9cLLER.example", OK, "xn--mller-kva.example" },
	/* decomposed: u and U+0308 */
	{ "mu\xcc\x88ller.example", OK, "xn--mller-kva.example" },
	/* sharp s is a letter of its own since IDNA2008 */
	{ "stra\xc3\x9f""e.example", OK, "xn--strae-oqa.example" },
	{ "\xe4\xbe\x8b\xe5\xad\x90.\xe4\xb8\xad\xe5\x9b\xbd", OK,
	    "xn--fsqu00a.xn--fiqs8s" },
	/* an ideographic full stop parts labels */
	{ "\xe4\xbe\x8b\xe3\x80\x82""cn", OK, "xn--fsq.cn" },
	/* a snowman is no letter */
	{ "\xe2\x98\x83.example", ERR_SYNTAX, NULL },
	/* two hyphens where an A-label has them */
	{ "xn--\xc3\xbc.example", ERR_SYNTAX, NULL },
	{ "a\xff.example", ERR_SYNTAX, NULL },
	{ "\xed\xa0\x80.example", ERR_SYNTAX, NULL },
};

Test(idn, to_ascii)
{
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		char out[IDN_ASCII_MAX + 1];
		struct span ascii = SPAN_NONE;

		cr_expect_eq(idn_to_ascii(span_str(names[i].name), out,
		    &ascii), names[i].e, "%s", names[i].name);
		if (names[i].ascii != NULL)
			cr_expect(span_equal(ascii, span_str(names[i].ascii)),
			    "%s: %.*s", names[i].name, (int)ascii.n,
			    (const char *)ascii.p);
	}
}

Test(idn, lengths_and_nul)
{
	char out[IDN_ASCII_MAX + 1], name[400];
	struct span ascii;

	for (size_t n = 1; n < sizeof(name) / 2; n++) {
		for (size_t i = 0; i < n; i++)
			memcpy(name + 2 * i, "\xc3\xbc", 2);
		enum err e = idn_to_ascii(span_of(name, 2 * n), out, &ascii);

		cr_expect(e == OK || e == ERR_RANGE || e == ERR_SYNTAX);
		cr_expect(e != OK || ascii.n <= 63, "a label of %zu", ascii.n);
	}
	cr_expect_eq(idn_to_ascii(span_of("\xc3\xbc\0x", 4), out, &ascii),
	    ERR_SYNTAX);
}
