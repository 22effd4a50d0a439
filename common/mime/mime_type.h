/*
 * What a Content-Type and a Content-Transfer-Encoding field say, as far as a
 * conversion has to know it (RFC 2045 5 and 6).
 */
#ifndef MTAD_MIME_MIME_TYPE_H
#define MTAD_MIME_MIME_TYPE_H

#include "common/base/span.h"

#define MIME_BOUNDARY_MAX 200	/* RFC 2046 5.1.1 has 70 */

enum mime_kind {
	MIME_LEAF,		/* its body may get any encoding */
	MIME_OPAQUE,		/* it may not, and is not looked into */
	MIME_MULTIPART,
	MIME_MESSAGE,		/* another header and body */
};

struct mime_type {
	uint8_t kind;		/* enum mime_kind */
	bool is_digest;		/* its parts are messages unless they say else */
	bool is_signed;		/* RFC 1847: its parts are not to be changed */
	uint8_t boundary_n;
	char boundary[MIME_BOUNDARY_MAX];
};

enum mime_cte {
	MIME_CTE_NONE,		/* no such field */
	MIME_CTE_7BIT, MIME_CTE_8BIT, MIME_CTE_BINARY,
	MIME_CTE_ENCODED,	/* quoted-printable, base64 or unknown */
};

/* BODY of the field, folds inside or not.  What can't be read is a leaf, RFC
 * 2045 5.2; a multipart without a boundary is opaque. */
void mime_type_parse(struct span body, struct mime_type *out);

enum mime_cte mime_cte_parse(struct span body);

#endif
