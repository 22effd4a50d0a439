/*
 * Headers are read octet by octet; of bodies only the lines that begin with
 * two hyphens, and those only where a multipart is open.
 *
 * A line that may be a boundary is gathered, and with it the CRLF before it is
 * held back: whose it is shows when the line is over.
 */
#include "common/mime/mime_walk.h"

#include "common/base/text.h"

enum state {
	FIELD_START,		/* of a line of a header */
	FIELD_BLANK,		/* a CR is all of it so far */
	FIELD_NAME,		/* gathered, up to the colon */
	FIELD_DASHES,		/* gathered: a boundary, or a strange field */
	FIELD_VALUE,
	BODY_START,
	BODY_DASHES,		/* gathered: perhaps a boundary */
	BODY_LINE,
};

enum field { FIELD_NONE, FIELD_OTHER, FIELD_TYPE, FIELD_TRANSFER };

#define CRLF SPAN_LIT("\r\n")

/* Longer ones are none: the longest boundary, hyphens and some blanks. */
#define BOUNDARY_LINE_MAX 256

static void
fail(struct mime_walk *w, const char *why)
{
	if (w->fault == NULL)
		w->fault = why;
}

static void
give(struct mime_walk *w, enum mime_bytes what, struct span s)
{
	if (s.n > 0)
		w->ops->bytes(w->ctx, what, s);
}

static struct span
line_of(const struct mime_walk *w)
{
	return span_of(w->line, w->line_n);
}

static void
begin_entity(struct mime_walk *w, bool is_root, bool is_signed)
{
	if (++w->parts > MIME_PARTS_MAX) {
		fail(w, "it has too many parts");
		return;
	}
	if (++w->depth > MIME_DEPTH_MAX) {
		fail(w, "its parts lie too deep in each other");
		return;
	}
	w->entity = (struct mime_entity){ .is_root = is_root,
	    .is_signed = is_signed };
	w->field = FIELD_NONE;
	w->type_n = 0;
	w->state = FIELD_START;
	w->ops->begin(w->ctx);
}

void
mime_walk_init(struct mime_walk *w, const struct mime_ops *ops, void *ctx)
{
	w->ops = ops;
	w->ctx = ctx;
	w->fault = NULL;
	w->parts = 0;
	w->depth = 0;
	w->n_frames = 0;
	w->line_n = 0;
	w->is_leaf = w->has_crlf = w->has_cr = w->is_digest = false;
	begin_entity(w, true, false);
}

/* ---- bodies ---- */

static enum mime_bytes
body_kind(const struct mime_walk *w)
{
	return w->is_leaf ? MIME_BODY : MIME_BETWEEN;
}

static void
begin_body(struct mime_walk *w, bool is_leaf)
{
	w->is_leaf = is_leaf;
	w->has_crlf = w->has_cr = false;
	w->state = BODY_START;
}

static void
give_crlf(struct mime_walk *w)
{
	if (w->has_crlf)
		give(w, body_kind(w), CRLF);
	w->has_crlf = false;
}

static void
give_cr(struct mime_walk *w)
{
	if (w->has_cr)
		give(w, body_kind(w), SPAN_LIT("\r"));
	w->has_cr = false;
}

/* Which multipart the gathered line is a boundary of; n_frames: none. */
static size_t
find_frame(const struct mime_walk *w, bool *is_close)
{
	struct span line = line_of(w);

	while (line.n > 0 && (line.p[line.n - 1] == ' ' ||
	    line.p[line.n - 1] == '\t'))
		line.n--;
	line = span_from(line, 2);
	for (size_t i = w->n_frames; i-- > 0;) {
		const struct mime_frame *f = &w->frames[i];
		size_t over = line.n - f->n;

		if (line.n < f->n || (over != 0 && over != 2) ||
		    memcmp(line.p, f->boundary, f->n) != 0)
			continue;
		*is_close = over == 2;
		if (over == 0 || memcmp(line.p + f->n, "--", 2) == 0)
			return i;
	}
	return w->n_frames;
}

static void
end_leaf(struct mime_walk *w, bool is_last)
{
	if (w->is_leaf)
		w->ops->end(w->ctx, is_last);
	w->is_leaf = false;
}

/* LINE was gathered without its line end; END is that. */
static bool
take_boundary(struct mime_walk *w, struct span end)
{
	bool is_close = false;
	size_t i = find_frame(w, &is_close);
	const struct mime_frame *f = &w->frames[i];

	if (i == w->n_frames)
		return false;
	end_leaf(w, false);
	give_crlf(w);
	give(w, MIME_BETWEEN, line_of(w));
	give(w, MIME_BETWEEN, end);
	w->line_n = 0;
	w->depth = f->depth;
	w->n_frames = (uint8_t)(i + !is_close);
	if (is_close) {
		begin_body(w, false);
	} else {
		w->is_digest = f->is_digest;
		begin_entity(w, false, f->is_signed);
	}
	return true;
}

/* Not a boundary, or its line goes on for too long. */
static void
give_line(struct mime_walk *w)
{
	struct span line = line_of(w);

	give_crlf(w);
	w->has_cr = line.n > 0 && line.p[line.n - 1] == '\r';
	give(w, body_kind(w), span_sub(line, 0, line.n - w->has_cr));
	w->line_n = 0;
	w->state = BODY_LINE;
}

/* The number of octets taken. */
static size_t
feed_dashes(struct mime_walk *w, uint8_t c)
{
	if (w->line_n < 2 && c != '-') {
		give_line(w);
		return 0;
	}
	if (c == '\n' && w->line[w->line_n - 1] == '\r') {
		w->line_n--;
		if (take_boundary(w, CRLF))
			return 1;
		give_line(w);
		give_cr(w);
		w->has_crlf = true;
		w->state = BODY_START;
		return 1;
	}
	w->line[w->line_n++] = (char)c;
	if (w->line_n == BOUNDARY_LINE_MAX)
		give_line(w);
	return 1;
}

/* CHUNK begins in the middle of a line. */
static size_t
feed_line(struct mime_walk *w, struct span chunk)
{
	size_t n = span_find(chunk, '\n');
	bool is_crlf = n == 0 ? w->has_cr :
	    n < chunk.n && chunk.p[n - 1] == '\r';

	if (is_crlf) {
		if (n > 0) {
			give_cr(w);
			give(w, body_kind(w), span_sub(chunk, 0, n - 1));
		}
		w->has_cr = false;
		w->has_crlf = true;
		w->state = BODY_START;
		return n + 1;
	}
	give_cr(w);
	if (n < chunk.n)	/* a LF alone is no line end */
		n++;
	w->has_cr = chunk.p[n - 1] == '\r';
	give(w, body_kind(w), span_sub(chunk, 0, n - w->has_cr));
	return n;
}

static size_t
feed_body(struct mime_walk *w, struct span chunk)
{
	if (w->n_frames == 0) {		/* nothing ends it any more */
		give(w, body_kind(w), chunk);
		return chunk.n;
	}
	if (w->state == BODY_DASHES)
		return feed_dashes(w, chunk.p[0]);
	if (w->state == BODY_LINE)
		return feed_line(w, chunk);
	if (chunk.p[0] == '-') {
		w->line[0] = '-';
		w->line_n = 1;
		w->state = BODY_DASHES;
		return 1;
	}
	give_crlf(w);
	w->state = BODY_LINE;
	return 0;
}

/* ---- headers ---- */

static void
push_frame(struct mime_walk *w, const struct mime_type *t)
{
	struct mime_frame *f = &w->frames[w->n_frames++];

	f->depth = w->depth;
	f->is_digest = t->is_digest;
	f->is_signed = t->is_signed || w->entity.is_signed;
	f->n = t->boundary_n;
	memcpy(f->boundary, t->boundary, t->boundary_n);
}

static void
close_field(struct mime_walk *w)
{
	struct span whole = line_of(w);

	if (w->field == FIELD_TRANSFER) {
		w->entity.cte = (uint8_t)mime_cte_parse(
		    span_from(whole, span_find(whole, ':') + 1));
		give(w, MIME_TRANSFER, whole);
		w->line_n = 0;
	}
	w->field = FIELD_NONE;
}

/* What is composite may have no encoding (RFC 2045 6.4): if it has one, only
 * who knows it may look inside. */
static void
end_header(struct mime_walk *w, struct span blank)
{
	struct mime_entity *e = &w->entity;
	struct mime_type t = {
		.kind = w->is_digest ? MIME_MESSAGE : MIME_LEAF
	};

	close_field(w);
	w->is_digest = false;
	if (e->has_type)
		mime_type_parse(span_of(w->type, w->type_n), &t);
	if (e->cte == MIME_CTE_ENCODED && t.kind != MIME_LEAF)
		t.kind = MIME_OPAQUE;
	e->kind = t.kind;
	w->ops->header(w->ctx, e);
	give(w, MIME_BLANK, blank);
	/* each multipart is as deep as it is in depth: there is room */
	if (t.kind == MIME_MULTIPART)
		push_frame(w, &t);
	if (t.kind == MIME_MESSAGE && blank.n > 0)
		begin_entity(w, true, e->is_signed);
	else
		begin_body(w, t.kind <= MIME_OPAQUE);
}

static bool
is_name(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] > 126)
			return false;
	return s.n > 0;
}

/* The gathered line has come to its colon, which is its last octet or not. */
static void
begin_field(struct mime_walk *w)
{
	struct span line = line_of(w);
	struct span name = span_sub(line, 0, span_find(line, ':'));

	while (name.n > 0 && (name.p[name.n - 1] == ' ' ||
	    name.p[name.n - 1] == '\t'))
		name.n--;
	w->state = FIELD_VALUE;
	w->has_cr = false;
	w->field = FIELD_OTHER;
	if (!is_name(name)) {
		fail(w, "a header of it has a line that is no field");
	} else if (span_equal_nocase(name, SPAN_LIT("Content-Type"))) {
		w->field = FIELD_TYPE;
		if (w->entity.has_type)
			fail(w, "a header of it has two types");
		w->entity.has_type = true;
	} else if (span_equal_nocase(name,
	    SPAN_LIT("Content-Transfer-Encoding"))) {
		w->field = FIELD_TRANSFER;
		if (w->entity.cte != MIME_CTE_NONE)
			fail(w, "a header of it has two encodings");
		return;
	}
	w->entity.has_version |= span_equal_nocase(name,
	    SPAN_LIT("MIME-Version"));
	w->entity.has_dkim |=
	    span_equal_nocase(name, SPAN_LIT("DKIM-Signature")) ||
	    span_equal_nocase(name, SPAN_LIT("ARC-Message-Signature"));
	give(w, MIME_FIELDS, line);
	w->line_n = 0;
}

static void
start_line(struct mime_walk *w, uint8_t c)
{
	bool is_fold = c == ' ' || c == '\t';

	w->has_cr = false;
	if (c == '\r') {
		w->state = FIELD_BLANK;
		return;
	}
	if (is_fold && w->field == FIELD_NONE) {
		fail(w, "a header of it begins with a fold");
		return;
	}
	if (is_fold) {
		w->state = FIELD_VALUE;
		return;
	}
	close_field(w);
	w->state = c == '-' && w->n_frames > 0 ? FIELD_DASHES : FIELD_NAME;
}

static void
feed_name(struct mime_walk *w, uint8_t c)
{
	w->line[w->line_n++] = (char)c;
	if (c == ':')
		begin_field(w);
	else if (c == '\n' || w->line_n == BOUNDARY_LINE_MAX)
		fail(w, "a header of it has a line that is no field");
}

/* A boundary may hold a colon, so the whole line is needed; what is a field
 * whose name begins with a hyphen shows then. */
static void
feed_name_dashes(struct mime_walk *w, uint8_t c)
{
	bool is_line = c == '\n' && w->line_n > 0 &&
	    w->line[w->line_n - 1] == '\r';

	if (is_line) {
		w->line_n--;
		end_header(w, SPAN_NONE);
		if (take_boundary(w, CRLF))
			return;
	}
	/* rare enough to be left alone */
	if (is_line || w->line_n == BOUNDARY_LINE_MAX)
		fail(w, "a header of it has a line that is no field");
	else
		w->line[w->line_n++] = (char)c;
}

static void
check_octet(struct mime_walk *w, uint8_t c)
{
	if (c >= 0x80)
		fail(w, "a header of it has octets above 127");
}

static void
keep_value(struct mime_walk *w, uint8_t c)
{
	if (w->field == FIELD_TYPE) {
		if (w->type_n == MIME_TYPE_MAX)
			fail(w, "a type in it is too long");
		else
			w->type[w->type_n++] = (char)c;
	} else if (w->field == FIELD_TRANSFER) {
		if (w->line_n == MIME_LINE_MAX)
			fail(w, "an encoding in it is too long");
		else
			w->line[w->line_n++] = (char)c;
	}
}

static size_t
feed_value(struct mime_walk *w, struct span chunk)
{
	size_t i = 0;

	while (i < chunk.n && w->fault == NULL && w->state == FIELD_VALUE) {
		uint8_t c = chunk.p[i++];

		check_octet(w, c);
		if (w->has_cr != (c == '\n'))
			fail(w, "a header of it has a CR or LF alone");
		w->has_cr = c == '\r';
		if (c == '\n')
			w->state = FIELD_START;
		keep_value(w, c);
	}
	if (w->field != FIELD_TRANSFER)
		give(w, MIME_FIELDS, span_sub(chunk, 0, i));
	return i;
}

static size_t
feed_header(struct mime_walk *w, struct span chunk)
{
	uint8_t c = chunk.p[0];

	if (w->state == FIELD_VALUE)
		return feed_value(w, chunk);
	check_octet(w, c);
	if (w->state == FIELD_START) {
		start_line(w, c);
		return c == '\r';
	}
	if (w->state == FIELD_NAME)
		feed_name(w, c);
	else if (w->state == FIELD_DASHES)
		feed_name_dashes(w, c);
	else if (c == '\n')
		end_header(w, CRLF);
	else
		fail(w, "a header of it has a CR or LF alone");
	return 1;
}

/* ---- all of it ---- */

void
mime_walk_feed(struct mime_walk *w, struct span chunk)
{
	while (chunk.n > 0 && w->fault == NULL)
		chunk = span_from(chunk, w->state >= BODY_START ?
		    feed_body(w, chunk) : feed_header(w, chunk));
}

static void
end_in_header(struct mime_walk *w)
{
	bool is_gathered = w->state == FIELD_NAME || w->state == FIELD_DASHES;

	if (w->state == FIELD_DASHES) {
		end_header(w, SPAN_NONE);
		is_gathered = !take_boundary(w, SPAN_NONE);
	}
	if (is_gathered || w->state == FIELD_BLANK || w->has_cr) {
		fail(w, "it ends within a header");
		return;
	}
	if (w->state < BODY_START)
		end_header(w, SPAN_NONE);
}

void
mime_walk_end(struct mime_walk *w)
{
	if (w->fault != NULL)
		return;
	if (w->state < BODY_START)
		end_in_header(w);
	else if (w->state == BODY_DASHES && !take_boundary(w, SPAN_NONE))
		give_line(w);
	if (w->fault != NULL)
		return;
	/* a boundary without its line end has begun an empty part */
	if (w->state < BODY_START)
		end_header(w, SPAN_NONE);
	give_crlf(w);
	give_cr(w);
	end_leaf(w, true);
}
