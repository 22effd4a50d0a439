#include "common/tls/sign_wire.h"

#include "common/base/wire.h"

static const size_t digest_bytes[SIGN_DIGEST_COUNT] = {
	[SIGN_SHA256] = 32, [SIGN_SHA384] = 48, [SIGN_SHA512] = 64,
};

size_t
sign_digest_bytes(uint8_t digest)
{
	return digest < SIGN_DIGEST_COUNT ? digest_bytes[digest] : 0;
}

/* The length must be that of the digest, and Ed25519 has none. */
static bool
is_legal(const struct sign_question *q)
{
	if (q->digest >= SIGN_DIGEST_COUNT)
		return false;
	switch (q->scheme) {
	case SIGN_RSA_PKCS1:
	case SIGN_RSA_PSS:
	case SIGN_ECDSA:
		return q->digest != SIGN_NO_DIGEST &&
		    q->text.n == digest_bytes[q->digest];
	case SIGN_ED25519:
		return q->digest == SIGN_NO_DIGEST && q->text.n > 0;
	default:
		return false;
	}
}

void
sign_put_question(const struct sign_question *q, struct buf *out)
{
	buf_add(out, q->key_id, SIGN_ID_BYTES);
	buf_add_byte(out, q->scheme);
	buf_add_byte(out, q->digest);
	wire_put_span(out, q->text);
}

enum err
sign_get_question(struct span packet, struct sign_question *out)
{
	struct sign_question q;
	struct wire w;

	wire_init(&w, packet);
	wire_get(&w, q.key_id, SIGN_ID_BYTES);
	q.scheme = wire_u8(&w);
	q.digest = wire_u8(&w);
	q.text = wire_span(&w, SIGN_TEXT_MAX);
	if (wire_done(&w) != OK || !is_legal(&q))
		return ERR_SYNTAX;
	*out = q;
	return OK;
}

void
sign_put_answer(struct span signature, struct buf *out)
{
	wire_put_span(out, signature);
}

enum err
sign_get_answer(struct span packet, struct span *signature)
{
	struct wire w;
	struct span s;

	wire_init(&w, packet);
	s = wire_span(&w, SIGN_SIGNATURE_MAX);
	if (wire_done(&w) != OK)
		return ERR_SYNTAX;
	*signature = s;
	return OK;
}
