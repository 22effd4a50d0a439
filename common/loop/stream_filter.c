/*
 * A stream through a filter.  Raw bytes are read into memory of their own, and
 * come out in the memory that unfiltered bytes are read into; so all behind it
 * is the same for both.
 */
#include "common/loop/stream_filter.h"

#include "common/base/check.h"
#include "common/loop/loop_impl.h"
#include "common/loop/stream_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* Shared by all streams of a loop, made for the first that needs it. */
static enum err
reserve_raw(struct loop *l)
{
	if (l->raw == NULL)
		l->raw = malloc(STREAM_READ_BYTES);
	return l->raw != NULL ? OK : ERR_NOMEM;
}

enum err
stream_set_filter(struct stream *s, struct stream_filter *f)
{
	MUST(s->filter == NULL);
	if (reserve_raw(s->loop) != OK)
		return ERR_NOMEM;
	s->filter = f;
	s->in.max = s->in_max + STREAM_FILTER_EXTRA;
	buf_init(&s->text, s->out.buf.max);
	if (f->ops->begin != NULL) {
		f->ops->begin(f, outq_buf(&s->out));
		deferred_add(&s->write);
	}
	return OK;
}

/* What the owner wrote, as soon as it may go.  The memory goes, too: in it is
 * what the filter hides. */
void
stream_filter_turn(struct stream *s)
{
	const struct stream_filter_ops *ops;

	if (s->filter == NULL || s->text.n == 0)
		return;
	ops = s->filter->ops;
	if (!ops->is_open(s->filter))
		return;
	if (ops->write(s->filter, buf_span(&s->text), outq_buf(&s->out)) != OK)
		s->error = EPROTO;
	if (s->is_text_secret)
		explicit_bzero(s->text.p, s->text.size);
	s->is_text_secret = false;
	if (s->text.size > s->out.keep)
		buf_clear(&s->text);
	else
		buf_reset(&s->text);
}

/* Behind what was read before; *N says how much.  False: nothing more will
 * come, for the reason that END and ERROR give. */
bool
stream_filter_read(struct stream *s, struct span raw, uint8_t *place,
    size_t *n, enum stream_end *end, int *error)
{
	struct buf *out = outq_buf(&s->out);
	const size_t before = out->n;
	const bool was_open = s->filter->ops->is_open(s->filter);
	enum stream_filter_end how = s->filter->ops->read(s->filter, raw,
	    place, n, out);

	if (out->n > before || (s->text.n > 0 && !was_open))
		deferred_add(&s->write);
	if (how == STREAM_FILTER_ON)
		return true;
	*end = how == STREAM_FILTER_EOF ? STREAM_EOF : STREAM_ERROR;
	*error = how == STREAM_FILTER_EOF ? 0 : EPROTO;
	/* an alert is to leave before the owner closes */
	stream_push(s);
	return false;
}

void
stream_filter_end(struct stream *s)
{
	if (s->filter == NULL || s->error != 0)
		return;
	stream_filter_turn(s);
	s->filter->ops->end(s->filter, outq_buf(&s->out));
}

void
stream_filter_free(struct stream *s)
{
	if (s->filter != NULL)
		s->filter->ops->free(s->filter);
	s->filter = NULL;
	if (s->is_text_secret && s->text.p != NULL)
		explicit_bzero(s->text.p, s->text.size);
	buf_clear(&s->text);
}
