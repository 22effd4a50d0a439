/* Any octets as a domain: what comes out is short ASCII, and stays itself. */
#include "common/base/check.h"
#include "common/base/utf8.h"
#include "common/idn/idn.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char out[IDN_ASCII_MAX + 1], again[IDN_ASCII_MAX + 1];
	struct span ascii, same, in = span_of(data, size);

	if (idn_to_ascii(in, out, &ascii) != OK)
		return 0;
	MUST(utf8_is_ascii(ascii));
	MUST(ascii.p == in.p || ascii.n <= IDN_ASCII_MAX);
	MUST(idn_to_ascii(ascii, again, &same) == OK && same.p == ascii.p);
	return 0;
}
