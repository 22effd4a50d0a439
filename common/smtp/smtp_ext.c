/*
 * Reads the EHLO reply of a next hop.  Its text comes from smtp_response.c, so
 * it is printable, bounded and parted by \n; here it only has to be looked
 * through for words that are known.
 */
#include "common/smtp/smtp_ext.h"

#include "common/base/check.h"
#include "common/base/text.h"
#include "common/smtp/smtp_sasl_client.h"

_Static_assert(SMTP_EXT_COUNT <= 32, "ids are bits of `set`");

static const struct span keywords[SMTP_EXT_COUNT] = {
#define EXT(name, keyword) [SMTP_EXT_##name] = SPAN_LIT(keyword),
#include "common/smtp/smtp_ext.def"
#undef EXT
};

/*
 * A decimal number, or 0 when it is none or doesn't fit: SIZE without a number
 * or with 0 says that no limit is told (RFC 1870 4), and a host that writes
 * nonsense is taken to have said that.
 */
static uint64_t
parse_size(struct span s)
{
	uint64_t v = 0;

	for (size_t i = 0; i < s.n; i++) {
		if (!text_is_digit(s.p[i]) || v > (UINT64_MAX - 9) / 10)
			return 0;
		v = v * 10 + (uint64_t)(s.p[i] - '0');
	}
	return v;
}

/* RFC 9422 4: six digits, and no 0 before others. */
static bool
parse_limit(struct span value, uint32_t *out)
{
	uint32_t v = (uint32_t)parse_size(value);

	if (value.n > 6 || v == 0 || value.p[0] == '0')
		return false;
	*out = v;
	return true;
}

static bool
is_limit_name(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!text_is_alpha(s.p[i]) && !text_is_digit(s.p[i]) &&
		    s.p[i] != '-' && s.p[i] != '_')
			return false;
	return s.n > 0;
}

/* One word of LIMITS; of unknown ones only the form counts. */
static bool
take_limit(struct span word, struct smtp_limits *l)
{
	size_t n = span_find(word, '=');
	struct span name = span_sub(word, 0, n);
	struct span value = span_from(word, n + 1);

	if (span_equal_nocase(name, SPAN_LIT("MAILMAX")))
		return parse_limit(value, &l->mails);
	if (span_equal_nocase(name, SPAN_LIT("RCPTMAX")))
		return parse_limit(value, &l->rcpts);
	if (span_equal_nocase(name, SPAN_LIT("RCPTDOMAINMAX")))
		return parse_limit(value, &l->domains);
	return is_limit_name(name) && span_find(value, ';') == value.n;
}

/* Who can't write one right is not believed in the others, RFC 9422 3. */
static void
parse_limits(struct span s, struct smtp_limits *out)
{
	struct smtp_limits l = { 0 };

	while (s.n > 0) {
		size_t n = span_find(s, ' ');

		if (!take_limit(span_sub(s, 0, n), &l))
			return;
		s = span_from(s, n + 1);
	}
	*out = l;
}

/* What is unknown is none of our business, RFC 5321 4.1.1.1. */
static void
parse_line(struct span line, struct smtp_ext *e)
{
	size_t n = span_find(line, ' ');
	struct span keyword = span_sub(line, 0, n);
	struct span rest = span_from(line, n + 1);

	/* a keyword may stand twice: the last SIZE counts */
	for (unsigned i = 0; i < SMTP_EXT_COUNT; i++) {
		if (!span_equal_nocase(keywords[i], keyword))
			continue;
		e->set |= 1U << i;
		if (i == SMTP_EXT_AUTH)
			e->auth |= sasl_client_offered(rest);
		if (i == SMTP_EXT_SIZE)
			e->size_max = parse_size(span_sub(rest, 0,
			    span_find(rest, ' ')));
		if (i == SMTP_EXT_LIMITS)
			parse_limits(rest, &e->limits);
		/* further words stand behind a comma */
		if (i == SMTP_EXT_DELIVERBY)
			e->by_min = parse_size(span_sub(rest, 0,
			    span_find(rest, ',')));
		return;
	}
}

void
smtp_ext_parse(struct span text, struct smtp_ext *out)
{
	/* the first line greets; a host may be called `dsn` */
	size_t n = span_find(text, '\n');

	*out = (struct smtp_ext){ .set = 0 };
	while (n < text.n) {
		text = span_from(text, n + 1);
		n = span_find(text, '\n');
		parse_line(span_sub(text, 0, n), out);
	}
}

/* The keywords are literals, so the span ends in a NUL. */
const char *
smtp_ext_name(enum smtp_ext_id id)
{
	MUST((size_t)id < COUNT_OF(keywords));
	return (const char *)keywords[id].p;
}
