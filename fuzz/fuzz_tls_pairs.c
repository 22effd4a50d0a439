/*
 * Files of certificates and keys, as the parent reads them: a chain, an octet
 * 0, a key, an octet 0, an OCSP response.
 */
#include <stdint.h>
#include <string.h>

#include "common/base/check.h"
#include "common/ipc/messages.h"
#include "keyd/pairs.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static struct span
part(struct span *rest)
{
	size_t end = span_find(*rest, '\0');
	struct span s = span_sub(*rest, 0, end);

	*rest = span_from(*rest, end + 1);
	return s;
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct span rest = span_of(bytes, n);
	struct msg_tls_pair row = { .name = SPAN_LIT("f") };
	struct msg_list rows = { .n = 1 };
	struct pairs pairs = { .n = 0 };
	struct buf list, text;
	enum err e;

	buf_init(&list, 1 << 20);
	buf_init(&text, 1 << 16);
	row.chain = part(&rest);
	row.key = part(&rest);
	row.staple = rest;
	msg_put_tls_pair(&list, &row);
	rows.bytes = buf_span(&list);
	e = pairs_load(&rows, (enum pairs_side)(n % 2), 1795834581, &pairs, &text);
	MUST(e == OK ? pairs.n == 1 : pairs.n == 0);
	MUST(e != ERR_SYNTAX || text.n > 0);
	pairs_clear(&pairs);
	buf_clear(&list);
	buf_clear(&text);
	return 0;
}
