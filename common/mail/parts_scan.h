/*
 * Whether any header of a message has octets above 127: its own, those of its
 * parts and those of messages within it (RFC 6532 3.2 to 3.7), which only a
 * host with SMTPUTF8 may get.
 *
 * Boundaries are not matched: where a multipart was announced, each line that
 * begins as one is taken for one, so that no header is missed.  Linear, free
 * of allocation, over chunks of any size.
 */
#ifndef MTAD_MAIL_PARTS_SCAN_H
#define MTAD_MAIL_PARTS_SCAN_H

#include "common/base/span.h"

struct parts_scan {
	bool has_8bit;		/* some header has; then nothing more is read */
	/* private */
	bool is_multi;		/* boundaries were announced */
	bool is_digest;		/* parts are messages unless they say else */
	bool is_message;	/* behind this header another one begins */
	uint8_t state;
	uint8_t field_n;
	char field[32];		/* a field's beginning, without blanks */
};

void parts_scan_init(struct parts_scan *p);
void parts_scan_feed(struct parts_scan *p, struct span chunk);

#endif
