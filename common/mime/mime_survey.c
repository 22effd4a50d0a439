/*
 * Sizes are those that the second pass will make, octet by octet: each leaf is
 * written as quoted-printable, too, for its length alone.
 */
#include "common/mime/mime_survey.h"

#include <stdlib.h>

#include "common/base/check.h"

#define LINE_OCTETS_MAX	998	/* RFC 5321 4.5.3.1.6, without CRLF */
#define PIECE		((size_t)16 * 1024)

struct mime_survey {
	struct mime_plan *plan;
	struct mime_walk walk;
	struct mime_encode quoted;
	struct buf scratch;
	struct mime_entity entity;	/* the last header's */
	uint64_t transfer;		/* octets of its field */
	uint64_t bytes;			/* of this body */
	uint64_t quoted_bytes;
	uint64_t line;			/* octets of the present line */
	bool has_8bit, has_nul, has_bare, has_long, has_cr;
};

struct span
mime_step_field(enum mime_step step)
{
	switch (step) {
	case MIME_SAY_7BIT:
		return SPAN_LIT("Content-Transfer-Encoding: 7bit\r\n");
	case MIME_QUOTED:
		return SPAN_LIT(
		    "Content-Transfer-Encoding: quoted-printable\r\n");
	case MIME_BASE64:
		return SPAN_LIT("Content-Transfer-Encoding: base64\r\n");
	case MIME_KEEP:
		break;
	}
	return SPAN_NONE;
}

struct span
mime_step_version(const struct mime_entity *e)
{
	if (!e->is_root || e->has_version)
		return SPAN_NONE;
	return e->has_type ? SPAN_LIT("MIME-Version: 1.0\r\n") :
	    SPAN_LIT("MIME-Version: 1.0\r\n"
	    "Content-Type: text/plain; charset=unknown-8bit\r\n");
}

void
mime_plan_init(struct mime_plan *p)
{
	*p = (struct mime_plan){ .size = 0 };
	buf_init(&p->steps, MIME_PARTS_MAX);
}

void
mime_plan_clear(struct mime_plan *p)
{
	buf_clear(&p->steps);
}

static void
refuse(struct mime_survey *s, const char *why)
{
	if (s->plan->why_not == NULL)
		s->plan->why_not = why;
}

static void
on_begin(void *ctx)
{
	struct mime_survey *s = ctx;

	buf_add_byte(&s->plan->steps, MIME_KEEP);
	s->transfer = 0;
}

/* Of the header that came last; called once for each. */
static void
choose(struct mime_survey *s, enum mime_step step)
{
	struct mime_plan *p = s->plan;

	if (buf_failed(&p->steps))
		return;
	p->steps.p[p->steps.n - 1] = (uint8_t)step;
	p->size += step == MIME_KEEP ? s->transfer : mime_step_field(step).n;
	if (step >= MIME_QUOTED)
		p->size += mime_step_version(&s->entity).n;
	p->is_needed |= step != MIME_KEEP;
	p->breaks_signed |= step != MIME_KEEP && s->entity.is_signed;
}

/* What it says of its octets no longer holds of those that it gets. */
static enum mime_step
relabel(const struct mime_entity *e)
{
	return e->cte == MIME_CTE_8BIT || e->cte == MIME_CTE_BINARY ?
	    MIME_SAY_7BIT : MIME_KEEP;
}

static void
on_header(void *ctx, const struct mime_entity *e)
{
	struct mime_survey *s = ctx;

	if (buf_failed(&s->plan->steps))
		return;
	s->plan->breaks_dkim |= e->has_dkim && s->plan->steps.n == 1;
	s->entity = *e;
	s->bytes = s->quoted_bytes = s->line = 0;
	s->has_8bit = s->has_nul = s->has_bare = s->has_long = false;
	s->has_cr = false;
	mime_encode_init(&s->quoted, false);
	if (e->kind > MIME_OPAQUE)
		choose(s, relabel(e));
}

static void
look(struct mime_survey *s, struct span bytes)
{
	for (size_t i = 0; i < bytes.n; i++) {
		uint8_t c = bytes.p[i];

		s->has_8bit |= c >= 0x80;
		s->has_nul |= c == 0;
		s->has_bare |= s->has_cr != (c == '\n');
		s->has_cr = c == '\r';
		if (c == '\n')
			s->line = 0;
		else if (++s->line > LINE_OCTETS_MAX + 1)
			s->has_long = true;	/* one is its CR */
	}
}

static void
measure(struct mime_survey *s, struct span bytes)
{
	s->bytes += bytes.n;
	for (; bytes.n > 0; bytes = span_from(bytes, PIECE)) {
		buf_reset(&s->scratch);
		mime_encode_feed(&s->quoted, span_sub(bytes, 0, PIECE),
		    &s->scratch);
		s->quoted_bytes += s->scratch.n;
	}
}

/* Of what lies between parts nothing can be encoded. */
static void
look_between(struct mime_survey *s, struct span bytes)
{
	for (size_t i = 0; i < bytes.n; i++) {
		s->has_8bit |= bytes.p[i] >= 0x80;
		s->has_bare |= s->has_cr != (bytes.p[i] == '\n');
		s->has_cr = bytes.p[i] == '\r';
	}
	s->plan->size += bytes.n;
	if (s->has_8bit || s->has_bare)
		refuse(s, "there is more than 7-bit text between its parts");
}

static void
on_bytes(void *ctx, enum mime_bytes what, struct span bytes)
{
	struct mime_survey *s = ctx;

	if (what == MIME_BODY) {
		look(s, bytes);
		measure(s, bytes);
	} else if (what == MIME_BETWEEN) {
		look_between(s, bytes);
	} else if (what == MIME_TRANSFER) {
		s->transfer = bytes.n;
	} else {
		s->plan->size += bytes.n;
	}
}

/* People can read most of what is quoted-printable, so it may be longer. */
static void
choose_encoding(struct mime_survey *s, bool is_last)
{
	uint64_t base64 = mime_encode_base64_bytes(s->bytes, is_last);

	buf_reset(&s->scratch);
	mime_encode_end(&s->quoted, is_last, &s->scratch);
	s->quoted_bytes += s->scratch.n;
	if (s->quoted_bytes <= base64 + base64 / 2) {
		s->plan->size += s->quoted_bytes;
		choose(s, MIME_QUOTED);
	} else {
		s->plan->size += base64;
		choose(s, MIME_BASE64);
	}
}

/* A line without CRLF at the end of a part has the boundary's. */
static void
on_end(void *ctx, bool is_last)
{
	struct mime_survey *s = ctx;
	bool may_encode = s->entity.kind == MIME_LEAF &&
	    s->entity.cte != MIME_CTE_ENCODED;

	s->has_bare |= s->has_cr;
	s->has_cr = false;
	if (may_encode && (s->has_8bit || s->has_nul || s->has_bare ||
	    s->has_long)) {
		choose_encoding(s, is_last);
	} else {
		if (s->has_8bit || s->has_bare)
			refuse(s, s->entity.cte == MIME_CTE_ENCODED ?
			    "a part is not what its encoding says" :
			    "a part of it may not be encoded");
		s->plan->size += s->bytes;
		choose(s, relabel(&s->entity));
	}
	s->has_8bit = s->has_bare = false;
}

static const struct mime_ops ops = {
	.begin = on_begin, .header = on_header, .bytes = on_bytes,
	.end = on_end,
};

enum err
mime_survey_new(struct mime_plan *plan, struct mime_survey **out)
{
	struct mime_survey *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return ERR_NOMEM;
	s->plan = plan;
	/* each octet becomes three, and each line has a sign and CRLF */
	buf_init(&s->scratch, 4 * PIECE);
	mime_walk_init(&s->walk, &ops, s);
	*out = s;
	return OK;
}

void
mime_survey_free(struct mime_survey **s)
{
	if (*s == NULL)
		return;
	buf_clear(&(*s)->scratch);
	free(*s);
	*s = NULL;
}

void
mime_survey_feed(struct mime_survey *s, struct span chunk)
{
	mime_walk_feed(&s->walk, chunk);
}

/* What is not to be changed breaks nothing. */
enum err
mime_survey_end(struct mime_survey *s)
{
	struct mime_plan *p = s->plan;

	mime_walk_end(&s->walk);
	if (buf_failed(&p->steps) || buf_failed(&s->scratch))
		return ERR_NOMEM;
	if (mime_walk_fault(&s->walk) != NULL)
		refuse(s, mime_walk_fault(&s->walk));
	if (s->has_cr)
		refuse(s, "it ends in a CR alone");
	p->breaks_dkim &= p->is_needed;
	return OK;
}
