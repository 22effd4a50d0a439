/*
 * What is signed is in lower case, with the kind in front: "0" day, domain and
 * local part, "1" forwarder and the rest, each behind a NUL.
 */
#include "common/mail/srs.h"

#include "common/base/text.h"
#include "common/mail/address.h"

#include <string.h>

enum { HASH_LETTERS = 6, DAY_LETTERS = 2, DAYS = 1024, SIGNED_MAX = 1024 };

/* RFC 4648 section 6 */
static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/* An SRS local part, taken apart. */
struct parts {
	bool is_1;
	struct span hash;
	struct span day;	/* SRS0 */
	struct span domain;	/* of the sender, or SRS1: the forwarder */
	struct span rest;	/* its local part; SRS1: with its separator */
};

static int
value_of(uint8_t letter)
{
	const char *at = memchr(letters, letter >= 'a' && letter <= 'z' ?
	    letter - 'a' + 'A' : letter, sizeof(letters) - 1);

	return at != NULL ? (int)(at - letters) : -1;
}

static bool
read_day(struct span text, uint32_t *day)
{
	int high, low;

	if (text.n != DAY_LETTERS)
		return false;
	high = value_of(text.p[0]);
	low = value_of(text.p[1]);
	if (high < 0 || low < 0)
		return false;
	*day = (uint32_t)high * 32 + (uint32_t)low;
	return true;
}

static enum err
hash(const struct srs *s, unsigned key, const struct parts *p,
    char out[HASH_LETTERS])
{
	uint8_t mac[SRS_MAC_BYTES];
	struct buf text;
	uint32_t bits;
	bool is_made;

	buf_init(&text, SIGNED_MAX);
	buf_add_str(&text, p->is_1 ? "1" : "0");
	buf_add_byte(&text, 0);
	buf_add_span(&text, p->day);
	buf_add_byte(&text, 0);
	buf_add_span(&text, p->domain);
	buf_add_byte(&text, 0);
	buf_add_span(&text, p->rest);
	is_made = !buf_failed(&text);
	if (is_made) {
		text_lower(buf_span(&text), text.p);
		is_made = s->mac(s->ctx, key, buf_span(&text), mac);
	}
	buf_clear(&text);
	if (!is_made)
		return ERR_NOMEM;
	bits = (uint32_t)mac[0] << 24 | (uint32_t)mac[1] << 16 |
	    (uint32_t)mac[2] << 8 | mac[3];
	for (int i = 0; i < HASH_LETTERS; i++) {
		out[i] = letters[bits >> 27];
		bits <<= 5;
	}
	return OK;
}

/* As long for a wrong one. */
static enum err
check(const struct srs *s, const struct parts *p)
{
	char made[HASH_LETTERS];
	enum err found = ERR_DENIED;

	for (unsigned key = 0; key < s->n_keys; key++) {
		enum err e = hash(s, key, p, made);
		unsigned differs = 0;

		if (e != OK)
			return e;
		for (int i = 0; i < HASH_LETTERS; i++)
			differs |= (unsigned)(value_of(p->hash.p[i]) ^
			    value_of((uint8_t)made[i]));
		if (differs == 0)
			found = OK;
	}
	return found;
}

/* ---- reading ---- */

static bool
is_separator(uint8_t c)
{
	return c == '=' || c == '+' || c == '-';
}

/* Up to the next `=`, which goes. */
static bool
take(struct span *text, struct span *out)
{
	const size_t n = span_find(*text, '=');

	if (n == text->n || n == 0)
		return false;
	*out = span_sub(*text, 0, n);
	*text = span_from(*text, n + 1);
	return true;
}

static bool
is_kind(struct span local, char kind)
{
	return local.n > 5 && span_starts_nocase(local, SPAN_LIT("SRS")) &&
	    local.p[3] == kind && is_separator(local.p[4]);
}

static bool
take_apart(struct span local, struct parts *out)
{
	struct parts p = { .is_1 = is_kind(local, '1') };
	struct span text = span_from(local, 5);

	if (!p.is_1 && !is_kind(local, '0'))
		return false;
	if (!take(&text, &p.hash) || p.hash.n != HASH_LETTERS ||
	    (!p.is_1 && !take(&text, &p.day)) || !take(&text, &p.domain) ||
	    text.n == 0 || (p.is_1 && !is_separator(text.p[0])))
		return false;
	for (size_t i = 0; i < p.hash.n; i++)
		if (value_of(p.hash.p[i]) < 0)
			return false;
	p.rest = text;
	*out = p;
	return true;
}

bool
srs_is_it(struct span local)
{
	if (local.n > 0 && local.p[0] == '"')
		local = span_from(local, 1);
	return is_kind(local, '0') || is_kind(local, '1');
}

/* The local part without its quotes in PLAIN; false for what is no mailbox of
 * a domain, or one without a name (""@d). */
static bool
read_address(struct span text, struct buf *plain, struct address *out)
{
	if (address_parse(text, ADDRESS_UNDERSCORE | ADDRESS_UTF8 |
	    ADDRESS_LONG, out) != OK || out->is_literal)
		return false;
	address_local_plain(out, plain);
	return !buf_failed(plain) && plain->n > 0;
}

/* ---- writing ---- */

static enum err
write_address(struct span local, struct span domain, struct buf *out)
{
	const size_t before = out->n;

	address_put(local, domain, out);
	if (buf_failed(out))
		return ERR_NOMEM;
	if (out->n - before <= SRS_ADDRESS_MAX)
		return OK;
	out->n = before;
	return ERR_RANGE;
}

static enum err
sign(const struct srs *s, const struct parts *p, struct span domain,
    struct buf *out)
{
	char made[HASH_LETTERS];
	struct buf local;
	enum err e = hash(s, 0, p, made);

	if (e != OK)
		return e;
	buf_init(&local, SIGNED_MAX);
	buf_add_str(&local, p->is_1 ? "SRS1=" : "SRS0=");
	buf_add(&local, made, sizeof(made));
	buf_add_byte(&local, '=');
	if (!p->is_1) {
		buf_add_span(&local, p->day);
		buf_add_byte(&local, '=');
	}
	buf_add_span(&local, p->domain);
	buf_add_byte(&local, '=');
	buf_add_span(&local, p->rest);
	e = buf_failed(&local) ? ERR_NOMEM :
	    write_address(buf_span(&local), domain, out);
	buf_clear(&local);
	return e;
}

/* Of what others have rewritten only the first of them is kept: it knows whose
 * it was, and those between need not see the report. */
enum err
srs_forward(const struct srs *s, struct span sender, struct span domain,
    struct buf *out)
{
	const uint8_t day[DAY_LETTERS] = {
		(uint8_t)letters[s->day % DAYS / 32],
		(uint8_t)letters[s->day % 32],
	};
	struct parts p = { .day = span_of(day, sizeof(day)) };
	struct address a;
	struct buf plain;
	enum err e = ERR_SYNTAX;

	buf_init(&plain, SIGNED_MAX);
	if (read_address(sender, &plain, &a)) {
		const struct span local = buf_span(&plain);
		struct parts old;

		p.domain = a.domain;
		p.rest = local;
		if (is_kind(local, '1') && take_apart(local, &old)) {
			p = old;
		} else if (is_kind(local, '0')) {
			p.is_1 = true;
			p.day = SPAN_NONE;
			p.rest = span_from(local, 4);
		}
		e = sign(s, &p, domain, out);
	}
	buf_clear(&plain);
	return e;
}

static enum err
undo(const struct srs *s, const struct parts *p, struct buf *out)
{
	uint32_t day;
	struct buf local;
	enum err e = check(s, p);

	if (e != OK)
		return e;
	if (!p->is_1) {
		if (!read_day(p->day, &day))
			return ERR_SYNTAX;
		if ((s->day - day) % DAYS > s->days_max)
			return ERR_RANGE;
		return write_address(p->rest, p->domain, out);
	}
	buf_init(&local, SIGNED_MAX);
	buf_add_str(&local, "SRS0");
	buf_add_span(&local, p->rest);
	e = buf_failed(&local) ? ERR_NOMEM :
	    write_address(buf_span(&local), p->domain, out);
	buf_clear(&local);
	return e;
}

enum err
srs_reverse(const struct srs *s, struct span address, struct buf *out)
{
	struct address a;
	struct buf plain;
	struct parts p;
	enum err e = ERR_SYNTAX;

	buf_init(&plain, SIGNED_MAX);
	if (read_address(address, &plain, &a) &&
	    take_apart(buf_span(&plain), &p))
		e = undo(s, &p, out);
	buf_clear(&plain);
	return e;
}
