#include "queued/keep/keep_rest.h"

#include "queued/store/store_body.h"
#include "queued/store/store_list.h"

/* More than a recipient has; and what is kept of bytes in which none begins. */
enum { RCPT_BYTES_MAX = 4096 };

void
keep_rest_init(struct keep_rest *r, struct store *s,
    const struct store_message *list)
{
	struct envelope head;

	*r = (struct keep_rest){ .store = s, .list = list,
	    .at = list->list.at };
	if (envelope_check(list->envelope, &head) == OK)
		r->flags = head.flags;
	buf_init(&r->bytes, RCPT_BYTES_MAX + STORE_BODY_BLOCK);
}

void
keep_rest_clear(struct keep_rest *r)
{
	buf_clear(&r->bytes);
}

/* Behind what is there the next block of the file; one that is damaged leaves
 * nothing to be joined. */
static enum err
read_block(struct keep_rest *r)
{
	uint64_t next = (r->at / STORE_BODY_BLOCK + 1) * STORE_BODY_BLOCK;
	size_t n = (size_t)((next < r->list->list.bytes ? next :
	    r->list->list.bytes) - r->at);
	enum err e;

	buf_drop(&r->bytes, r->bytes.n - r->rest.n);
	e = store_list_bytes(r->store, r->list, r->at, n, &r->bytes);
	if (e != OK && e != ERR_CORRUPT)
		return e;
	if (e == ERR_CORRUPT)
		buf_reset(&r->bytes);
	r->at += n;
	r->rest = buf_span(&r->bytes);
	return e;
}

/* Goes to where a recipient begins; else to where one may that is cut. */
static bool
find_begin(struct keep_rest *r)
{
	struct envelope_rcpt ignored;

	for (size_t i = 0; i < r->rest.n; i++) {
		struct span s = span_from(r->rest, i);

		if (envelope_next_rcpt(&s, r->flags, &ignored) != OK)
			continue;
		r->rest = span_from(r->rest, i);
		return true;
	}
	if (r->rest.n > RCPT_BYTES_MAX)
		r->rest = span_from(r->rest, r->rest.n - RCPT_BYTES_MAX);
	return false;
}

/* Bytes whose sums are right need not be recipients. */
static bool
is_none(const struct keep_rest *r)
{
	return r->rest.n >= RCPT_BYTES_MAX ||
	    (r->rest.n > 0 && r->at == r->list->list.bytes);
}

enum err
keep_rest_next(struct keep_rest *r, struct envelope_rcpt *out)
{
	enum err e = OK;

	for (;;) {
		if (r->is_gap)
			r->is_gap = !find_begin(r);
		if (!r->is_gap && envelope_next_rcpt(&r->rest, r->flags,
		    out) == OK)
			return OK;
		if (!r->is_gap && is_none(r))
			e = ERR_CORRUPT;
		else if (r->at == r->list->list.bytes)
			return ERR_NOT_FOUND;
		else if ((e = read_block(r)) != OK && e != ERR_CORRUPT)
			return e;
		if (e == ERR_CORRUPT && !r->is_gap) {
			r->is_gap = true;
			return e;
		}
	}
}
