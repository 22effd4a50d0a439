/* Senders of others under a domain of ours, and back. */
#include <criterion/criterion.h>

#include "common/mail/address.h"
#include "common/mail/srs.h"

#include <ctype.h>
#include <string.h>

static const char *const keys[] = { "first", "second" };
static uint32_t day = 700;

/* FNV-1a: any function of key and text will do here. */
static bool
mac(void *ctx, unsigned key, struct span text, uint8_t out[SRS_MAC_BYTES])
{
	uint64_t h = 14695981039346656037U;
	const char *const *names = ctx;

	for (const char *c = names[key]; *c != '\0'; c++)
		h = (h ^ (uint8_t)*c) * 1099511628211U;
	for (size_t i = 0; i < text.n; i++)
		h = (h ^ text.p[i]) * 1099511628211U;
	for (int i = 0; i < SRS_MAC_BYTES; i++)
		out[i] = (uint8_t)(h >> (8 * (7 - i % 8)));
	return true;
}

static struct srs
with(const char *const *names, unsigned n)
{
	return (struct srs){ .mac = mac, .ctx = (void *)(uintptr_t)names,
	    .n_keys = n, .day = day, .days_max = 21 };
}

static const char *
forward(const char *sender)
{
	static char text[512];
	struct srs s = with(keys, 1);
	struct buf out;

	buf_init(&out, 512);
	text[0] = '\0';
	if (srs_forward(&s, span_str(sender), SPAN_LIT("srs.example"),
	    &out) == OK)
		(void)span_copy(buf_span(&out), text, sizeof(text));
	buf_clear(&out);
	return text;
}

static enum err
reverse_with(const struct srs *s, const char *address, char text[512])
{
	struct buf out;
	enum err e;

	buf_init(&out, 512);
	e = srs_reverse(s, span_str(address), &out);
	text[0] = '\0';
	if (e == OK)
		cr_assert(span_copy(buf_span(&out), text, 512));
	else
		cr_expect_eq(out.n, 0);
	buf_clear(&out);
	return e;
}

static enum err
reverse(const char *address, char text[512])
{
	struct srs s = with(keys, 1);

	return reverse_with(&s, address, text);
}

Test(srs, there_and_back)
{
	static const char *const senders[] = {
		"user@sender.example", "a=b@sender.example",
		"\"a b\"@sender.example", "\"a\\\"b\\\\c\"@sender.example",
		"o'hara+tag@sender.example", "\xc3\xa9@sender.example",
		"a-very-long-local-part.of-sixty-four-octets.xxxxxxxxxxxxxxxxxxxx"
		"@sender.example",
	};
	char back[512];

	for (size_t i = 0; i < sizeof(senders) / sizeof(senders[0]); i++) {
		char there[512];
		struct address a;

		(void)strcpy(there, forward(senders[i]));
		cr_assert_eq(address_parse(span_str(there), ADDRESS_LONG |
		    ADDRESS_UTF8, &a), OK, "%s", there);
		cr_expect(srs_is_it(a.local), "%s", there);
		cr_expect(span_equal(a.domain, SPAN_LIT("srs.example")));
		cr_expect_eq(reverse(there, back), OK, "%s", there);
		cr_expect_str_eq(back, senders[i]);
	}
	cr_expect(strncmp(forward("user@sender.example"), "SRS0=", 5) == 0);
	cr_expect_not_null(strstr(forward("user@sender.example"),
	    "=V4=sender.example=user@srs.example"));
}

/* Some change the case of local parts. */
Test(srs, another_case)
{
	char text[512], back[512];

	(void)strcpy(text, forward("User@Sender.example"));
	for (char *c = text; *c != '\0'; c++)
		*c = (char)tolower((unsigned char)*c);
	cr_expect_eq(reverse(text, back), OK);
	cr_expect_str_eq(back, "user@sender.example");
}

/* Of those between, the first is kept. */
Test(srs, over_several)
{
	const char *first = "SRS0=abcd=XX=sender.example=user@fwd.example";
	char text[512], again[512], back[512];

	(void)strcpy(text, forward(first));
	cr_assert(strncmp(text, "SRS1=", 5) == 0);
	cr_expect_not_null(strstr(text,
	    "=fwd.example==abcd=XX=sender.example=user@srs.example"));
	cr_expect_eq(reverse(text, back), OK);
	cr_expect_str_eq(back, first);
	/* one between that is not us: the hash is ours all the same */
	*strchr(text, '@') = '\0';
	(void)strcat(text, "@other.example");
	(void)strcpy(again, forward(text));
	cr_expect_eq(reverse(again, back), OK, "%s", again);
	cr_expect_str_eq(back, first);
	/* another separator stays */
	(void)strcpy(text, forward("SRS0+abcd=XX=s.example=u@fwd.example"));
	cr_expect_not_null(strstr(text, "=fwd.example=+abcd="));
	cr_expect_eq(reverse(text, back), OK);
	cr_expect_str_eq(back, "SRS0+abcd=XX=s.example=u@fwd.example");
}

Test(srs, time)
{
	struct srs s = with(keys, 1);
	char text[512], back[512];

	day = 1020;
	(void)strcpy(text, forward("user@sender.example"));
	s.day = 1020 + 21;
	cr_expect_eq(reverse_with(&s, text, back), OK);
	s.day++;
	cr_expect_eq(reverse_with(&s, text, back), ERR_RANGE);
	s.day = 1019;		/* its day is to come */
	cr_expect_eq(reverse_with(&s, text, back), ERR_RANGE);
	day = 700;
}

Test(srs, another_key)
{
	static const char *const turned[] = { "second", "first" };
	const struct srs new = with(turned, 1), both = with(turned, 2);
	char text[512], back[512];

	(void)strcpy(text, forward("user@sender.example"));
	cr_expect_eq(reverse_with(&new, text, back), ERR_DENIED);
	cr_expect_eq(reverse_with(&both, text, back), OK);
}

/* No byte but its letters' case can be changed. */
Test(srs, forged)
{
	static const char *const senders[] = { "user@sender.example",
		"SRS0=abcd=XX=sender.example=user@fwd.example" };
	char text[512], changed[512], back[512];

	for (size_t k = 0; k < 2; k++) {
		(void)strcpy(text, forward(senders[k]));
		for (size_t i = 0; text[i] != '@'; i++)
			for (int bit = 0; bit < 8; bit++) {
				(void)strcpy(changed, text);
				changed[i] = (char)(changed[i] ^ 1 << bit);
				if (tolower((unsigned char)changed[i]) ==
				    tolower((unsigned char)text[i]) ||
				    changed[i] == '\0')
					continue;
				/* the separator is nobody's secret */
				cr_expect(reverse(changed, back) != OK ||
				    (i == 4 && changed[i] != '='),
				    "%s", changed);
			}
	}
}

Test(srs, cut)
{
	char text[512], back[512];

	(void)strcpy(text, forward("user@sender.example"));
	for (size_t n = 0; n < strlen(text); n++) {
		char cut[512] = "";

		memcpy(cut, text, n);
		(void)strcat(cut, "@srs.example");
		if (n < (size_t)(strchr(text, '@') - text))
			cr_expect_neq(reverse(cut, back), OK, "%s", cut);
	}
}

Test(srs, no_address)
{
	char long_one[512] = "x@";

	memset(long_one + 2, 'a', 60);
	(void)strcpy(long_one + 62, ".");
	for (int i = 0; i < 3; i++)
		(void)strcat(long_one,
		    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.");
	(void)strcat(long_one, "example");
	cr_expect_str_eq(forward(long_one), "");
	cr_expect_str_eq(forward(""), "");
	cr_expect_str_eq(forward("postmaster"), "");
	cr_expect_str_eq(forward("\"\"@sender.example"), "");
	cr_expect_str_eq(forward("user@[192.0.2.1]"), "");
	cr_expect_not(srs_is_it(SPAN_LIT("SRS0")));
	cr_expect_not(srs_is_it(SPAN_LIT("SRS2=x")));
	cr_expect_not(srs_is_it(SPAN_LIT("srs0x=")));
	cr_expect(srs_is_it(SPAN_LIT("srs0=x")));
}
