/*
 * The first of two passes over a message that is to become 7-bit text (RFC 6152
 * 3, RFC 3030 3): whether that can be done, and which encoding each part gets.
 *
 * A leaf is encoded when it has what 7-bit text may not have: an octet above
 * 127, a NUL, a CR or LF alone, a line above 998 octets.  It gets base64 when
 * quoted-printable would be longer by more than a half: that is what has more
 * octets to be quoted than a text in Latin letters.
 * What is composite is never encoded (RFC 2045 6.4), its parts are.
 *
 * A message can't be converted when its headers have octets above 127, when
 * such octets stand where no encoding is allowed or known (between parts, in a
 * message/partial, behind another encoding), or when it can't be understood.
 */
#ifndef MTAD_MIME_MIME_SURVEY_H
#define MTAD_MIME_MIME_SURVEY_H

#include "common/mime/mime_encode.h"
#include "common/mime/mime_walk.h"

enum mime_step {			/* of a part */
	MIME_KEEP,
	MIME_SAY_7BIT,			/* that is what it is */
	MIME_QUOTED,
	MIME_BASE64,
};

struct mime_plan {
	struct buf steps;		/* an octet for each header */
	uint64_t size;			/* octets of the converted message */
	const char *why_not;		/* end of a sentence; NULL: it can be */
	bool is_needed;			/* some part is not kept */
	bool breaks_signed;		/* one of a multipart/signed */
	bool breaks_dkim;		/* of a message with DKIM-Signature */
};

void mime_plan_init(struct mime_plan *p);
void mime_plan_clear(struct mime_plan *p);

/* Some 40 KiB; its memory is bounded whatever is fed. */
struct mime_survey;

/* PLAN is borrowed until mime_survey_free().  ERR_NOMEM. */
enum err mime_survey_new(struct mime_plan *plan, struct mime_survey **out);
void mime_survey_free(struct mime_survey **s);

void mime_survey_feed(struct mime_survey *s, struct span chunk);

/* PLAN is whole.  ERR_NOMEM: something failed that another time may not. */
enum err mime_survey_end(struct mime_survey *s);

/* The field that says STEP, with its CRLF; none for MIME_KEEP. */
struct span mime_step_field(enum mime_step step);

/* What a message without MIME-Version gets that has now an encoding (RFC 1428
 * 3: of undeclared text nobody knows the character set). */
struct span mime_step_version(const struct mime_entity *e);

#endif
