/*
 * One SSL_CTX for each name, with one certificate of each kind of key in it;
 * the first one is that of all clients until they have named a host.
 */
#include "common/tls/tls_server.h"

#include "common/base/check.h"
#include "common/tls/tls_binding.h"
#include "common/tls/tls_provider.h"

#include <openssl/err.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

/* AEAD first; CBC with SHA-2 for what can't do better. */
#define CIPHERS	"ECDHE+AESGCM:ECDHE+CHACHA20:ECDHE+AES+SHA384:ECDHE+AES+SHA256"
#define GROUPS	"X25519:P-256:P-384:P-521"
#define SCHEMES	"ECDSA+SHA256:ECDSA+SHA384:ECDSA+SHA512:ed25519:"	\
	"RSA-PSS+SHA256:RSA-PSS+SHA384:RSA-PSS+SHA512:"			\
	"RSA+SHA256:RSA+SHA384:RSA+SHA512"
#define TICKET_KEY_BYTES 80		/* OpenSSL's: name, HMAC, AES */

struct leaf {
	X509 *x;
	SSL_CTX *ctx;			/* that it is in; may be shared */
	unsigned char *staple;
	size_t staple_n;
};

struct tls_server {
	unsigned users;			/* of it: sessions, and the owner */
	struct leaf v[TLS_SERVER_CHAINS_MAX];
	size_t n;
};

static void
release(void *ctx)
{
	struct tls_server *s = ctx;

	if (--s->users > 0)
		return;
	for (size_t i = 0; i < s->n; i++) {
		X509_free(s->v[i].x);
		SSL_CTX_free(s->v[i].ctx);
		OPENSSL_free(s->v[i].staple);
	}
	free(s);
}

void
tls_server_free(struct tls_server **s)
{
	if (*s != NULL)
		release(*s);
	*s = NULL;
}

/* ---- what clients ask for ---- */

/* RFC 7301 3.2: a client that wants another protocol than ours is one that was
 * led astray. */
static int
on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_n,
    const unsigned char *offered, unsigned n, void *ctx)
{
	static const unsigned char ours[] = "\4smtp";

	(void)ssl;
	(void)ctx;
	for (unsigned i = 0; i < n; i += 1u + offered[i]) {
		if (n - i >= sizeof(ours) - 1 &&
		    memcmp(offered + i, ours, sizeof(ours) - 1) == 0) {
			*out = offered + i + 1;
			*out_n = offered[i];
			return SSL_TLSEXT_ERR_OK;
		}
	}
	return SSL_TLSEXT_ERR_ALERT_FATAL;
}

static int
on_name(SSL *ssl, int *alert, void *ctx)
{
	const struct tls_server *s = ctx;
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

	(void)alert;
	for (size_t i = 0; name != NULL && i < s->n; i++) {
		if (X509_check_host(s->v[i].x, name, 0, 0, NULL) == 1) {
			(void)SSL_set_SSL_CTX(ssl, s->v[i].ctx);
			return SSL_TLSEXT_ERR_OK;
		}
	}
	return SSL_TLSEXT_ERR_OK;
}

/* That of the certificate which was chosen; OpenSSL frees what it is given. */
static int
on_status(SSL *ssl, void *ctx)
{
	const struct tls_server *s = ctx;
	const X509 *shown = SSL_get_certificate(ssl);

	for (size_t i = 0; i < s->n; i++) {
		const struct leaf *leaf = &s->v[i];
		unsigned char *copy;

		if (leaf->staple_n == 0 || shown == NULL ||
		    X509_cmp(leaf->x, shown) != 0)
			continue;
		copy = OPENSSL_memdup(leaf->staple, leaf->staple_n);
		if (copy == NULL)
			break;
		(void)SSL_set_tlsext_status_ocsp_resp(ssl, copy,
		    (long)leaf->staple_n);
		return SSL_TLSEXT_ERR_OK;
	}
	return SSL_TLSEXT_ERR_NOACK;
}

/* ---- tickets ---- */

/* What goes into one. */
static int
on_give(SSL *ssl, void *ctx)
{
	(void)ctx;
	return tls_binding_keep(ssl);
}

/* What comes out of one: all that can be read is used, unless its client had
 * shown a certificate.  That may have expired since then, or its authority be
 * believed no more, and the rest of its chain is not in the ticket. */
static SSL_TICKET_RETURN
on_take(SSL *ssl, SSL_SESSION *session, const unsigned char *name, size_t n,
    SSL_TICKET_STATUS status, void *ctx)
{
	(void)ssl;
	(void)name;
	(void)n;
	(void)ctx;
	if (session != NULL && SSL_SESSION_get0_peer(session) != NULL)
		return SSL_TICKET_RETURN_IGNORE_RENEW;
	switch (status) {
	case SSL_TICKET_SUCCESS:
		return SSL_TICKET_RETURN_USE;
	case SSL_TICKET_SUCCESS_RENEW:
		return SSL_TICKET_RETURN_USE_RENEW;
	default:
		return SSL_TICKET_RETURN_IGNORE_RENEW;
	}
}

/* ---- certificates of clients ---- */

/* Asked for where tls_clients_ask() was called.  Any will do here: who its
 * client is is judged in the open session, and what judges nothing ends
 * nothing.  In TLS 1.3 no ticket is given that would not be taken. */
static int
on_certificate(X509_STORE_CTX *ctx, void *none)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(ctx,
	    SSL_get_ex_data_X509_STORE_CTX_idx());

	(void)none;
	(void)SSL_set_num_tickets(ssl, 0);
	X509_STORE_CTX_set_error(ctx, X509_V_OK);
	return 1;
}

/* ---- contexts ---- */

/* Keys of tickets: the same in all processes, other ones for each service. */
static bool
set_tickets(SSL_CTX *ctx, const struct tls_server_setup *setup)
{
	uint8_t keys[2 * EVP_MAX_MD_SIZE];
	uint8_t label[64];
	const size_t n = strlen(setup->service);
	bool is_set = n < sizeof(label);

	for (unsigned char half = 0; is_set && half < 2; half++) {
		unsigned size = 0;

		label[0] = half;
		memcpy(label + 1, setup->service, n);
		is_set = HMAC(EVP_sha512(), setup->tickets.p,
		    (int)setup->tickets.n, label, n + 1, keys + 64 * half,
		    &size) != NULL;
	}
	is_set = is_set && SSL_CTX_set_tlsext_ticket_keys(ctx, keys,
	    TICKET_KEY_BYTES) == 1 &&
	    SSL_CTX_set_session_id_context(ctx,
	    (const unsigned char *)setup->service, (unsigned)n) == 1;
	OPENSSL_cleanse(keys, sizeof(keys));
	return is_set;
}

static void
set_sessions(SSL_CTX *ctx)
{
	/* in the tickets, and nowhere else */
	(void)SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	(void)SSL_CTX_set_timeout(ctx, TLS_SERVER_TICKET_LIFE_S);
	(void)SSL_CTX_set_num_tickets(ctx, 1);
	(void)SSL_CTX_set_max_early_data(ctx, 0);
	(void)SSL_CTX_set_session_ticket_cb(ctx, on_give, on_take, NULL);
}

static bool
set_protocol(SSL_CTX *ctx)
{
	(void)SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION |
	    SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE |
	    SSL_OP_PRIORITIZE_CHACHA | SSL_OP_CLEANSE_PLAINTEXT |
	    SSL_OP_IGNORE_UNEXPECTED_EOF);
	/* an idle session keeps no buffers */
	(void)SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
	return SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) == 1 &&
	    SSL_CTX_set_cipher_list(ctx, CIPHERS) == 1 &&
	    SSL_CTX_set1_groups_list(ctx, GROUPS) == 1 &&
	    SSL_CTX_set1_sigalgs_list(ctx, SCHEMES) == 1;
}

static SSL_CTX *
make_context(struct tls_server *s, const struct tls_server_setup *setup)
{
	SSL_CTX *ctx = SSL_CTX_new_ex(tls_provider_context(),
	    TLS_PROVIDER_DEFAULT, TLS_server_method());

	if (ctx == NULL)
		return NULL;
	if (!set_protocol(ctx) || !set_tickets(ctx, setup)) {
		SSL_CTX_free(ctx);
		return NULL;
	}
	set_sessions(ctx);
	SSL_CTX_set_cert_verify_callback(ctx, on_certificate, NULL);
	SSL_CTX_set_alpn_select_cb(ctx, on_alpn, NULL);
	(void)SSL_CTX_set_tlsext_servername_callback(ctx, on_name);
	(void)SSL_CTX_set_tlsext_servername_arg(ctx, s);
	(void)SSL_CTX_set_tlsext_status_cb(ctx, on_status);
	(void)SSL_CTX_set_tlsext_status_arg(ctx, s);
	return ctx;
}

/* ---- certificates ---- */

/* Whether some name of A is one of B. */
static bool
shares_name(X509 *a, X509 *b)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(a, NID_subject_alt_name, NULL,
	    NULL);
	bool is_shared = false;

	for (int i = 0; i < sk_GENERAL_NAME_num(names) && !is_shared; i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
		const ASN1_STRING *text = name->d.dNSName;

		is_shared = name->type == GEN_DNS && X509_check_host(b,
		    (const char *)ASN1_STRING_get0_data(text),
		    (size_t)ASN1_STRING_length(text), 0, NULL) == 1;
	}
	GENERAL_NAMES_free(names);
	return is_shared;
}

/* The context of a certificate with the same name and another kind of key, so
 * that a client gets the one it can use; else a new one. */
static SSL_CTX *
context_for(struct tls_server *s, X509 *leaf,
    const struct tls_server_setup *setup)
{
	const int kind = EVP_PKEY_get_base_id(X509_get0_pubkey(leaf));

	for (size_t i = 0; i < s->n; i++) {
		const EVP_PKEY *key = X509_get0_pubkey(s->v[i].x);

		if (EVP_PKEY_get_base_id(key) != kind &&
		    shares_name(leaf, s->v[i].x)) {
			(void)SSL_CTX_up_ref(s->v[i].ctx);
			return s->v[i].ctx;
		}
	}
	return make_context(s, setup);
}

/* All behind the leaf, to be sent with it. */
static bool
add_others(SSL_CTX *ctx, BIO *bio)
{
	X509 *more;

	while ((more = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
		if (SSL_CTX_add0_chain_cert(ctx, more) != 1) {
			X509_free(more);
			return false;
		}
	}
	ERR_clear_error();
	return true;
}

static enum err
use(struct leaf *leaf, const struct tls_chain *chain, BIO *bio,
    struct tls_signer *signer)
{
	EVP_PKEY *key = NULL;
	enum err e = chain->key_id.n == SIGN_ID_BYTES ? tls_provider_key(
	    leaf->x, chain->key_id.p, signer, &key) : ERR_SYNTAX;

	/* the last certificate that was used is the one others are added
	 * to */
	if (e == OK && (SSL_CTX_use_certificate(leaf->ctx, leaf->x) != 1 ||
	    SSL_CTX_use_PrivateKey(leaf->ctx, key) != 1 ||
	    !add_others(leaf->ctx, bio)))
		e = ERR_SYNTAX;
	EVP_PKEY_free(key);
	if (e == OK && chain->staple.n > 0) {
		leaf->staple = OPENSSL_memdup(chain->staple.p,
		    chain->staple.n);
		leaf->staple_n = leaf->staple != NULL ? chain->staple.n : 0;
	}
	return e;
}

/* On failure what was made goes with S. */
static enum err
add_chain(struct tls_server *s, const struct tls_chain *chain,
    const struct tls_server_setup *setup)
{
	BIO *bio = BIO_new_mem_buf(chain->chain.p, (int)chain->chain.n);
	struct leaf *leaf = &s->v[s->n];
	enum err e = ERR_SYNTAX;

	leaf->x = bio != NULL ? PEM_read_bio_X509(bio, NULL, NULL, NULL)
	    : NULL;
	if (leaf->x != NULL)
		leaf->ctx = context_for(s, leaf->x, setup);
	if (leaf->ctx != NULL) {
		e = use(leaf, chain, bio, setup->signer);
		s->n++;
	} else {
		X509_free(leaf->x);
		*leaf = (struct leaf){ .x = NULL };
	}
	BIO_free(bio);
	return e;
}

enum err
tls_server_new(const struct tls_server_setup *setup, struct tls_server **out,
    struct why *why)
{
	struct tls_server *s = calloc(1, sizeof(*s));
	enum err e = OK;

	MUST(setup->n > 0 && setup->n <= TLS_SERVER_CHAINS_MAX);
	if (s == NULL)
		return why_set(why, ERR_NOMEM, "no memory");
	ERR_clear_error();
	s->users = 1;
	for (size_t i = 0; i < setup->n && e == OK; i++)
		e = add_chain(s, &setup->chains[i], setup);
	if (e != OK) {
		const char *text = ERR_reason_error_string(
		    ERR_peek_last_error());

		(void)why_set(why, e, "%s", text != NULL ? text
		    : err_text(e));
		ERR_clear_error();
		release(s);
		return e;
	}
	*out = s;
	return OK;
}

enum err
tls_server_accept(struct tls_server *s, struct tls_filter **out)
{
	SSL *ssl = SSL_new(s->v[0].ctx);

	if (ssl == NULL) {
		ERR_clear_error();
		return ERR_NOMEM;
	}
	SSL_set_accept_state(ssl);
	s->users++;
	return tls_filter_new(ssl, release, s, out);
}
