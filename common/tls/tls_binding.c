#include "common/tls/tls_binding.h"

#include "common/base/check.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#define EXPORTER_BYTES 32
#define END_POINT_MIN 32		/* SHA-256 is the weakest */

/* ---- the certificate ---- */

/* RFC 5929 4.1: that of its signature, but no weaker one than SHA-256. */
static const EVP_MD *
hash_of(X509 *x)
{
	int nid = NID_undef;

	if (x == NULL ||
	    X509_get_signature_info(x, &nid, NULL, NULL, NULL) != 1)
		return NULL;
	if (nid == NID_md5 || nid == NID_sha1 || nid == NID_md5_sha1)
		nid = NID_sha256;
	return nid != NID_undef ? EVP_get_digestbynid(nid) : NULL;
}

static bool
hash(X509 *x, uint8_t out[TLS_BINDING_MAX], size_t *n)
{
	const EVP_MD *md = hash_of(x);
	unsigned size = 0;

	if (md == NULL || EVP_MD_get_size(md) > TLS_BINDING_MAX ||
	    EVP_MD_get_size(md) < END_POINT_MIN ||
	    X509_digest(x, md, out, &size) != 1)
		return false;
	*n = size;
	return true;
}

bool
tls_binding_keep(SSL *ssl)
{
	uint8_t bytes[TLS_BINDING_MAX];
	size_t n;

	/* what the ticket had it keeps */
	if (SSL_session_reused(ssl) == 1 ||
	    !hash(SSL_get_certificate(ssl), bytes, &n))
		return true;
	return SSL_SESSION_set1_ticket_appdata(SSL_get_session(ssl), bytes,
	    n) == 1;
}

/* Borrowed from the session; empty: it has none. */
static struct span
kept(const SSL *ssl)
{
	SSL_SESSION *session = SSL_get_session(ssl);
	void *data = NULL;
	size_t n = 0;

	if (session == NULL || SSL_SESSION_get0_ticket_appdata(session,
	    &data, &n) != 1 || n > TLS_BINDING_MAX)
		return SPAN_NONE;
	return span_of(data, n);
}

static bool
has_end_point(const SSL *ssl)
{
	return SSL_session_reused(ssl) == 1 ? kept(ssl).n >= END_POINT_MIN
	    : hash_of(SSL_get_certificate(ssl)) != NULL;
}

static bool
end_point(const SSL *ssl, uint8_t out[TLS_BINDING_MAX], size_t *n)
{
	const struct span before = kept(ssl);

	if (SSL_session_reused(ssl) != 1)
		return hash(SSL_get_certificate(ssl), out, n);
	if (before.n < END_POINT_MIN)
		return false;
	memcpy(out, before.p, before.n);
	*n = before.n;
	return true;
}

/* ---- the session ---- */

/* The context is there and empty, which in TLS 1.2 is not the same as none. */
static bool
export(SSL *ssl, uint8_t out[TLS_BINDING_MAX], size_t *n)
{
	static const char label[] = "EXPORTER-Channel-Binding";
	static const unsigned char none[1];

	*n = EXPORTER_BYTES;
	return SSL_export_keying_material(ssl, out, EXPORTER_BYTES, label,
	    sizeof(label) - 1, none, 0, 1) == 1;
}

/* The first Finished of the handshake: the client's, or of a resumed one the
 * server's. */
static bool
first_finished(const SSL *ssl, uint8_t out[TLS_BINDING_MAX], size_t *n)
{
	*n = SSL_session_reused(ssl) == 1
	    ? SSL_get_finished(ssl, out, TLS_BINDING_MAX)
	    : SSL_get_peer_finished(ssl, out, TLS_BINDING_MAX);
	return *n > 0 && *n <= TLS_BINDING_MAX;
}

unsigned
tls_bindings(const struct tls_filter *f)
{
	SSL *ssl = tls_filter_ssl(f);
	const bool is_new = SSL_version(ssl) >= TLS1_3_VERSION;
	/* RFC 9266 section 4.2 */
	const bool is_extended = SSL_get_extms_support(ssl) == 1;

	return (is_new || is_extended ? 1U << TLS_BINDING_EXPORTER : 0) |
	    (has_end_point(ssl) ? 1U << TLS_BINDING_END_POINT : 0) |
	    (!is_new && is_extended ? 1U << TLS_BINDING_UNIQUE : 0);
}

enum err
tls_binding(const struct tls_filter *f, enum tls_binding kind,
    uint8_t out[TLS_BINDING_MAX], size_t *n)
{
	SSL *ssl = tls_filter_ssl(f);
	bool is_made = false;

	if ((tls_bindings(f) & 1U << kind) == 0)
		return ERR_NOT_FOUND;
	switch (kind) {
	case TLS_BINDING_EXPORTER:
		is_made = export(ssl, out, n);
		break;
	case TLS_BINDING_END_POINT:
		is_made = end_point(ssl, out, n);
		break;
	case TLS_BINDING_UNIQUE:
		is_made = first_finished(ssl, out, n);
		break;
	case TLS_BINDING_COUNT:
		break;
	}
	ERR_clear_error();
	return is_made ? OK : ERR_NOT_FOUND;
}
