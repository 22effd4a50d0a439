/*
 * OpenSSL takes any certificate in the handshake, and proves that the client
 * has its key (tls_server.c); it is verified here, afterwards, so that the
 * verdict is ours to tell.
 */
#include "common/tls/tls_clients.h"

#include "common/base/check.h"
#include "common/tls/tls_provider.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

struct tls_clients {
	X509_STORE *store;
	STACK_OF(X509_NAME) *names;	/* told to clients, for their choice */
	size_t n;
};

/* ---- life ---- */

void
tls_clients_free(struct tls_clients **c)
{
	if (*c == NULL)
		return;
	X509_STORE_free((*c)->store);
	sk_X509_NAME_pop_free((*c)->names, X509_NAME_free);
	free(*c);
	*c = NULL;
}

static enum err
add(struct tls_clients *c, X509 *x, struct why *why)
{
	X509_NAME *name;

	if (c->n == TLS_CLIENTS_MAX)
		return why_set(why, ERR_RANGE, "more than %d certificates",
		    TLS_CLIENTS_MAX);
	c->n++;
	if (X509_check_ca(x) == 0)
		return why_set(why, ERR_SYNTAX, "certificate %zu is not one "
		    "of an authority", c->n);
	name = X509_NAME_dup(X509_get_subject_name(x));
	if (name == NULL || sk_X509_NAME_push(c->names, name) <= 0) {
		X509_NAME_free(name);
		return why_set(why, ERR_NOMEM, "no memory");
	}
	if (X509_STORE_add_cert(c->store, x) != 1)
		return why_set(why, ERR_NOMEM, "no memory");
	return OK;
}

/* What ended the reading: the end of the text, or what is no certificate. */
static enum err
judge_end(const struct tls_clients *c, struct why *why)
{
	const unsigned long last = ERR_peek_last_error();

	if (ERR_GET_LIB(last) != ERR_LIB_PEM ||
	    ERR_GET_REASON(last) != PEM_R_NO_START_LINE)
		return why_set(why, ERR_SYNTAX, "certificate %zu can't be "
		    "read", c->n + 1);
	return c->n > 0 ? OK : why_set(why, ERR_SYNTAX,
	    "no certificate is in it");
}

static enum err
add_all(struct tls_clients *c, BIO *bio, struct why *why)
{
	for (;;) {
		X509 *x = X509_new_ex(tls_provider_context(),
		    TLS_PROVIDER_DEFAULT);
		enum err e;

		if (x == NULL)
			return why_set(why, ERR_NOMEM, "no memory");
		ERR_clear_error();
		if (PEM_read_bio_X509(bio, &x, NULL, NULL) == NULL) {
			X509_free(x);
			return judge_end(c, why);
		}
		e = add(c, x, why);
		X509_free(x);
		if (e != OK)
			return e;
	}
}

enum err
tls_clients_new(struct span pem, struct tls_clients **out, struct why *why)
{
	struct tls_clients *c = calloc(1, sizeof(*c));
	BIO *bio = BIO_new_mem_buf(pem.n > 0 ? (const void *)pem.p : "",
	    (int)pem.n);
	enum err e = ERR_NOMEM;

	if (c != NULL) {
		c->store = X509_STORE_new();
		c->names = sk_X509_NAME_new_null();
	}
	if (pem.n > TLS_CLIENTS_PEM_MAX)
		e = why_set(why, ERR_RANGE, "it is too long");
	else if (bio != NULL && c != NULL && c->store != NULL &&
	    c->names != NULL)
		e = add_all(c, bio, why);
	else
		(void)why_set(why, e, "no memory");
	BIO_free(bio);
	ERR_clear_error();
	if (e == OK)
		*out = c;
	else
		tls_clients_free(&c);
	return e;
}

/* ---- sessions ---- */

/* A ticket of a session whose client was not asked would keep it from being
 * asked: it is of another context. */
enum err
tls_clients_ask(const struct tls_clients *c, struct tls_filter *f)
{
	static const unsigned char context[] = "clients";
	SSL *ssl = tls_filter_ssl(f);
	STACK_OF(X509_NAME) *names = SSL_dup_CA_list(c->names);

	if (names == NULL || SSL_set_session_id_context(ssl, context,
	    sizeof(context) - 1) != 1) {
		sk_X509_NAME_pop_free(names, X509_NAME_free);
		ERR_clear_error();
		return ERR_NOMEM;
	}
	SSL_set0_CA_list(ssl, names);
	SSL_set_verify(ssl, SSL_VERIFY_PEER, NULL);
	(void)SSL_set_max_cert_list(ssl, TLS_CLIENTS_CHAIN_MAX);
	return OK;
}

/* An authority may itself be below another: what the bundle names is believed
 * as it is there. */
static enum err
judge(X509_STORE_CTX *ctx, const SSL *ssl, struct why *why)
{
	X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(ctx);

	if (X509_STORE_CTX_set_default(ctx, "ssl_client") != 1 ||
	    X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_PARTIAL_CHAIN) != 1)
		return ERR_NOMEM;
	X509_VERIFY_PARAM_set_depth(param, TLS_CLIENTS_DEPTH);
	X509_VERIFY_PARAM_set_auth_level(param, SSL_get_security_level(ssl));
	if (X509_verify_cert(ctx) == 1)
		return OK;
	return why_set(why, ERR_DENIED, "%s", X509_verify_cert_error_string(
	    X509_STORE_CTX_get_error(ctx)));
}

static enum err
verify(const struct tls_clients *c, const SSL *ssl, X509 *x, struct why *why)
{
	X509_STORE_CTX *ctx = X509_STORE_CTX_new_ex(tls_provider_context(),
	    TLS_PROVIDER_DEFAULT);
	enum err e = ERR_NOMEM;

	if (ctx != NULL && X509_STORE_CTX_init(ctx, c->store, x,
	    SSL_get_peer_cert_chain(ssl)) == 1)
		e = judge(ctx, ssl, why);
	X509_STORE_CTX_free(ctx);
	return e;
}

enum err
tls_clients_look(const struct tls_clients *c, const struct tls_filter *f,
    struct tls_identity *out, struct why *why)
{
	SSL *ssl = tls_filter_ssl(f);
	X509 *x = SSL_session_reused(ssl) == 1 ? NULL
	    : SSL_get0_peer_certificate(ssl);
	enum err e;

	if (x == NULL)
		return ERR_NOT_FOUND;
	e = tls_identity_fingerprint(x, out);
	if (e == OK)
		e = verify(c, ssl, x, why);
	if (e == OK)
		e = tls_identity_user(x, out, why);
	if (e == ERR_NOMEM)
		(void)why_set(why, e, "no memory");
	ERR_clear_error();
	return e;
}
