/*
 * The byte form of an envelope, its only writer and its only reader.  The
 * table of limits below is what a reader takes; a writer here is given values
 * that were checked when they came in, and writes nothing beyond it.
 *
 * Numbers that the reader doesn't know are skipped or end it, by their tag
 * alone, so an older version can carry what a newer one wrote (docs/SPOOL.md).
 * No order is demanded but one: flags stand before addresses, because they say
 * how addresses are to be read.
 *
 * Checked bytes are walked again without checking them anew where only their
 * frame matters (the `as_is` copies, the iterator).
 */
#include "common/mail/envelope.h"

#include "common/base/check.h"
#include "common/base/wire.h"
#include "common/mail/address.h"
#include "common/mail/header_notes.h"
#include "common/mail/orcpt.h"
#include "common/mail/xtext.h"

/* Numbers are part of the spool's format: append, never renumber. */
enum tag {
	TAG_SENDER = 1,
	TAG_CLIENT = 2,
	TAG_HELO = 3,
	TAG_LISTENER = 4,
	TAG_ARRIVED = 5,
	TAG_FLAGS = 6,
	TAG_LONGEST_LINE = 7,
	TAG_RET = 8,
	TAG_ENVID = 9,
	TAG_PRIORITY = 10,
	TAG_HOLD = 11,
	TAG_BY = 12,
	TAG_USER = 13,
	TAG_HOLD_ASKED = 14,
	TAG_HEADERS = 15,
	TAG_LAST,		/* of those above, which stand once */
	TAG_RCPT = 64,
};

enum rcpt_tag {
	RCPT_ADDRESS = 1,
	RCPT_NOTIFY = 2,
	RCPT_ORCPT = 3,
	RCPT_LAST,
};

/* all that RFC 3461 4.1 knows; other bits are refused */
#define NOTIFY_ALL (ENVELOPE_NOTIFY_NEVER | ENVELOPE_NOTIFY_SUCCESS | \
    ENVELOPE_NOTIFY_FAILURE | ENVELOPE_NOTIFY_DELAY)

/* Lengths that an attribute can have. */
struct limits {
	size_t min, max;
};

static const struct limits head_limits[TAG_LAST] = {
	[TAG_SENDER] = { 0, ADDRESS_MAX },
	[TAG_CLIENT] = { 0, 16 },
	[TAG_HELO] = { 0, ENVELOPE_HELO_MAX },
	[TAG_LISTENER] = { 2, 2 },
	[TAG_ARRIVED] = { 8, 8 },
	[TAG_FLAGS] = { 4, 4 },
	[TAG_LONGEST_LINE] = { 4, 4 },
	[TAG_RET] = { 1, 1 },
	[TAG_ENVID] = { 1, ENVELOPE_ENVID_MAX },
	[TAG_PRIORITY] = { 1, 1 },
	[TAG_HOLD] = { 8, 8 },
	[TAG_BY] = { 9, 9 },
	[TAG_USER] = { 1, ENVELOPE_USER_MAX },
	[TAG_HOLD_ASKED] = { 1, ENVELOPE_HOLD_ASKED_MAX },
	[TAG_HEADERS] = { 1, HEADER_NOTES_MAX },
};

static const struct limits rcpt_limits[RCPT_LAST] = {
	[RCPT_ADDRESS] = { 1, ADDRESS_MAX },
	[RCPT_NOTIFY] = { 1, 1 },
	[RCPT_ORCPT] = { 1, ENVELOPE_ORCPT_MAX },
};

/* ---- writing ---- */

static void
put_span(struct buf *out, unsigned tag, struct span s)
{
	wire_put_u8(out, (uint8_t)tag);
	wire_put_span(out, s);
}

/* Little-endian, as wire.h has it, in as many bytes as the tag wants.  The
 * length is written, too: a reader that doesn't know the tag needs it. */
static void
put_number(struct buf *out, unsigned tag, uint64_t v, uint32_t bytes)
{
	wire_put_u8(out, (uint8_t)tag);
	wire_put_u32(out, bytes);
	for (; bytes > 0; bytes--) {
		buf_add_byte(out, (uint8_t)v);
		v >>= 8;
	}
}

/* The time in eight octets, then what is to be done. */
static void
put_by(const struct envelope *e, struct buf *out)
{
	wire_put_u8(out, TAG_BY);
	wire_put_u32(out, 9);
	wire_put_u64(out, (uint64_t)e->by_ms);
	wire_put_u8(out, e->by);
}

void
envelope_put_head(const struct envelope *e, struct buf *out)
{
	wire_put_u8(out, ENVELOPE_VERSION);
	/* flags first: they say how addresses are to be read */
	put_number(out, TAG_FLAGS, e->flags, 4);
	put_span(out, TAG_SENDER, e->sender);
	put_number(out, TAG_ARRIVED, e->arrived_at, 8);
	put_number(out, TAG_LISTENER, e->listener, 2);
	put_span(out, TAG_HELO, e->helo);
	if (e->client.n > 0)
		put_span(out, TAG_CLIENT, e->client);
	if (e->longest_line > 0)
		put_number(out, TAG_LONGEST_LINE, e->longest_line, 4);
	if (e->ret != ENVELOPE_RET_NONE)
		put_number(out, TAG_RET, e->ret, 1);
	if (e->envid.n > 0)
		put_span(out, TAG_ENVID, e->envid);
	if (e->priority != 0)
		put_number(out, TAG_PRIORITY, (uint8_t)e->priority, 1);
	if (e->hold_ms > 0)
		put_number(out, TAG_HOLD, e->hold_ms, 8);
	if (e->by != 0)
		put_by(e, out);
	if (e->user.n > 0)
		put_span(out, TAG_USER, e->user);
	if (e->hold_asked.n > 0)
		put_span(out, TAG_HOLD_ASKED, e->hold_asked);
	if (e->headers.n > 0)
		put_span(out, TAG_HEADERS, e->headers);
}

void
envelope_put_rcpt(const struct envelope_rcpt *r, struct buf *out)
{
	size_t at;

	/* the length is known when the inner attributes are written */
	wire_put_u8(out, TAG_RCPT);
	at = out->n;
	wire_put_u32(out, 0);
	put_span(out, RCPT_ADDRESS, r->address);
	if (r->notify != 0)
		put_number(out, RCPT_NOTIFY, r->notify, 1);
	if (r->orcpt.n > 0)
		put_span(out, RCPT_ORCPT, r->orcpt);
	if (!buf_failed(out))
		wire_patch_u32(out, at, (uint32_t)(out->n - at - 4));
}

void
envelope_put_head_as_is(const struct envelope *old, struct buf *out)
{
	struct wire w;

	wire_init(&w, old->bytes);
	wire_put_u8(out, wire_u8(&w));
	while (wire_more(&w)) {
		uint8_t tag = wire_u8(&w);
		struct span value = wire_span(&w, old->bytes.n);

		if (tag != TAG_RCPT)
			put_span(out, tag, value);
	}
}

void
envelope_put_rcpt_as_is(const struct envelope_rcpt *r, struct buf *out)
{
	put_span(out, TAG_RCPT, r->bytes);
}

/* ---- reading ---- */

/* Little-endian; its length was checked, so it has eight octets at most. */
static uint64_t
number_of(struct span s)
{
	uint64_t v = 0;

	for (size_t i = s.n; i > 0; i--)
		v = v << 8 | s.p[i - 1];
	return v;
}

/*
 * What every attribute must pass, of LAST known kinds and SEEN before: OK to
 * take it, ERR_NOT_FOUND to skip it.
 */
static enum err
check_attribute(unsigned tag, size_t n, const struct limits *limits,
    unsigned last, uint32_t *seen)
{
	if (tag >= ENVELOPE_TAG_CRITICAL)
		return ERR_VERSION;
	if (tag == 0 || tag >= last)
		return ERR_NOT_FOUND;
	if ((*seen >> tag & 1) != 0)
		return ERR_SYNTAX;
	*seen |= 1U << tag;
	return n < limits[tag].min || n > limits[tag].max ? ERR_RANGE : OK;
}

/*
 * The last gate in front of `MAIL FROM:<…>` to another server, so the address
 * is parsed whole: no bracket, blank or line break can hide in it.  Without a
 * domain it may be, as <postmaster> is.
 */
static enum err
check_address(struct span s, uint32_t flags)
{
	unsigned rules = ADDRESS_UNDERSCORE | ADDRESS_BARE;
	struct address a;

	if ((flags & ENVELOPE_UTF8) != 0)
		rules |= ADDRESS_UTF8;
	return address_parse(s, rules, &a) == OK ? OK : ERR_SYNTAX;
}

/* The set of RFC 3461 4.1; bits that are none of it are refused, so that a
 * later version can give them a meaning. */
static bool
is_notify(uint64_t set)
{
	if ((set & ~(uint64_t)NOTIFY_ALL) != 0)
		return false;
	/* RFC 3461 4.1: NEVER stands alone */
	return (set & ENVELOPE_NOTIFY_NEVER) == 0 ||
	    set == ENVELOPE_NOTIFY_NEVER;
}

/* RFC 2852 section 4 */
static enum err
check_by(const struct envelope *e)
{
	unsigned mode = e->by & ~(unsigned)ENVELOPE_BY_TRACE;

	if (mode != ENVELOPE_BY_RETURN && mode != ENVELOPE_BY_NOTIFY)
		return ERR_SYNTAX;
	return e->by_ms <= ENVELOPE_BY_MAX && e->by_ms >= -ENVELOPE_BY_MAX ?
	    OK : ERR_RANGE;
}

/* An attribute of the message whose length is right already. */
static enum err
take_head(struct envelope *e, unsigned tag, struct span v)
{
	switch ((enum tag)tag) {
	case TAG_SENDER:
		e->sender = v;
		return v.n == 0 ? OK : check_address(v, e->flags);
	case TAG_CLIENT:
		e->client = v;
		return v.n == 0 || v.n == 4 || v.n == 16 ? OK : ERR_RANGE;
	/* any octets: whoever shows it makes it harmless (received.h) */
	case TAG_HELO:
		e->helo = v;
		return OK;
	case TAG_LISTENER:
		e->listener = (uint16_t)number_of(v);
		return OK;
	case TAG_ARRIVED:
		e->arrived_at = number_of(v);
		return OK;
	case TAG_FLAGS:
		e->flags = (uint32_t)number_of(v);
		return (e->flags & ENVELOPE_FLAGS_CRITICAL) != 0 ?
		    ERR_VERSION : OK;
	case TAG_LONGEST_LINE:
		e->longest_line = (uint32_t)number_of(v);
		return OK;
	case TAG_RET:
		e->ret = (uint8_t)number_of(v);
		return e->ret == ENVELOPE_RET_FULL ||
		    e->ret == ENVELOPE_RET_HDRS ? OK : ERR_SYNTAX;
	case TAG_ENVID:
		e->envid = v;
		return xtext_is_printable(v) ? OK : ERR_SYNTAX;
	case TAG_PRIORITY:
		e->priority = (int8_t)number_of(v);
		return e->priority >= -ENVELOPE_PRIORITY_MAX &&
		    e->priority <= ENVELOPE_PRIORITY_MAX ? OK : ERR_RANGE;
	case TAG_HOLD:
		e->hold_ms = number_of(v);
		return e->hold_ms <= ENVELOPE_HOLD_MAX ? OK : ERR_RANGE;
	case TAG_BY:
		e->by_ms = (int64_t)number_of(span_sub(v, 0, 8));
		e->by = v.p[8];
		return check_by(e);
	/* any octets, as HELO */
	case TAG_USER:
		e->user = v;
		return OK;
	case TAG_HOLD_ASKED:
		e->hold_asked = v;
		return xtext_is_printable(v) ? OK : ERR_SYNTAX;
	/* any octets: whoever reads it takes what is well formed */
	case TAG_HEADERS:
		e->headers = v;
		return OK;
	case TAG_LAST:
	case TAG_RCPT:
		break;
	}
	return OK;
}

/* The same of a recipient. */
static enum err
take_rcpt(struct envelope_rcpt *r, unsigned tag, struct span v, uint32_t flags)
{
	switch ((enum rcpt_tag)tag) {
	case RCPT_ADDRESS:
		r->address = v;
		return check_address(v, flags);
	case RCPT_NOTIFY:
		r->notify = v.p[0];
		return is_notify(r->notify) ? OK : ERR_SYNTAX;
	case RCPT_ORCPT:
		r->orcpt = v;
		return orcpt_is_valid(v, (flags & ENVELOPE_UTF8) != 0) ?
		    OK : ERR_SYNTAX;
	case RCPT_LAST:
		break;
	}
	return OK;
}

enum err
envelope_check_rcpt(struct span attribute, uint32_t flags,
    struct envelope_rcpt *out)
{
	struct envelope_rcpt r = { .bytes = attribute };
	uint32_t seen = 0;
	struct wire w;

	wire_init(&w, attribute);
	while (wire_more(&w)) {
		uint8_t tag = wire_u8(&w);
		struct span v = wire_span(&w, attribute.n);
		enum err e;

		if (w.is_failed)
			return ERR_SYNTAX;
		e = check_attribute(tag, v.n, rcpt_limits, RCPT_LAST, &seen);
		if (e == OK)
			e = take_rcpt(&r, tag, v, flags);
		if (e != OK && e != ERR_NOT_FOUND)
			return e;
	}
	if (wire_done(&w) != OK || r.address.n == 0)
		return ERR_SYNTAX;
	*out = r;
	return OK;
}

enum err
envelope_next_rcpt(struct span *rest, uint32_t flags,
    struct envelope_rcpt *out)
{
	struct span bytes;
	struct wire w;
	enum err e;

	wire_init(&w, *rest);
	if (wire_u8(&w) != TAG_RCPT)
		return ERR_SYNTAX;
	bytes = wire_span(&w, rest->n);
	if (w.is_failed)
		return ERR_SYNTAX;
	if ((e = envelope_check_rcpt(bytes, flags, out)) == OK)
		*rest = span_of(w.p, w.n);
	return e;
}

static enum err
take_attribute(struct envelope *e, unsigned tag, struct span v, uint32_t *seen)
{
	struct envelope_rcpt r;
	enum err err;

	/* counted before it is read: the limit bounds the work, too */
	if (tag == TAG_RCPT) {
		if (e->rcpt_count++ == ENVELOPE_RCPT_COUNT_MAX)
			return ERR_RANGE;
		return envelope_check_rcpt(v, e->flags, &r);
	}
	err = check_attribute(tag, v.n, head_limits, TAG_LAST, seen);
	return err == OK ? take_head(e, tag, v) : err;
}

enum err
envelope_check(struct span bytes, struct envelope *out)
{
	struct envelope e = { .bytes = bytes };
	uint32_t seen = 0;
	struct wire w;

	wire_init(&w, bytes);
	if (wire_u8(&w) != ENVELOPE_VERSION)
		return w.is_failed ? ERR_SYNTAX : ERR_VERSION;
	while (wire_more(&w)) {
		uint8_t tag = wire_u8(&w);
		struct span v = wire_span(&w, bytes.n);
		enum err err;

		if (w.is_failed)
			return ERR_SYNTAX;
		err = take_attribute(&e, tag, v, &seen);
		if (err != OK && err != ERR_NOT_FOUND)
			return err;
	}
	if (wire_done(&w) != OK || (seen >> TAG_SENDER & 1) == 0)
		return ERR_SYNTAX;
	*out = e;
	return OK;
}

void
envelope_iter_init(const struct envelope *e, struct envelope_iter *it)
{
	it->rest = span_from(e->bytes, 1);	/* behind the version */
	it->index = UINT32_MAX;
}

bool
envelope_iter_next(struct envelope_iter *it, struct envelope_rcpt *out)
{
	struct wire w;

	wire_init(&w, it->rest);
	while (wire_more(&w)) {
		uint8_t tag = wire_u8(&w);
		struct span v = wire_span(&w, it->rest.n);

		if (tag != TAG_RCPT || w.is_failed)
			continue;
		it->rest = span_of(w.p, w.n);
		it->index++;
		/* UTF8: whether it may be so was checked before */
		MUST(envelope_check_rcpt(v, ENVELOPE_UTF8, out) == OK);
		return true;
	}
	it->rest = SPAN_NONE;
	return false;
}
