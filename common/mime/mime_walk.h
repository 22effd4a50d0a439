/*
 * A message taken apart as it streams by: the fields of its headers, the bodies
 * of its parts, and what lies between them (RFC 2045, RFC 2046 5.1).
 *
 * All octets come out again, in order and once, as ops->bytes(); joined they
 * are the message.  Linear, free of allocation; chunks may have any size.
 * Only CRLF ends a line.  A boundary of any multipart around counts, the
 * innermost first; the CRLF before it belongs to it.
 *
 * What can't be understood for sure stops the walk: see mime_walk_fault().
 */
#ifndef MTAD_MIME_MIME_WALK_H
#define MTAD_MIME_MIME_WALK_H

#include "common/mime/mime_type.h"

#define MIME_DEPTH_MAX	100	/* multiparts and messages in each other */
#define MIME_PARTS_MAX	10000	/* headers: parts and messages */
#define MIME_TYPE_MAX	4096	/* octets of a Content-Type field */
#define MIME_LINE_MAX	512	/* of a field that is to be replaced */

enum mime_bytes {
	MIME_FIELDS,		/* of a header; but not … */
	MIME_TRANSFER,		/* … Content-Transfer-Encoding: in one piece */
	MIME_BLANK,		/* the empty line */
	MIME_BODY,		/* of a leaf, or of what is opaque */
	MIME_BETWEEN,		/* boundaries, and text that is no part */
};

/* A header that is over. */
struct mime_entity {
	uint8_t kind;		/* enum mime_kind */
	uint8_t cte;		/* enum mime_cte */
	bool is_root;		/* of a message, which may lie in another */
	bool has_type;
	bool has_version;	/* MIME-Version */
	bool has_dkim;		/* DKIM-Signature, or ARC's (RFC 8617) */
	bool is_signed;		/* a multipart/signed lies around it */
};

struct mime_ops {
	void (*begin)(void *ctx);		/* of a header */
	void (*header)(void *ctx, const struct mime_entity *e);	/* its end */
	void (*bytes)(void *ctx, enum mime_bytes what, struct span s);
	/* of a body that came as MIME_BODY; of the message, too */
	void (*end)(void *ctx, bool is_last);
};

struct mime_frame {			/* a multipart that is open */
	uint8_t depth;
	uint8_t n;
	bool is_digest;
	bool is_signed;
	char boundary[MIME_BOUNDARY_MAX];
};

struct mime_walk {
	/* private */
	const struct mime_ops *ops;
	void *ctx;
	const char *fault;
	struct mime_entity entity;
	uint32_t parts;
	uint8_t depth;
	uint8_t n_frames;
	uint8_t state;
	uint8_t field;			/* what the present one is */
	bool is_leaf;			/* MIME_BODY, not MIME_BETWEEN */
	bool has_crlf;			/* held back: it may be a boundary's */
	bool has_cr;			/* read, not given */
	bool is_digest;			/* the part's multipart is */
	uint16_t line_n, type_n;
	char line[MIME_LINE_MAX];
	char type[MIME_TYPE_MAX];
	struct mime_frame frames[MIME_DEPTH_MAX];
};

/* OPS and CTX are borrowed. */
void mime_walk_init(struct mime_walk *w, const struct mime_ops *ops,
    void *ctx);
void mime_walk_feed(struct mime_walk *w, struct span chunk);
void mime_walk_end(struct mime_walk *w);

/* Why the walk stopped, as a sentence's end ("a header …"); NULL: it did not. */
static inline const char *
mime_walk_fault(const struct mime_walk *w)
{
	return w->fault;
}

#endif
