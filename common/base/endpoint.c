/*
 * A colon may belong to an IPv6 address or begin a port.  Brackets decide;
 * without them two colons make an address: "::1:25" is one without a port.
 */
#include "common/base/endpoint.h"

#include "common/base/text.h"

#include <stdio.h>

/* A leading zero is refused: 025 is 21 to some readers.  Digits behind the
 * fifth are looked at only to tell a syntax error from a number too large. */
enum err
endpoint_parse_port(struct span text, uint16_t *port)
{
	uint32_t v = 0;

	if (text.n == 0 || text.p[0] == '0')
		return text.n == 1 ? ERR_RANGE : ERR_SYNTAX;
	for (size_t i = 0; i < text.n; i++) {
		if (!text_is_digit(text.p[i]))
			return ERR_SYNTAX;
		if (v <= UINT16_MAX)
			v = v * 10 + (uint32_t)(text.p[i] - '0');
	}
	if (v > UINT16_MAX)
		return ERR_RANGE;
	*port = (uint16_t)v;
	return OK;
}

/* Splits "[v6]:port", "v4:port", or an address alone; the port may be empty
 * only when there was no colon for it. */
static enum err
split(struct span text, struct span *addr, struct span *port, bool *has_port)
{
	size_t end = span_find(text, ':');

	if (text.n > 0 && text.p[0] == '[') {
		end = span_find(text, ']');
		if (end == text.n)
			return ERR_SYNTAX;
		*addr = span_sub(text, 1, end - 1);
		/* brackets are for IPv6 alone */
		if (span_find(*addr, ':') == addr->n)
			return ERR_SYNTAX;
		end++;
	} else if (end < text.n &&
	    span_find(span_from(text, end + 1), ':') < text.n - end - 1) {
		end = text.n;		/* two colons: an IPv6 address */
		*addr = text;
	} else {
		*addr = span_sub(text, 0, end);
	}
	*has_port = end < text.n;
	if (*has_port && text.p[end] != ':')
		return ERR_SYNTAX;
	*port = span_from(text, end + 1);
	return OK;
}

enum err
endpoint_parse(struct span text, uint16_t default_port, struct endpoint *out)
{
	struct endpoint e = { .port = default_port };
	struct span addr, port;
	bool has_port;

	if (split(text, &addr, &port, &has_port) != OK)
		return ERR_SYNTAX;
	if (ipaddr_parse(addr, &e.addr) != OK)
		return ERR_SYNTAX;
	if (has_port) {
		enum err err = endpoint_parse_port(port, &e.port);

		if (err != OK)
			return err;
	}
	if (e.port == 0)
		return ERR_SYNTAX;
	*out = e;
	return OK;
}

/* IPv6 in brackets, so that endpoint_parse() finds the same port. */
size_t
endpoint_format(const struct endpoint *e, char out[ENDPOINT_TEXT_SIZE])
{
	char addr[IPADDR_TEXT_SIZE];

	ipaddr_format(&e->addr, addr);
	return (size_t)snprintf(out, ENDPOINT_TEXT_SIZE,
	    e->addr.family == IPADDR_6 ? "[%s]:%u" : "%s:%u", addr,
	    (unsigned)e->port);
}

bool
endpoint_equal(const struct endpoint *a, const struct endpoint *b)
{
	return a->port == b->port && ipaddr_equal(&a->addr, &b->addr);
}
