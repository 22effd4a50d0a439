/*
 * Sessions are found by a hash of host, port and demands; two that share a
 * place take it from each other, which costs a handshake and nothing else, for
 * the whole name is compared.
 */
#include "common/tls/tls_client.h"

#include "common/base/check.h"
#include "common/base/crc32c.h"
#include "common/tls/tls_provider.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>

#define KEY_MAX		384

struct place {
	char key[KEY_MAX];
	SSL_SESSION *session;		/* NULL: free */
};

struct tls_client {
	unsigned users;			/* of it: sessions, and the owner */
	SSL_CTX *ctx;
	struct place places[TLS_CLIENT_SESSIONS];
};

/* What an SSL carries for on_session(). */
struct tag {
	struct tls_client *client;
	char key[KEY_MAX];
};

static void
release_client(struct tls_client *c)
{
	if (--c->users > 0)
		return;
	for (size_t i = 0; i < TLS_CLIENT_SESSIONS; i++)
		SSL_SESSION_free(c->places[i].session);
	SSL_CTX_free(c->ctx);
	free(c);
}

static void
release(void *ctx)
{
	struct tag *tag = ctx;

	release_client(tag->client);
	free(tag);
}

void
tls_client_free(struct tls_client **c)
{
	if (*c != NULL)
		release_client(*c);
	*c = NULL;
}

/* ---- sessions ---- */

static struct place *
place_of(struct tls_client *c, const char *key)
{
	uint32_t hash = crc32c(0, key, strlen(key));

	return &c->places[hash % TLS_CLIENT_SESSIONS];
}

/* Keeps the session: 1 says that it was taken. */
static int
on_session(SSL *ssl, SSL_SESSION *session)
{
	const struct tag *tag = SSL_get_app_data(ssl);
	struct place *place = place_of(tag->client, tag->key);

	SSL_SESSION_free(place->session);
	place->session = session;
	memcpy(place->key, tag->key, sizeof(place->key));
	return 1;
}

/* Those of TLS 1.3 are used once, so that nobody can tell two connections of
 * one client by them (RFC 8446 C.4). */
static void
resume(SSL *ssl, struct tag *tag)
{
	struct place *place = place_of(tag->client, tag->key);

	if (place->session == NULL || strcmp(place->key, tag->key) != 0)
		return;
	(void)SSL_set_session(ssl, place->session);
	if (SSL_SESSION_get_protocol_version(place->session) >=
	    TLS1_3_VERSION) {
		SSL_SESSION_free(place->session);
		place->session = NULL;
	}
}

/* ---- life ---- */

/* One that can't be read doesn't spoil the others: bundles have odd ones. */
static enum err
add_authorities(X509_STORE *store, struct span pem)
{
	BIO *bio = BIO_new_mem_buf(pem.p, (int)pem.n);
	size_t n = 0;
	X509 *x;

	if (bio == NULL)
		return ERR_NOMEM;
	while ((x = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
		n += X509_STORE_add_cert(store, x) == 1;
		X509_free(x);
	}
	BIO_free(bio);
	ERR_clear_error();
	return n > 0 ? OK : ERR_SYNTAX;
}

static SSL_CTX *
make_context(void)
{
	SSL_CTX *ctx = SSL_CTX_new_ex(tls_provider_context(),
	    TLS_PROVIDER_DEFAULT, TLS_client_method());

	if (ctx == NULL)
		return NULL;
	(void)SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION |
	    SSL_OP_NO_COMPRESSION | SSL_OP_IGNORE_UNEXPECTED_EOF);
	(void)SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
	(void)SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT |
	    SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(ctx, on_session);
	if (SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1 ||
	    !tls_dane_prepare(ctx)) {
		SSL_CTX_free(ctx);
		return NULL;
	}
	return ctx;
}

enum err
tls_client_new(struct span authorities, struct tls_client **out)
{
	struct tls_client *c = calloc(1, sizeof(*c));
	enum err e = OK;

	if (c == NULL)
		return ERR_NOMEM;
	c->users = 1;
	c->ctx = make_context();
	if (c->ctx == NULL)
		e = ERR_NOMEM;
	else if (authorities.n > 0)
		e = add_authorities(SSL_CTX_get_cert_store(c->ctx),
		    authorities);
	ERR_clear_error();
	if (e != OK)
		release_client(c);
	else
		*out = c;
	return e;
}

/* ---- connections ---- */

static bool
demand(SSL *ssl, const struct tls_client_peer *peer)
{
	X509_VERIFY_PARAM *param = SSL_get0_param(ssl);

	if (peer->dane != NULL)
		return tls_dane_demand(ssl, peer->host, peer->dane);
	SSL_set_verify(ssl, peer->is_verified ? SSL_VERIFY_PEER :
	    SSL_VERIFY_NONE, NULL);
	if (!peer->is_verified && !peer->is_watched)
		return true;
	/* RFC 9525 6.4.4: no common name stands in for an alternative one */
	X509_VERIFY_PARAM_set_hostflags(param,
	    X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS |
	    X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
	return peer->is_address
	    ? X509_VERIFY_PARAM_set1_ip_asc(param, peer->host) == 1
	    : X509_VERIFY_PARAM_set1_host(param, peer->host, 0) == 1;
}

/* RFC 6066 3: addresses are not asked for by name.  OpenSSL's macro casts the
 * name to void *, and writes nothing to it. */
static bool
prepare(SSL *ssl, const struct tls_client_peer *peer, struct tag *tag)
{
	if (!demand(ssl, peer) || (peer->shown != NULL &&
	    tls_shown_use(peer->shown, ssl) != OK))
		return false;
	if (!peer->is_address &&
	    SSL_set_tlsext_host_name(ssl, (uintptr_t)peer->host) != 1)
		return false;
	(void)SSL_set_app_data(ssl, tag);
	SSL_set_connect_state(ssl);
	resume(ssl, tag);
	return true;
}

/* What a session is good for: host, port and demands. */
static bool
make_key(const struct tls_client_peer *peer, char key[KEY_MAX])
{
	char demands[sizeof("/dane:") + TLS_DANE_KEY] = "";
	int n;

	if (peer->dane != NULL) {
		memcpy(demands, "/dane:", sizeof("/dane:"));
		if (!tls_dane_key(peer->dane, demands + strlen("/dane:")))
			return false;
	} else if (peer->is_verified) {
		memcpy(demands, "/verified", sizeof("/verified"));
	} else if (peer->is_watched) {
		memcpy(demands, "/watched", sizeof("/watched"));
	}
	n = snprintf(key, KEY_MAX, "%s:%u%s/%s", peer->host, peer->port,
	    demands, peer->shown != NULL ? tls_shown_print(peer->shown) : "");
	return n > 0 && n < KEY_MAX;
}

enum err
tls_client_connect(struct tls_client *c, const struct tls_client_peer *peer,
    struct tls_filter **out)
{
	struct tag *tag = calloc(1, sizeof(*tag));
	SSL *ssl = tag != NULL ? SSL_new(c->ctx) : NULL;

	if (ssl == NULL) {
		free(tag);
		return ERR_NOMEM;
	}
	tag->client = c;
	if (!make_key(peer, tag->key) || !prepare(ssl, peer, tag)) {
		ERR_clear_error();
		SSL_free(ssl);
		free(tag);
		return ERR_RANGE;
	}
	c->users++;
	return tls_filter_new(ssl, release, tag, out);
}
