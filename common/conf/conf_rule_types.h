/*
 * Types of what rules of `routes` ask about a message, besides its addresses,
 * and say about hosts.
 */
#ifndef MTAD_CONF_CONF_RULE_TYPES_H
#define MTAD_CONF_CONF_RULE_TYPES_H

#include <stddef.h>
#include <stdint.h>

enum conf_bound_is {
	CONF_BOUND_NONE,	/* any size */
	CONF_BOUND_ABOVE,	/* >  */
	CONF_BOUND_AT_LEAST,	/* >= */
	CONF_BOUND_BELOW,	/* <  */
	CONF_BOUND_AT_MOST,	/* <= */
};

struct conf_bound {
	enum conf_bound_is is;
	uint64_t bytes;
};

/* A header field whose value matches a pattern (common/base/glob.h). */
struct conf_header {
	const char *name;
	const char *glob;
};

struct conf_headers {
	struct conf_header *v;
	size_t n;
};

/* Over which family hosts are met. */
enum conf_family {
	CONF_FAMILY_ANY, CONF_FAMILY_IPV4, CONF_FAMILY_IPV6,	/* only */
	CONF_FAMILY_IPV4_FIRST, CONF_FAMILY_IPV6_FIRST,
};

/* Names of fields in all rules together, and octets of one:
 * common/mail/header_notes.h has room for so many. */
#define CONF_HEADER_NAMES_MAX	8
#define CONF_HEADER_NAME_MAX	64

#endif
