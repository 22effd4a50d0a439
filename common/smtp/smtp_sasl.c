#include "common/smtp/smtp_sasl.h"

#include "common/base/base64.h"
#include "common/base/check.h"
#include "common/base/text.h"
#include "common/base/utf8.h"

static const char *const names[SASL_MECHANISM_COUNT] = {
	[SASL_PLAIN] = "PLAIN", [SASL_LOGIN] = "LOGIN",
	[SASL_SCRAM_SHA_256] = "SCRAM-SHA-256",
	[SASL_OAUTHBEARER] = "OAUTHBEARER", [SASL_XOAUTH2] = "XOAUTH2",
	[SASL_SCRAM_SHA_256_PLUS] = "SCRAM-SHA-256-PLUS",
	[SASL_EXTERNAL] = "EXTERNAL",
};

static const char *const bindings[SASL_BINDING_COUNT] = {
	[SASL_BINDING_EXPORTER] = "tls-exporter",
	[SASL_BINDING_END_POINT] = "tls-server-end-point",
	[SASL_BINDING_UNIQUE] = "tls-unique",
};

bool
sasl_find(struct span name, enum sasl_mechanism *out)
{
	for (unsigned i = 0; i < SASL_MECHANISM_COUNT; i++) {
		if (span_equal_nocase(name, span_str(names[i]))) {
			*out = (enum sasl_mechanism)i;
			return true;
		}
	}
	return false;
}

const char *
sasl_name(enum sasl_mechanism m)
{
	return names[m];
}

bool
sasl_find_binding(struct span name, enum sasl_binding *out)
{
	for (unsigned i = 0; i < SASL_BINDING_COUNT; i++) {
		if (span_equal(name, span_str(bindings[i]))) {
			*out = (enum sasl_binding)i;
			return true;
		}
	}
	return false;
}

/* What is a name or password: text, as RFC 4013 would have it at the least. */
static enum err
check_text(struct span s, size_t max)
{
	if (s.n == 0)
		return ERR_SYNTAX;
	if (s.n > max)
		return ERR_RANGE;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < 0x20 || s.p[i] == 0x7f)
			return ERR_SYNTAX;
	}
	return utf8_is_valid(s) ? OK : ERR_SYNTAX;
}

enum err
sasl_check_user(struct span user)
{
	return check_text(user, SASL_USER_MAX);
}

enum err
sasl_check_password(struct span password)
{
	return check_text(password, SASL_PASSWORD_MAX);
}

/* Takes all before the next C off the front of *REST; false: there is none. */
static bool
take_to(struct span *rest, uint8_t c, struct span *out)
{
	const size_t at = span_find(*rest, c);

	if (at == rest->n)
		return false;
	*out = span_sub(*rest, 0, at);
	*rest = span_from(*rest, at + 1);
	return true;
}

/* Nobody acts for another here, so the identity to act as is empty or the
 * user's own. */
enum err
sasl_plain(struct span message, struct sasl_plain *out)
{
	struct span rest = message, as, user;
	enum err e;

	if (!take_to(&rest, '\0', &as) || !take_to(&rest, '\0', &user))
		return ERR_SYNTAX;
	e = sasl_check_user(user);
	if (e == OK)
		e = sasl_check_password(rest);
	if (e == OK && as.n > 0 && !span_equal(as, user))
		e = ERR_SYNTAX;
	if (e == OK)
		*out = (struct sasl_plain){ user, rest };
	return e;
}

enum err
sasl_external(struct span message, struct span user)
{
	enum err e;

	if (message.n == 0)
		return OK;
	e = sasl_check_user(message);
	if (e != OK)
		return e;
	return span_equal(message, user) ? OK : ERR_DENIED;
}

/* ---- SCRAM ---- */

/* "k=value" up to the next comma or the end; *REST is behind the comma. */
static bool
take_field(struct span *rest, char key, struct span *value)
{
	struct span field;

	if (rest->n < 2 || rest->p[0] != (uint8_t)key || rest->p[1] != '=')
		return false;
	if (!take_to(rest, ',', &field)) {
		field = *rest;
		*rest = span_from(*rest, rest->n);
	}
	*value = span_from(field, 2);
	return true;
}

/* RFC 5802 5.1: a comma is =2C and an equals sign =3D. */
static enum err
unescape(struct span s, char out[SASL_USER_MAX], size_t *n)
{
	*n = 0;
	for (size_t i = 0; i < s.n; i++) {
		char c = (char)s.p[i];

		if (*n == SASL_USER_MAX)
			return ERR_RANGE;
		if (c == '=') {
			struct span code = span_sub(s, i + 1, 2);

			if (span_equal(code, SPAN_LIT("2C")))
				c = ',';
			else if (!span_equal(code, SPAN_LIT("3D")))
				return ERR_SYNTAX;
			i += 2;
		}
		out[(*n)++] = c;
	}
	return sasl_check_user(span_of(out, *n));
}

/* Printable, no comma. */
static bool
is_nonce(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < 0x21 || s.p[i] > 0x7e || s.p[i] == ',')
			return false;
	}
	return s.n > 0 && s.n <= SASL_NONCE_MAX;
}

/* RFC 5802 section 7: cb-name */
static bool
is_binding_name(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		const uint8_t c = s.p[i];

		if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'z') &&
		    !(c >= 'A' && c <= 'Z') && c != '.' && c != '-')
			return false;
	}
	return s.n > 0;
}

static enum err
take_flag(struct span flag, struct sasl_first *out)
{
	out->binding = SPAN_NONE;
	if (span_equal(flag, SPAN_LIT("n"))) {
		out->flag = SASL_GS2_NONE;
		return OK;
	}
	if (span_equal(flag, SPAN_LIT("y"))) {
		out->flag = SASL_GS2_THOUGHT_NONE;
		return OK;
	}
	out->flag = SASL_GS2_BOUND;
	out->binding = span_from(flag, 2);
	return span_equal(span_sub(flag, 0, 2), SPAN_LIT("p=")) &&
	    is_binding_name(out->binding) ? OK : ERR_SYNTAX;
}

static enum err
take_gs2(struct span message, struct span *rest, struct span *as,
    struct sasl_first *out)
{
	struct span flag;

	*rest = message;
	if (!take_to(rest, ',', &flag) || !take_to(rest, ',', as))
		return ERR_SYNTAX;
	return take_flag(flag, out);
}

enum err
sasl_scram_first(struct span message, struct sasl_first *out)
{
	struct sasl_first f;
	struct span rest, as, user;
	enum err e;

	if (message.n > SASL_MESSAGE_MAX)
		return ERR_RANGE;
	e = take_gs2(message, &rest, &as, &f);
	if (e != OK)
		return e;
	f.bare = rest;
	f.gs2 = span_sub(message, 0, message.n - rest.n);
	if (!take_field(&rest, 'n', &user) ||
	    !take_field(&rest, 'r', &f.nonce) || !is_nonce(f.nonce))
		return ERR_SYNTAX;
	e = unescape(user, f.user, &f.user_n);
	/* "a=" and the name as it is written there */
	if (e == OK && as.n > 0 && !(take_field(&as, 'a', &rest) &&
	    span_equal(rest, user)))
		e = ERR_SYNTAX;
	if (e == OK)
		*out = f;
	return e;
}

void
sasl_scram_put_first(struct span client_nonce, struct span server_nonce,
    struct span salt, uint32_t iterations, struct buf *out)
{
	buf_add_str(out, "r=");
	buf_add_span(out, client_nonce);
	buf_add_span(out, server_nonce);
	buf_add_str(out, ",s=");
	base64_encode(out, salt);
	buf_add_str(out, ",i=");
	buf_add_u64(out, iterations);
}

/* In a time that tells nothing of where they differ. */
static bool
is_same(struct span a, struct span b)
{
	volatile uint8_t differing = 0;

	if (a.n != b.n)
		return false;
	for (size_t i = 0; i < a.n; i++)
		differing = differing | (uint8_t)(a.p[i] ^ b.p[i]);
	return differing == 0;
}

/* Header and data, RFC 5802 section 5.1: c= */
static enum err
check_binding(struct span text, struct span gs2, struct span binding)
{
	uint8_t bytes[SASL_MESSAGE_MAX];
	struct span said;
	size_t n;

	if (base64_decode(text, bytes, sizeof(bytes), &n) != OK)
		return ERR_SYNTAX;
	said = span_of(bytes, n);
	if (!span_equal(span_sub(said, 0, gs2.n), gs2))
		return ERR_SYNTAX;
	return is_same(span_from(said, gs2.n), binding) ? OK : ERR_DENIED;
}

static bool
is_both(struct span nonce, struct span client, struct span server)
{
	return nonce.n == client.n + server.n &&
	    span_equal(span_sub(nonce, 0, client.n), client) &&
	    span_equal(span_from(nonce, client.n), server);
}

/* The proof is the last field; between it and the nonce there may be others,
 * which are signed with it and mean nothing to us. */
enum err
sasl_scram_final(struct span message, struct span gs2,
    struct span binding, struct span client_nonce, struct span server_nonce,
    struct sasl_final *out)
{
	struct sasl_final f;
	struct span rest = message, said, nonce, proof;
	size_t n, at = message.n;
	enum err e;

	while (at > 0 && message.p[at - 1] != ',')
		at--;
	if (at == 0)
		return ERR_SYNTAX;
	proof = span_from(message, at);
	f.without_proof = span_sub(message, 0, at - 1);
	rest = f.without_proof;
	if (!take_field(&rest, 'c', &said) ||
	    !take_field(&rest, 'r', &nonce) ||
	    !is_both(nonce, client_nonce, server_nonce))
		return ERR_SYNTAX;
	if (!take_field(&proof, 'p', &rest) ||
	    base64_decode(rest, f.proof, sizeof(f.proof), &n) != OK ||
	    n != sizeof(f.proof))
		return ERR_SYNTAX;
	e = check_binding(said, gs2, binding);
	if (e == OK)
		*out = f;
	return e;
}

/* ---- OAUTHBEARER ---- */

#define KV_SEPARATOR 0x01

/* 1*ALPHA */
static bool
is_key(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (!text_is_alpha(s.p[i]))
			return false;
	}
	return s.n > 0;
}

/* *(VCHAR / SP / HTAB / CR / LF) */
static bool
is_value(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (!text_is_print(s.p[i]) && s.p[i] != '\t' &&
		    s.p[i] != '\r' && s.p[i] != '\n')
			return false;
	}
	return true;
}

bool
sasl_is_token(struct span s)
{
	size_t n = s.n;

	if (n > SASL_TOKEN_MAX)
		return false;
	while (n > 0 && s.p[n - 1] == '=')
		n--;
	for (size_t i = 0; i < n; i++) {
		const uint8_t c = s.p[i];

		if (!text_is_alpha(c) && !text_is_digit(c) &&
		    memchr("-._~+/", c, 6) == NULL)
			return false;
	}
	return n > 0;
}

/* "Bearer TOKEN", or nothing at all. */
static enum err
take_token(struct span value, struct span *token)
{
	struct span rest = value;

	*token = SPAN_NONE;
	if (value.n == 0)
		return OK;
	if (!span_starts_nocase(value, SPAN_LIT("Bearer ")))
		return ERR_SYNTAX;
	rest = span_from(value, strlen("Bearer "));
	while (rest.n > 0 && rest.p[0] == ' ')
		rest = span_from(rest, 1);
	if (rest.n > SASL_TOKEN_MAX)
		return ERR_RANGE;
	*token = rest;
	return sasl_is_token(rest) ? OK : ERR_SYNTAX;
}

/* Behind the GS2 header: a separator, pairs that end with one, another. */
static enum err
take_pairs(struct span rest, struct span *token)
{
	struct span pair, key;
	bool has_auth = false;
	enum err e = OK;

	if (!take_to(&rest, KV_SEPARATOR, &pair) || pair.n != 0)
		return ERR_SYNTAX;
	for (int i = 0; i < SASL_BEARER_PAIRS_MAX && e == OK; i++) {
		if (!take_to(&rest, KV_SEPARATOR, &pair))
			return ERR_SYNTAX;
		if (pair.n == 0)
			return has_auth && rest.n == 0 ? OK : ERR_SYNTAX;
		if (!take_to(&pair, '=', &key) || !is_key(key) ||
		    !is_value(pair))
			return ERR_SYNTAX;
		if (!span_equal(key, SPAN_LIT("auth")))
			continue;
		/* of two, one could be judged and the other used */
		if (has_auth)
			return ERR_SYNTAX;
		has_auth = true;
		e = take_token(pair, token);
	}
	return e != OK ? e : ERR_RANGE;
}

enum err
sasl_bearer(struct span message, struct sasl_bearer *out)
{
	struct sasl_bearer b = { .user_n = 0 };
	struct span rest, as, user;
	struct sasl_first gs2;
	enum err e;

	if (message.n > SASL_MESSAGE_MAX)
		return ERR_RANGE;
	e = take_gs2(message, &rest, &as, &gs2);
	/* nobody binds a token to a session this way */
	if (e == OK && gs2.flag == SASL_GS2_BOUND)
		e = ERR_SYNTAX;
	if (e == OK && as.n > 0)
		e = take_field(&as, 'a', &user) && as.n == 0
		    ? unescape(user, b.user, &b.user_n) : ERR_SYNTAX;
	if (e == OK)
		e = take_pairs(rest, &b.token);
	if (e == OK)
		*out = b;
	return e;
}
