#include "common/oauth/oauth.h"

#include "common/base/json_read.h"
#include "common/base/text.h"

#include <string.h>

#define VALUE_MAX	((size_t)8192)	/* of a member as it stands there */

/* ---- the request ---- */

/* As forms are, appendix B. */
static void
put_escaped(struct span value, struct buf *out)
{
	static const char hex[] = "0123456789ABCDEF";

	for (size_t i = 0; i < value.n; i++) {
		const uint8_t c = value.p[i];

		if (text_is_alpha(c) || text_is_digit(c) || c == '-' ||
		    c == '.' || c == '_') {
			buf_add_byte(out, c);
		} else if (c == ' ') {
			buf_add_byte(out, '+');
		} else {
			buf_add_byte(out, '%');
			buf_add_byte(out, (uint8_t)hex[c >> 4]);
			buf_add_byte(out, (uint8_t)hex[c & 15]);
		}
	}
}

static void
put_pair(const char *name, struct span value, struct buf *out)
{
	if (value.n == 0)
		return;
	buf_addf(out, "&%s=", name);
	put_escaped(value, out);
}

void
oauth_put_request(const struct oauth_request *r, struct buf *out)
{
	if (buf_reserve(out, OAUTH_REQUEST_MAX) == NULL)
		return;
	buf_add_str(out, r->refresh_token.n > 0 ?
	    "grant_type=refresh_token" : "grant_type=client_credentials");
	put_pair("refresh_token", r->refresh_token, out);
	put_pair("client_id", r->client_id, out);
	put_pair("client_secret", r->client_secret, out);
	put_pair("scope", r->scope, out);
}

/* ---- the answer ---- */

void
oauth_answer_init(struct oauth_answer *a)
{
	buf_init(&a->token, VALUE_MAX);
	buf_init(&a->refresh, VALUE_MAX);
	buf_init(&a->text, OAUTH_TEXT_MAX);
	a->life_s = 0;
}

static void
wipe(struct buf *b)
{
	if (b->p != NULL)
		explicit_bzero(b->p, b->size);
	buf_clear(b);
}

void
oauth_answer_wipe(struct oauth_answer *a)
{
	wipe(&a->token);
	wipe(&a->refresh);
	wipe(&a->text);
}

/* For people; OUT is what it was when there is no such string. */
static bool
put_text(struct span body, const char *key, struct buf *out)
{
	struct span value;
	struct buf text;
	bool is_there;

	if (json_read_find(body, key, &value) != OK || value.n > VALUE_MAX)
		return false;
	buf_init(&text, VALUE_MAX);
	is_there = json_read_string(value, &text) == OK && text.n > 0;
	if (is_there)
		text_escape_to(out, buf_span(&text), NULL,
		    (OAUTH_TEXT_MAX - out->n) / 2);
	wipe(&text);
	return is_there;
}

static enum err
refuse(unsigned status, struct span body, struct oauth_answer *out)
{
	if (status != 200)
		buf_addf(&out->text, "HTTP status %u", status);
	else
		buf_add_str(&out->text, "no token in the answer");
	if (json_read_check(body) != OK)
		return ERR_SYNTAX;
	buf_add_str(&out->text, ": ");
	/* section 5.2 */
	if (!put_text(body, "error", &out->text)) {
		out->text.n -= 2;
		return ERR_SYNTAX;
	}
	buf_add_str(&out->text, ": ");
	if (!put_text(body, "error_description", &out->text))
		out->text.n -= 2;
	return ERR_DENIED;
}

/* Room for all of it first, so that no copy is left behind.  ERR_NOT_FOUND: no
 * such string, or an empty one. */
static enum err
take_secret(struct span body, const char *key, size_t max, struct buf *out)
{
	struct span value;
	enum err e;

	if (json_read_find(body, key, &value) != OK)
		return ERR_NOT_FOUND;
	if (value.n > VALUE_MAX)
		return ERR_RANGE;
	if (buf_reserve(out, value.n) == NULL)
		return ERR_NOMEM;
	e = json_read_string(value, out);
	if (e == ERR_SYNTAX || (e == OK && out->n == 0))
		return ERR_NOT_FOUND;
	return e == OK && out->n > max ? ERR_RANGE : e;
}

/* VSCHAR of appendix A, but the blank, which ends a bearer token. */
static bool
is_printable(const struct buf *b)
{
	for (size_t i = 0; i < b->n; i++)
		if (!text_is_print(b->p[i]) || b->p[i] == ' ')
			return false;
	return true;
}

/* Some endpoints write the number as a string. */
static uint32_t
life(struct span body)
{
	struct span value;
	uint64_t s;
	enum err e;

	if (json_read_find(body, "expires_in", &value) != OK)
		return OAUTH_LIFE_S;
	if (value.n > 2 && value.p[0] == '"')
		value = span_sub(value, 1, span_find(span_from(value, 1), '"'));
	e = json_read_u64(value, &s);
	if (e == ERR_RANGE || (e == OK && s > OAUTH_LIFE_MAX_S))
		return OAUTH_LIFE_MAX_S;
	return e == OK ? (uint32_t)s : OAUTH_LIFE_S;
}

/* Required by section 5.1, and left out by some. */
static bool
is_bearer(struct span body)
{
	struct span value;

	return json_read_find(body, "token_type", &value) != OK ||
	    span_starts_nocase(value, SPAN_LIT("\"bearer\""));
}

static enum err
unfit(struct oauth_answer *out, enum err e, const char *what)
{
	if (e == ERR_NOMEM)
		return e;
	buf_add_str(&out->text, what);
	return ERR_SYNTAX;
}

enum err
oauth_read(unsigned status, struct span body, struct oauth_answer *out)
{
	enum err e;

	if (status != 200)
		return refuse(status, body, out);
	e = take_secret(body, "access_token", OAUTH_TOKEN_MAX, &out->token);
	if (e == ERR_NOT_FOUND)
		return refuse(status, body, out);
	if (e != OK)
		return unfit(out, e, "the token is too long");
	if (!is_printable(&out->token))
		return unfit(out, ERR_SYNTAX, "the token is none that can be "
		    "told");
	if (!is_bearer(body))
		return unfit(out, ERR_SYNTAX, "the token is no bearer token");
	e = take_secret(body, "refresh_token", OAUTH_REFRESH_MAX,
	    &out->refresh);
	if (e == ERR_RANGE || (e == OK && !is_printable(&out->refresh)))
		return unfit(out, e, "the next refresh token is none that can "
		    "be kept");
	if (e == ERR_NOMEM)
		return e;
	if (e == ERR_NOT_FOUND)
		wipe(&out->refresh);
	out->life_s = life(body);
	return OK;
}
