/*
 * A PROXY header: what is whole stays so whatever follows, what is a part is
 * one octet by octet, and nothing behind the header is looked at.
 */
#include "common/base/check.h"
#include "common/base/proxy_header.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
check_whole(struct span in, const struct proxy_header *whole)
{
	struct proxy_header again;

	MUST(whole->bytes > 0 && whole->bytes <= in.n);
	MUST(whole->bytes <= PROXY_HEADER_MAX);
	MUST(!whole->has_client || whole->client.addr.family != IPADDR_NONE);
	MUST(proxy_header_parse(span_sub(in, 0, whole->bytes), &again) ==
	    PROXY_HEADER_WHOLE);
	MUST(again.bytes == whole->bytes);
	MUST(again.has_client == whole->has_client);
	MUST(!again.has_client ||
	    (endpoint_equal(&again.client, &whole->client) &&
	    endpoint_equal(&again.server, &whole->server)));
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct span in = span_of(p, n);
	struct proxy_header h = { 0 }, part = { 0 };
	enum proxy_header_state state = proxy_header_parse(in, &h);
	size_t end = state == PROXY_HEADER_WHOLE ? h.bytes : in.n;

	if (state == PROXY_HEADER_WHOLE)
		check_whole(in, &h);
	else if (state == PROXY_HEADER_MORE)
		MUST(n < PROXY_HEADER_MAX);
	else
		MUST(h.why != NULL);
	for (size_t i = 0; i < end; i++) {
		enum proxy_header_state s =
		    proxy_header_parse(span_sub(in, 0, i), &part);

		MUST(s != PROXY_HEADER_WHOLE);
		MUST(s == PROXY_HEADER_MORE || state == PROXY_HEADER_BAD);
		/* what is wrong already gets no better */
		if (s == PROXY_HEADER_BAD)
			break;
	}
	return 0;
}
