/*
 * Which records mean something between mail hosts: DANE-03, DANE-04, DANE-09.
 */
#include <criterion/criterion.h>

#include "common/base/check.h"
#include "common/dns/dns_tlsa.h"

static bool
is_usable(unsigned usage, unsigned selector, unsigned matching, size_t n)
{
	static const uint8_t data[200];
	const struct dns_tlsa r = {
		(uint8_t)usage, (uint8_t)selector, (uint8_t)matching,
		span_of(data, n),
	};

	return dns_tlsa_is_usable(&r);
}

/* Every usage, selector and matching type, with every length. */
Test(dns_tlsa, all)
{
	for (unsigned usage = 0; usage < 256; usage++)
		for (unsigned selector = 0; selector < 4; selector++)
			for (unsigned n = 0; n < 130; n++) {
				bool is_known = (usage == 2 || usage == 3) &&
				    selector < 2;

				cr_assert_eq(is_usable(usage, selector, 0, n),
				    is_known && n > 0);
				cr_assert_eq(is_usable(usage, selector, 1, n),
				    is_known && n == 32);
				cr_assert_eq(is_usable(usage, selector, 2, n),
				    is_known && n == 64);
				cr_assert_not(is_usable(usage, selector, 3,
				    n));
				cr_assert_not(is_usable(usage, selector, 255,
				    n));
			}
}
