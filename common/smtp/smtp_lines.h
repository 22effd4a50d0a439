/*
 * Command lines out of a byte stream, RFC 5321 2.3.8: only CRLF ends one.
 *
 * Nothing is copied: the caller keeps its input until a line is whole, and
 * what is given borrows it.  A line with a bare CR or LF, and one that is too
 * long, is told of at once and once; then all up to the next CRLF is thrown
 * away and counted, so that the caller can hang up on an endless one.
 */
#ifndef MTAD_SMTP_SMTP_LINES_H
#define MTAD_SMTP_SMTP_LINES_H

#include "common/base/span.h"

/* Octets with CRLF.  More than RFC 5321's 512 and what its extensions add;
 * a peer that sends 64 KiB behind it is told 421. */
#define SMTP_LINES_MAX		8192
#define SMTP_LINES_EXCESS_MAX	65536

enum smtp_lines_event {
	SMTP_LINES_NONE,	/* all consumed, or more input is needed */
	SMTP_LINES_LINE,	/* a line, without its CRLF */
	SMTP_LINES_BARE,	/* a bare CR or LF: 500 5.5.2, not executed */
	SMTP_LINES_LONG,	/* too long: 500 5.5.6, not executed */
};

struct smtp_lines {
	size_t max;		/* octets of a line with its CRLF */
	size_t scanned;		/* of the input, free of line ends */
	uint64_t excess;	/* octets thrown away of the current line */
	bool is_skipping;	/* up to the next CRLF */
	bool has_cr;		/* the octet skipped last was a CR */
};

void smtp_lines_init(struct smtp_lines *l, size_t max);

/*
 * Looks for the next line at the start of IN.  Adds to *CONSUMED the octets
 * the caller may drop; the next call's input begins behind them and may be
 * longer at its end.  LINE is set with SMTP_LINES_LINE only.  Call again
 * until SMTP_LINES_NONE.
 */
enum smtp_lines_event smtp_lines_next(struct smtp_lines *l, struct span in,
    size_t *consumed, struct span *line);

#endif
