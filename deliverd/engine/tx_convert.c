/*
 * What a host lacks is met by what the operator wants (deliver.eight_bit).
 *
 * A signature over what is converted does not hold any more.  Of a
 * multipart/signed that is its sender's own mistake: what it holds has to be
 * 7-bit text (RFC 1847 2.1).  A broken DKIM-Signature counts as none (RFC 6376
 * 6.1).  So neither stops the mail by itself, and both are told of.
 */
#include "deliverd/engine/tx_convert.h"

#include <stdlib.h>

#include "common/base/check.h"
#include "common/conf/conf_choices.h"
#include "common/mime/mime_convert.h"
#include "deliverd/engine/tx_fault.h"

/* What is converted at a time; it grows to some three times as much. */
#define PIECE		((size_t)16 * 1024)
#define PIECE_GROWN	(4 * PIECE + 8192)

struct tx_convert {
	struct mime_plan *plan;		/* being made */
	struct mime_survey *survey;
	struct mime_convert *pass;
	struct buf piece;
};

bool
tx_convert_is_needed(const struct tx *t, const struct tx_mail *m)
{
	if ((m->flags & TX_CONTENT_BINARY) != 0)
		return !smtp_ext_has(&t->ext, SMTP_EXT_BINARYMIME) ||
		    !smtp_ext_has(&t->ext, SMTP_EXT_CHUNKING);
	return (m->flags & TX_CONTENT_8BIT) != 0 &&
	    !smtp_ext_has(&t->ext, SMTP_EXT_8BITMIME) &&
	    m->eight_bit != CONF_EIGHT_BIT_PASS;
}

const char *
tx_convert_refusal(const struct tx_mail *m)
{
	if (m->eight_bit == CONF_EIGHT_BIT_RETURN)
		return "that is not wanted here (eight_bit)";
	if (m->plan == NULL)
		return NULL;
	if (m->plan->breaks_signed &&
	    m->eight_bit == CONF_EIGHT_BIT_CONVERT_UNSIGNED)
		return "that would break the signature of its sender";
	return m->plan->why_not;
}

/* Stuffed dots don't count, but the CRLF that a last line lacks (RFC 1870 3):
 * behind a conversion it may be there already. */
uint64_t
tx_convert_size(const struct tx_mail *m)
{
	uint64_t size = m->size;

	if (m->is_converted && m->plan != NULL)
		size = m->plan->size;
	if ((m->flags & TX_CONTENT_NO_EOL) != 0 && !m->is_chunked)
		size += 2;
	return size;
}

static void
stop(struct tx_convert *c)
{
	mime_survey_free(&c->survey);
	mime_convert_free(&c->pass);
	if (c->plan != NULL)
		mime_plan_clear(c->plan);
	free(c->plan);
	c->plan = NULL;
	buf_clear(&c->piece);
}

/* In memory only while something is converted. */
static struct tx_convert *
prepare(struct tx *t)
{
	if (t->convert == NULL) {
		t->convert = calloc(1, sizeof(*t->convert));
		if (t->convert == NULL)
			return NULL;
		buf_init(&t->convert->piece, PIECE_GROWN);
	} else {
		stop(t->convert);
	}
	return t->convert;
}

void
tx_convert_free(struct tx *t)
{
	if (t->convert == NULL)
		return;
	stop(t->convert);
	free(t->convert);
	t->convert = NULL;
}

/* ---- the first pass ---- */

static enum err
begin_survey(struct tx *t)
{
	struct tx_convert *c = prepare(t);

	if (c == NULL)
		return ERR_NOMEM;
	c->plan = malloc(sizeof(*c->plan));
	if (c->plan == NULL)
		return ERR_NOMEM;
	mime_plan_init(c->plan);
	return mime_survey_new(c->plan, &c->survey);
}

void
tx_convert_look(struct tx *t, struct span bytes, bool is_last)
{
	struct tx_convert *c = t->convert;
	struct tx_mail *m = t->mail;

	t->progress++;
	if ((c == NULL || c->survey == NULL) && begin_survey(t) != OK) {
		tx_content_failed(t);
		return;
	}
	c = t->convert;
	mime_survey_feed(c->survey, bytes);
	if (!is_last)
		return;
	if (mime_survey_end(c->survey) != OK) {
		tx_content_failed(t);
		return;
	}
	m->plan = c->plan;
	c->plan = NULL;
	stop(c);
	tx_send_looked(t);
}

/* ---- the second ---- */

enum err
tx_convert_start(struct tx *t)
{
	struct tx_convert *c = prepare(t);

	if (c == NULL)
		return ERR_NOMEM;
	return mime_convert_new(t->mail->plan, &c->pass);
}

static enum err
convert_piece(struct tx *t, struct span bytes)
{
	struct tx_convert *c = t->convert;
	enum err e;

	buf_reset(&c->piece);
	e = mime_convert_feed(c->pass, bytes, &c->piece);
	smtp_dots_out_feed(&t->dots, buf_span(&c->piece), t->out);
	return buf_failed(&c->piece) ? ERR_NOMEM : e;
}

enum err
tx_convert_content(struct tx *t, struct span bytes, bool is_last)
{
	struct tx_convert *c = t->convert;
	enum err e = OK;

	for (; bytes.n > 0 && e == OK; bytes = span_from(bytes, PIECE))
		e = convert_piece(t, span_sub(bytes, 0, PIECE));
	if (e != OK || !is_last)
		return e;
	buf_reset(&c->piece);
	e = mime_convert_end(c->pass, &c->piece);
	smtp_dots_out_feed(&t->dots, buf_span(&c->piece), t->out);
	if (buf_failed(&c->piece))
		e = ERR_NOMEM;
	if (e == OK)
		stop(c);
	return e;
}
