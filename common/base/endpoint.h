/*
 * An IP address and a port, and their text: "192.0.2.1:25", "[2001:db8::1]:25".
 */
#ifndef MTAD_BASE_ENDPOINT_H
#define MTAD_BASE_ENDPOINT_H

#include "common/base/ipaddr.h"

#define ENDPOINT_TEXT_SIZE 54

struct endpoint {
	struct ipaddr addr;
	uint16_t port;
};

/*
 * DEFAULT_PORT is taken when the text has none; 0: a port is required.  IPv6
 * needs brackets when a port follows.  ERR_SYNTAX, ERR_RANGE (port 0 or above
 * 65535).
 */
enum err endpoint_parse(struct span text, uint16_t default_port,
    struct endpoint *out);

/* A decimal port, 1..65535, no sign and no leading zero. */
enum err endpoint_parse_port(struct span text, uint16_t *port);

/* NUL-terminated; returns the length. */
size_t endpoint_format(const struct endpoint *e, char out[ENDPOINT_TEXT_SIZE]);

bool endpoint_equal(const struct endpoint *a, const struct endpoint *b);

#endif
