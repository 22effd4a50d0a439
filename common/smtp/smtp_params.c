/*
 * An iterator over words.  Form is checked here, meaning is not: which
 * parameters are offered and what they may say depends on configuration and
 * verb, and is the engine's business.  The first mistake ends the iteration,
 * because a command with one is refused as a whole.
 */
#include "common/smtp/smtp_params.h"

#include "common/base/check.h"
#include "common/base/text.h"
#include "common/base/utf8.h"

_Static_assert(SMTP_PARAM_COUNT <= 32, "ids are bits of `seen`");

static enum smtp_param_id
find_id(struct span keyword)
{
	static const struct span keywords[SMTP_PARAM_COUNT] = {
#define PARAM(name, text) [SMTP_PARAM_##name] = SPAN_LIT(text),
#include "common/smtp/smtp_params.def"
#undef PARAM
	};

	for (unsigned i = SMTP_PARAM_UNKNOWN + 1; i < SMTP_PARAM_COUNT; i++) {
		if (span_equal_nocase(keywords[i], keyword))
			return (enum smtp_param_id)i;
	}
	return SMTP_PARAM_UNKNOWN;
}

/* esmtp-keyword of RFC 5321 4.1.2: letters, digits, inner hyphens. */
static bool
is_keyword(struct span s)
{
	if (s.n == 0 || s.p[0] == '-')
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if (!text_is_alpha(s.p[i]) && !text_is_digit(s.p[i]) &&
		    s.p[i] != '-')
			return false;
	}
	return true;
}

/*
 * esmtp-value of RFC 5321 4.1.2: no blank, control character or `=`, with the
 * UTF-8 that RFC 6531 3.3 adds; whoever reads the value knows whether it may be
 * there.
 */
static bool
is_value(struct span s)
{
	if (s.n == 0)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] <= 0x20 || s.p[i] == 0x7f || s.p[i] == '=')
			return false;
	}
	return utf8_is_valid(s);
}

void
smtp_params_init(struct smtp_params *p, struct span text)
{
	*p = (struct smtp_params){ .rest = text };
}

/* One word.  OUT may be half set on a failure: the caller gives it a copy. */
static enum err
parse(struct span word, struct smtp_param *out)
{
	size_t n = span_find(word, '=');

	out->keyword = span_sub(word, 0, n);
	out->has_value = n < word.n;
	out->value = span_from(word, n + 1);
	if (!is_keyword(out->keyword))
		return ERR_SYNTAX;
	if (out->has_value && !is_value(out->value))
		return ERR_SYNTAX;
	out->id = find_id(out->keyword);
	return OK;
}

enum err
smtp_params_next(struct smtp_params *p, struct smtp_param *out)
{
	struct smtp_param param;
	struct span word;
	enum err e;

	/* more than one blank between two is against the grammar, harmless
	 * and seen in the wild */
	while (p->rest.n > 0 && p->rest.p[0] == ' ')
		p->rest = span_from(p->rest, 1);
	if (p->rest.n == 0)
		return ERR_NOT_FOUND;
	word = span_sub(p->rest, 0, span_find(p->rest, ' '));
	p->rest = span_from(p->rest, word.n);
	e = parse(word, &param);
	/* unknown ones are refused anyhow, so only known ones are counted */
	if (e == OK && param.id != SMTP_PARAM_UNKNOWN) {
		if ((p->seen >> param.id & 1) != 0) {
			p->twice = param.id;
			e = ERR_EXISTS;
		}
		p->seen |= 1U << param.id;
	}
	if (e != OK) {
		p->rest = SPAN_NONE;
		return e;
	}
	*out = param;
	return OK;
}

enum err
smtp_params_size(const struct smtp_param *p, uint64_t *out)
{
	return p->has_value ? smtp_params_octets(p->value, out) : ERR_SYNTAX;
}

enum err
smtp_params_octets(struct span digits, uint64_t *out)
{
	uint64_t v = 0;

	if (digits.n == 0)
		return ERR_SYNTAX;
	for (size_t i = 0; i < digits.n; i++) {
		unsigned digit = (unsigned)digits.p[i] - '0';

		if (digit > 9)
			return ERR_SYNTAX;
		/* more than 64 bits is more than any limit: stay there */
		if (v > (UINT64_MAX - digit) / 10)
			v = UINT64_MAX;
		else
			v = v * 10 + digit;
	}
	*out = v;
	return OK;
}

enum err
smtp_params_priority(const struct smtp_param *p, int8_t *out)
{
	struct span s = p->has_value ? p->value : SPAN_NONE;
	bool is_negative = s.n == 2 && s.p[0] == '-';
	int v;

	s = span_from(s, is_negative);
	if (s.n != 1 || s.p[0] < '0' || s.p[0] > '9' ||
	    (is_negative && s.p[0] == '0'))
		return ERR_SYNTAX;
	v = s.p[0] - '0';
	*out = (int8_t)(is_negative ? -v : v);
	return OK;
}

enum err
smtp_params_body(const struct smtp_param *p, enum smtp_body *out)
{
	static const struct span values[] = {
		[SMTP_BODY_7BIT] = SPAN_LIT("7BIT"),
		[SMTP_BODY_8BITMIME] = SPAN_LIT("8BITMIME"),
		[SMTP_BODY_BINARYMIME] = SPAN_LIT("BINARYMIME"),
	};

	for (unsigned i = 0; p->has_value && i < COUNT_OF(values); i++) {
		if (span_equal_nocase(values[i], p->value)) {
			*out = (enum smtp_body)i;
			return OK;
		}
	}
	return ERR_SYNTAX;
}
