#include "common/mime/mime_convert.h"

#include <stdlib.h>

#include "common/base/check.h"

struct mime_convert {
	const struct mime_plan *plan;
	struct mime_walk walk;
	struct mime_encode encode;
	struct buf *out;
	size_t next;			/* header */
	enum mime_step step;		/* of the present one */
	bool is_said;
	bool is_lost;			/* there are more than in the plan */
};

static void
on_begin(void *ctx)
{
	struct mime_convert *c = ctx;

	c->is_said = false;
	c->step = MIME_KEEP;
	if (c->next >= c->plan->steps.n)
		c->is_lost = true;
	else
		c->step = c->plan->steps.p[c->next++];
	mime_encode_init(&c->encode, c->step == MIME_BASE64);
}

/* Where the field stood before; else at the end of the header. */
static void
on_header(void *ctx, const struct mime_entity *e)
{
	struct mime_convert *c = ctx;

	if (c->step < MIME_QUOTED)
		return;
	buf_add_span(c->out, mime_step_version(e));
	if (!c->is_said)
		buf_add_span(c->out, mime_step_field(c->step));
}

static void
on_bytes(void *ctx, enum mime_bytes what, struct span bytes)
{
	struct mime_convert *c = ctx;

	if (what == MIME_BODY && c->step >= MIME_QUOTED) {
		mime_encode_feed(&c->encode, bytes, c->out);
	} else if (what == MIME_TRANSFER && c->step != MIME_KEEP) {
		buf_add_span(c->out, mime_step_field(c->step));
		c->is_said = true;
	} else {
		buf_add_span(c->out, bytes);
	}
}

static void
on_end(void *ctx, bool is_last)
{
	struct mime_convert *c = ctx;

	if (c->step >= MIME_QUOTED)
		mime_encode_end(&c->encode, is_last, c->out);
}

static const struct mime_ops ops = {
	.begin = on_begin, .header = on_header, .bytes = on_bytes,
	.end = on_end,
};

enum err
mime_convert_new(const struct mime_plan *plan, struct mime_convert **out)
{
	struct mime_convert *c = calloc(1, sizeof(*c));

	MUST(plan->why_not == NULL);
	if (c == NULL)
		return ERR_NOMEM;
	c->plan = plan;
	mime_walk_init(&c->walk, &ops, c);
	*out = c;
	return OK;
}

void
mime_convert_free(struct mime_convert **c)
{
	free(*c);
	*c = NULL;
}

static enum err
state_of(const struct mime_convert *c)
{
	return c->is_lost || mime_walk_fault(&c->walk) != NULL ? ERR_CORRUPT :
	    OK;
}

enum err
mime_convert_feed(struct mime_convert *c, struct span chunk, struct buf *out)
{
	c->out = out;
	mime_walk_feed(&c->walk, chunk);
	return state_of(c);
}

enum err
mime_convert_end(struct mime_convert *c, struct buf *out)
{
	c->out = out;
	mime_walk_end(&c->walk);
	return state_of(c);
}
