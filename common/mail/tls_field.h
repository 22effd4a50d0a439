/*
 * Whether a message has the field TLS-Required: No (RFC 8689 3), looked for as its
 * header streams by.  More than one such field is none.
 */
#ifndef MTAD_MAIL_TLS_FIELD_H
#define MTAD_MAIL_TLS_FIELD_H

#include "common/base/span.h"

#include <stdbool.h>

struct tls_field {		/* private */
	uint8_t state;
	uint8_t at;		/* in the name */
	uint8_t seen;		/* of the value */
	uint8_t count;		/* of such fields, to 2 */
	bool is_no;		/* the value so far is that, or its begin */
};

void tls_field_init(struct tls_field *t);

/* The next bytes of the header, nothing behind it. */
void tls_field_feed(struct tls_field *t, struct span chunk);

/* When the header is over. */
bool tls_field_says_no(const struct tls_field *t);

#endif
