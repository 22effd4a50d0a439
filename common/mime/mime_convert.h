/*
 * The second pass: the message as its plan (mime_survey.h) says, as it streams
 * by.  What comes out is 7-bit text in lines of CRLF, and decodes to what went
 * in; it ends in CRLF where the plan has encoded its end.
 */
#ifndef MTAD_MIME_MIME_CONVERT_H
#define MTAD_MIME_MIME_CONVERT_H

#include "common/mime/mime_survey.h"

struct mime_convert;

/* PLAN is borrowed; it has no why_not.  ERR_NOMEM. */
enum err mime_convert_new(const struct mime_plan *plan,
    struct mime_convert **out);
void mime_convert_free(struct mime_convert **c);

/* Appends; what N octets become is at most 3.1 * N + 4096.  ERR_CORRUPT: this
 * is not the message of the plan; then all that follows is, too.  Failures of
 * OUT are the caller's to see. */
enum err mime_convert_feed(struct mime_convert *c, struct span chunk,
    struct buf *out);
enum err mime_convert_end(struct mime_convert *c, struct buf *out);

#endif
