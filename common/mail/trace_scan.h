/*
 * How often a message has been here: Received fields whose `by` names this host,
 * RFC 5321 4.4, counted as its header streams by.
 *
 * Linear in its bytes and free of allocation whatever the header holds.  A name
 * in a comment counts nothing, nor does a second `by`.
 */
#ifndef MTAD_MAIL_TRACE_SCAN_H
#define MTAD_MAIL_TRACE_SCAN_H

#include "common/base/span.h"

struct trace_scan {
	uint32_t own;		/* such fields so far */
	uint8_t line;		/* private, as is what follows */
	uint8_t word;
	bool is_same;
	size_t at;
	uint32_t depth;
};

void trace_scan_init(struct trace_scan *t);

/* The next bytes of the header, nothing behind it; HOST is our name. */
void trace_scan_feed(struct trace_scan *t, struct span host,
    struct span chunk);

#endif
