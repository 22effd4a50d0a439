#include "tests/unit/mime/mime_whole.h"

#include "common/base/base64.h"
#include "common/base/check.h"
#include "common/base/hex.h"
#include "common/base/text.h"

void
whole_convert(struct span message, size_t step, struct mime_plan *plan,
    struct buf *out)
{
	struct mime_survey *survey;
	struct mime_convert *convert;

	mime_plan_init(plan);
	MUST(mime_survey_new(plan, &survey) == OK);
	for (size_t at = 0; at < message.n; at += step)
		mime_survey_feed(survey, span_sub(message, at, step));
	MUST(mime_survey_end(survey) == OK);
	mime_survey_free(&survey);
	if (plan->why_not != NULL)
		return;
	MUST(mime_convert_new(plan, &convert) == OK);
	for (size_t at = 0; at < message.n; at += step)
		MUST(mime_convert_feed(convert, span_sub(message, at, step),
		    out) == OK);
	MUST(mime_convert_end(convert, out) == OK);
	mime_convert_free(&convert);
	MUST(!buf_failed(out));
}

/* ---- leaves ---- */

struct leaves {
	struct mime_walk walk;
	struct buf *out;
	struct buf body;
	char cte[MIME_LINE_MAX];
};

static void
on_begin(void *ctx)
{
	struct leaves *l = ctx;

	l->cte[0] = '\0';
	buf_reset(&l->body);
}

static void
on_header(void *ctx, const struct mime_entity *e)
{
	(void)ctx;
	(void)e;
}

static void
on_bytes(void *ctx, enum mime_bytes what, struct span s)
{
	struct leaves *l = ctx;

	if (what == MIME_BODY)
		buf_add_span(&l->body, s);
	if (what == MIME_TRANSFER) {
		text_lower(s, (uint8_t *)l->cte);
		l->cte[s.n] = '\0';
	}
}

/* As decoders do: lines end in CRLF, blanks at their end are dropped. */
static void
decode_quoted(struct span s, struct buf *out)
{
	static const char digits[] = "0123456789ABCDEF";

	for (size_t i = 0; i < s.n; i++) {
		const char *high, *low;

		if (s.p[i] != '=' || i + 2 >= s.n) {
			buf_add_byte(out, s.p[i]);
			continue;
		}
		high = memchr(digits, s.p[i + 1], 16);
		low = memchr(digits, s.p[i + 2], 16);
		if (high != NULL && low != NULL)
			buf_add_byte(out, (uint8_t)((high - digits) << 4 |
			    (low - digits)));
		else if (s.p[i + 1] != '\r' || s.p[i + 2] != '\n')
			buf_add_span(out, span_sub(s, i, 3));
		i += 2;
	}
}

/* What is no base64 is left as it is. */
static void
decode_base64(struct span s, struct buf *out)
{
	struct buf text;
	size_t n;

	buf_init(&text, s.n + 1);
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] != '\r' && s.p[i] != '\n')
			buf_add_byte(&text, s.p[i]);
	if (buf_reserve(out, s.n + 3) != NULL) {
		if (base64_decode(buf_span(&text), out->p + out->n, s.n + 3,
		    &n) == OK)
			buf_commit(out, n);
		else
			buf_add_span(out, s);
	}
	buf_clear(&text);
}

static void
on_end(void *ctx, bool is_last)
{
	struct leaves *l = ctx;
	struct buf decoded;

	(void)is_last;
	buf_init(&decoded, 4 * l->body.n + 64);
	if (strstr(l->cte, "quoted-printable") != NULL)
		decode_quoted(buf_span(&l->body), &decoded);
	else if (strstr(l->cte, "base64") != NULL)
		decode_base64(buf_span(&l->body), &decoded);
	else
		buf_add_span(&decoded, buf_span(&l->body));
	buf_addf(l->out, "\n%zu:", decoded.n);
	buf_add_span(l->out, buf_span(&decoded));
	buf_clear(&decoded);
}

void
whole_leaves(struct span message, struct buf *out)
{
	static const struct mime_ops ops = {
		.begin = on_begin, .header = on_header, .bytes = on_bytes,
		.end = on_end,
	};
	struct leaves *l = calloc(1, sizeof(*l));

	MUST(l != NULL);
	l->out = out;
	buf_init(&l->body, message.n + 64);
	mime_walk_init(&l->walk, &ops, l);
	mime_walk_feed(&l->walk, message);
	mime_walk_end(&l->walk);
	buf_clear(&l->body);
	free(l);
}

/* ---- lines ---- */

bool
whole_is_7bit(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		bool is_cr = i > 0 && s.p[i - 1] == '\r';

		if (s.p[i] >= 0x80 || s.p[i] == 0 ||
		    is_cr != (s.p[i] == '\n'))
			return false;
	}
	return s.n == 0 || s.p[s.n - 1] != '\r';
}

size_t
whole_longest_line(struct span s)
{
	size_t longest = 0;

	while (s.n > 0) {
		size_t n = span_find(s, '\n');
		size_t text = n > 0 && s.p[n - 1] == '\r' ? n - 1 : n;

		if (text > longest)
			longest = text;
		s = span_from(s, n + 1);
	}
	return longest;
}
