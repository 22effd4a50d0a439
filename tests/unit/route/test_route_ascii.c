#include "common/route/route_ascii.h"

#include <criterion/criterion.h>

#include "common/base/check.h"

/* UTF8-15 */
static const struct {
	const char *address;
	const char *ascii;	/* NULL: none */
} addresses[] = {
	{ "", "" },
	{ "a", "a" },
	{ "a@b.example", "a@b.example" },
	{ "a@[192.0.2.1]", "a@[192.0.2.1]" },
	{ "a@m\xc3\xbcller.example", "a@xn--mller-kva.example" },
	{ "\"a@b\"@m\xc3\xbcller.example", "\"a@b\"@xn--mller-kva.example" },
	{ "\xc3\xbc@b.example", NULL },
	{ "\xc3\xbc@m\xc3\xbcller.example", NULL },
	{ "m\xc3\xbcller", NULL },
	{ "a@\xe2\x98\x83.example", NULL },
	{ "a@b\xff.example", NULL },
	/* wide forms of >, of a blank, of @, and of a digit */
	{ "a@b\xef\xbc\x9e.example", NULL },
	{ "a@b\xe3\x80\x80.example", NULL },
	{ "a@b\xef\xbc\xa0.example", NULL },
	{ "a@b\xef\xbc\x91.example", "a@b1.example" },
};

Test(route_ascii, table)
{
	for (size_t i = 0; i < COUNT_OF(addresses); i++) {
		char room[ROUTE_ASCII_SIZE];
		struct span out = SPAN_NONE;
		enum err e = route_ascii(span_str(addresses[i].address), room,
		    &out);

		cr_expect_eq(e, addresses[i].ascii != NULL ? OK : ERR_SYNTAX,
		    "row %zu", i);
		if (addresses[i].ascii != NULL)
			cr_expect(span_equal(out,
			    span_str(addresses[i].ascii)), "row %zu: %.*s", i,
			    (int)out.n, (const char *)out.p);
	}
}

Test(route_ascii, too_long)
{
	char address[600], room[ROUTE_ASCII_SIZE];
	struct span out;

	memset(address, 'a', sizeof(address));
	memcpy(address + 400, "@m\xc3\xbcller.example", 17);
	cr_expect_eq(route_ascii(span_of(address, 417), room, &out),
	    ERR_SYNTAX);
}
