/*
 * The header of a message, read as it streams by, or field by field.
 *
 * Linear in its bytes and free of allocation whatever the header holds.
 * Nothing here repairs or refuses: broken fields are skipped or given as
 * they are.  RFC 5322 2.2; the obsolete blank before a colon is accepted.
 */
#ifndef MTAD_MAIL_HEADER_H
#define MTAD_MAIL_HEADER_H

#include "common/base/span.h"

/* A scan over chunks of any size; init by header_scan_init(). */
struct header_scan {
	uint64_t bytes;		/* of the header so far, empty line included */
	uint32_t received;	/* Received fields, for the hop count */
	bool is_done;		/* the empty line was seen */
	bool has_8bit;
	bool has_nul;
	uint8_t state;		/* private, as is what follows */
	uint8_t matched;
};

void header_scan_init(struct header_scan *h);

/* Takes the next bytes of the message; returns how many of them belong to
 * the header.  The rest is body and need not be fed. */
size_t header_scan_feed(struct header_scan *h, struct span chunk);

/* Octets up to and including the first empty line; all when there is none.
 * A message that begins with an empty line has an empty header. */
size_t header_length(struct span message);

struct header_field {
	struct span name;	/* without blanks and colon */
	struct span body;	/* raw, folds inside, no final line end */
	struct span whole;	/* with its line end */
};

/* Takes the next field off REST (a header, see header_length).  Lines that
 * are no field are skipped.  False at the end. */
bool header_next(struct span *rest, struct header_field *out);

/* The first field of that name, whatever its case. */
bool header_find(struct span header, struct span name,
    struct header_field *out);

#endif
