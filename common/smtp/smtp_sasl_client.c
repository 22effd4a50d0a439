#include "common/smtp/smtp_sasl_client.h"

#include "common/base/base64.h"
#include "common/base/units.h"

uint8_t
sasl_client_offered(struct span parameters)
{
	enum sasl_mechanism m;
	uint8_t set = 0;

	while (parameters.n > 0) {
		size_t n = span_find(parameters, ' ');

		if (sasl_find(span_sub(parameters, 0, n), &m))
			set |= (uint8_t)(1U << m);
		parameters = span_from(parameters, n + 1);
	}
	return set;
}

void
sasl_client_put_plain(struct span user, struct span password, struct buf *out)
{
	buf_add_byte(out, '\0');
	buf_add_span(out, user);
	buf_add_byte(out, '\0');
	buf_add_span(out, password);
}

/* RFC 5802 5.1: a comma and an equals sign would end the name. */
static void
put_name(struct span user, struct buf *out)
{
	for (size_t i = 0; i < user.n; i++) {
		if (user.p[i] == ',')
			buf_add_str(out, "=2C");
		else if (user.p[i] == '=')
			buf_add_str(out, "=3D");
		else
			buf_add_byte(out, user.p[i]);
	}
}

/* ---- tokens ---- */

void
sasl_client_put_bearer(struct span user, struct span token, struct buf *out)
{
	buf_add_str(out, "n,a=");
	put_name(user, out);
	buf_add_str(out, ",\1auth=Bearer ");
	buf_add_span(out, token);
	buf_add_str(out, "\1\1");
}

void
sasl_client_put_xoauth2(struct span user, struct span token, struct buf *out)
{
	buf_add_str(out, "user=");
	buf_add_span(out, user);
	buf_add_str(out, "\1auth=Bearer ");
	buf_add_span(out, token);
	buf_add_str(out, "\1\1");
}

/* ---- SCRAM ---- */

void
sasl_client_put_bare(struct span user, struct span nonce, struct buf *out)
{
	buf_add_str(out, "n=");
	put_name(user, out);
	buf_add_str(out, ",r=");
	buf_add_span(out, nonce);
}

/* "k=value" off the front of *REST, with the comma behind it. */
static bool
take_field(struct span *rest, char key, struct span *value)
{
	const size_t n = span_find(*rest, ',');
	const struct span field = span_sub(*rest, 0, n);

	if (field.n < 2 || field.p[0] != (uint8_t)key || field.p[1] != '=')
		return false;
	*value = span_from(field, 2);
	*rest = span_from(*rest, n + 1);
	return true;
}

/* Printable, and longer than ours, with which it begins. */
static bool
is_continued(struct span nonce, struct span our)
{
	if (nonce.n <= our.n || nonce.n > 2 * SASL_NONCE_MAX ||
	    !span_equal(span_sub(nonce, 0, our.n), our))
		return false;
	for (size_t i = 0; i < nonce.n; i++) {
		if (nonce.p[i] < 0x21 || nonce.p[i] > 0x7e)
			return false;
	}
	return true;
}

/* An extension that must be understood ("m=") is none that we do; others may
 * stand at the end. */
enum err
sasl_client_read_first(struct span message, struct span our_nonce,
    struct sasl_server_first *out)
{
	struct sasl_server_first f;
	struct span salt, number;
	uint64_t n;
	enum err e;

	if (!take_field(&message, 'r', &f.nonce) ||
	    !is_continued(f.nonce, our_nonce) ||
	    !take_field(&message, 's', &salt) ||
	    !take_field(&message, 'i', &number) ||
	    units_parse_u64(number, &n) != OK)
		return ERR_SYNTAX;
	if (n == 0 || n > UINT32_MAX)
		return ERR_RANGE;
	f.iterations = (uint32_t)n;
	e = base64_decode(salt, f.salt, sizeof(f.salt), &f.salt_n);
	if (e == OK)
		*out = f;
	return e;
}

void
sasl_client_put_without_proof(struct span nonce, struct buf *out)
{
	buf_add_str(out, "c=biws,r=");
	buf_add_span(out, nonce);
}

enum err
sasl_client_read_final(struct span message, uint8_t signature[32])
{
	uint8_t bytes[33];
	struct span value;
	size_t n;

	if (!take_field(&message, 'v', &value) ||
	    base64_decode(value, bytes, sizeof(bytes), &n) != OK || n != 32)
		return ERR_SYNTAX;
	memcpy(signature, bytes, 32);
	return OK;
}
