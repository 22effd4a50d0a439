/*
 * RFC 5802 section 3, with its names:
 *
 *	SaltedPassword  := PBKDF2(password, salt, i)
 *	ClientKey       := HMAC(SaltedPassword, "Client Key")
 *	StoredKey       := H(ClientKey)
 *	ClientSignature := HMAC(StoredKey, AuthMessage)
 *	ClientProof     := ClientKey XOR ClientSignature
 *	ServerKey       := HMAC(SaltedPassword, "Server Key")
 *	ServerSignature := HMAC(ServerKey, AuthMessage)
 *
 * A server has StoredKey: it takes its signature off the proof and looks
 * whether what is left hashes to it.
 */
#include "common/secret/scram.h"

#include "common/base/base64.h"
#include "common/base/units.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>
#include <string.h>

#define TEXT_MAX 512

bool
scram_hmac(struct span key, struct span text, uint8_t out[SCRAM_KEY_BYTES])
{
	/* a key of NULL would mean the one of before */
	static const uint8_t none[1];
	unsigned n = 0;

	return HMAC(EVP_sha256(), key.n > 0 ? key.p : none, (int)key.n,
	    text.n > 0 ? text.p : none, text.n, out, &n) != NULL;
}

static struct span
key_span(const uint8_t key[SCRAM_KEY_BYTES])
{
	return span_of(key, SCRAM_KEY_BYTES);
}

static bool
is_in_range(size_t salt_bytes, uint64_t iterations)
{
	return salt_bytes >= SCRAM_SALT_MIN && salt_bytes <= SCRAM_SALT_MAX &&
	    iterations >= SCRAM_ITERATIONS_MIN &&
	    iterations <= SCRAM_ITERATIONS_MAX;
}

static bool
salt_password(struct span password, struct span salt, uint32_t iterations,
    uint8_t salted[SCRAM_KEY_BYTES])
{
	return PKCS5_PBKDF2_HMAC(password.n > 0 ?
	    (const char *)password.p : "", (int)password.n, salt.p,
	    (int)salt.n, (int)iterations, EVP_sha256(), SCRAM_KEY_BYTES,
	    salted) == 1;
}

/* All three of a password. */
static bool
make_keys(struct span password, struct span salt, uint32_t iterations,
    uint8_t client_key[SCRAM_KEY_BYTES], struct scram_secret *s)
{
	uint8_t salted[SCRAM_KEY_BYTES];
	bool is_made = salt_password(password, salt, iterations, salted) &&
	    scram_hmac(key_span(salted), SPAN_LIT("Client Key"),
	    client_key) &&
	    scram_hmac(key_span(salted), SPAN_LIT("Server Key"),
	    s->server_key) &&
	    SHA256(client_key, SCRAM_KEY_BYTES, s->stored_key) != NULL;

	explicit_bzero(salted, sizeof(salted));
	return is_made;
}

enum err
scram_make(struct span password, struct span salt, uint32_t iterations,
    struct scram_secret *out)
{
	struct scram_secret s = { .iterations = iterations };
	uint8_t client_key[SCRAM_KEY_BYTES];
	bool is_made;

	if (!is_in_range(salt.n, iterations))
		return ERR_RANGE;
	s.salt_bytes = (uint8_t)salt.n;
	memcpy(s.salt, salt.p, salt.n);
	is_made = make_keys(password, salt, iterations, client_key, &s);
	explicit_bzero(client_key, sizeof(client_key));
	if (is_made)
		*out = s;
	explicit_bzero(&s, sizeof(s));
	return is_made ? OK : ERR_NOMEM;
}

enum err
scram_answer(struct span password, struct span salt, uint32_t iterations,
    struct span auth_message, uint8_t proof[SCRAM_KEY_BYTES],
    uint8_t signature[SCRAM_KEY_BYTES])
{
	uint8_t client_key[SCRAM_KEY_BYTES];
	struct scram_secret s = { .iterations = iterations };
	bool is_made;

	if (salt.n == 0 || salt.n > SCRAM_SALT_MAX ||
	    iterations < SCRAM_ITERATIONS_MIN ||
	    iterations > SCRAM_ITERATIONS_MAX)
		return ERR_RANGE;
	is_made = make_keys(password, salt, iterations, client_key, &s) &&
	    scram_hmac(key_span(s.stored_key), auth_message, proof) &&
	    scram_hmac(key_span(s.server_key), auth_message, signature);
	for (size_t i = 0; i < SCRAM_KEY_BYTES && is_made; i++)
		proof[i] ^= client_key[i];
	explicit_bzero(client_key, sizeof(client_key));
	explicit_bzero(&s, sizeof(s));
	return is_made ? OK : ERR_NOMEM;
}

void
scram_write(const struct scram_secret *s, struct buf *out)
{
	buf_add_str(out, SCRAM_NAME);
	buf_add_u64(out, s->iterations);
	buf_add_byte(out, ',');
	base64_encode(out, span_of(s->salt, s->salt_bytes));
	buf_add_byte(out, ',');
	base64_encode(out, key_span(s->stored_key));
	buf_add_byte(out, ',');
	base64_encode(out, key_span(s->server_key));
}

/* Up to the next comma, which goes too. */
static struct span
take_field(struct span *left)
{
	const size_t n = span_find(*left, ',');
	const struct span field = span_sub(*left, 0, n);

	*left = span_from(*left, n + 1);
	return field;
}

static bool
read_key(struct span text, uint8_t out[SCRAM_KEY_BYTES])
{
	size_t n;

	return base64_decode(text, out, SCRAM_KEY_BYTES, &n) == OK &&
	    n == SCRAM_KEY_BYTES;
}

enum err
scram_read(struct span text, struct scram_secret *out)
{
	const struct span name = SPAN_LIT(SCRAM_NAME);
	struct scram_secret s = { .iterations = 0 };
	struct span left = span_from(text, name.n);
	uint64_t iterations;
	size_t n;
	enum err e;

	if (!span_equal(span_sub(text, 0, name.n), name) ||
	    units_parse_u64(take_field(&left), &iterations) != OK)
		return ERR_SYNTAX;
	e = base64_decode(take_field(&left), s.salt, sizeof(s.salt), &n);
	if (e != OK)
		return e;
	if (!read_key(take_field(&left), s.stored_key) ||
	    !read_key(left, s.server_key))
		return ERR_SYNTAX;
	if (!is_in_range(n, iterations))
		return ERR_RANGE;
	s.iterations = (uint32_t)iterations;
	s.salt_bytes = (uint8_t)n;
	*out = s;
	return OK;
}

bool
scram_prove(const struct scram_secret *s, struct span auth_message,
    struct span proof, uint8_t signature[SCRAM_KEY_BYTES])
{
	uint8_t key[SCRAM_KEY_BYTES] = { 0 }, hash[SHA256_DIGEST_LENGTH];
	bool is_good = proof.n == SCRAM_KEY_BYTES &&
	    scram_hmac(key_span(s->stored_key), auth_message, key) &&
	    scram_hmac(key_span(s->server_key), auth_message, signature);

	for (size_t i = 0; i < SCRAM_KEY_BYTES && proof.n ==
	    SCRAM_KEY_BYTES; i++)
		key[i] ^= proof.p[i];
	is_good = SHA256(key, sizeof(key), hash) != NULL &&
	    CRYPTO_memcmp(hash, s->stored_key, sizeof(hash)) == 0 && is_good;
	explicit_bzero(key, sizeof(key));
	if (!is_good)
		explicit_bzero(signature, SCRAM_KEY_BYTES);
	return is_good;
}

bool
scram_fits(const struct scram_secret *s, struct span password)
{
	struct scram_secret made = { .iterations = 0 };
	bool fits = scram_make(password, span_of(s->salt, s->salt_bytes),
	    s->iterations, &made) == OK &&
	    CRYPTO_memcmp(made.stored_key, s->stored_key,
	    SCRAM_KEY_BYTES) == 0;

	explicit_bzero(&made, sizeof(made));
	return fits;
}
