#include "common/tls/tls_shown.h"

#include "common/tls/tls_provider.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>

struct tls_shown {
	X509 *leaf;
	STACK_OF(X509) *others;		/* behind it */
	EVP_PKEY *key;			/* its public half, and who signs */
	char print[TLS_SHOWN_PRINT_SIZE];
};

void
tls_shown_free(struct tls_shown **shown)
{
	struct tls_shown *s = *shown;

	*shown = NULL;
	if (s == NULL)
		return;
	EVP_PKEY_free(s->key);
	sk_X509_pop_free(s->others, X509_free);
	X509_free(s->leaf);
	free(s);
}

static enum err
read_others(BIO *bio, STACK_OF(X509) *others)
{
	X509 *x;

	while ((x = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
		if (sk_X509_push(others, x) == 0) {
			X509_free(x);
			return ERR_NOMEM;
		}
	}
	ERR_clear_error();
	return OK;
}

static enum err
make_print(struct tls_shown *s)
{
	uint8_t hash[EVP_MAX_MD_SIZE];
	unsigned n = 0;

	if (X509_digest(s->leaf, EVP_sha256(), hash, &n) != 1)
		return ERR_NOMEM;
	for (size_t i = 0; i < (TLS_SHOWN_PRINT_SIZE - 1) / 2; i++)
		(void)snprintf(s->print + 2 * i, 3, "%02x", hash[i]);
	return OK;
}

static enum err
fill(struct tls_shown *s, BIO *bio, struct span key_id,
    struct tls_signer *signer)
{
	enum err e;

	s->others = sk_X509_new_null();
	if (bio == NULL || s->others == NULL)
		return ERR_NOMEM;
	s->leaf = PEM_read_bio_X509(bio, NULL, NULL, NULL);
	if (s->leaf == NULL || key_id.n != SIGN_ID_BYTES)
		return ERR_SYNTAX;
	e = read_others(bio, s->others);
	if (e == OK)
		e = make_print(s);
	if (e == OK)
		e = tls_provider_key(s->leaf, key_id.p, signer, &s->key);
	return e;
}

enum err
tls_shown_new(struct span chain, struct span key_id,
    struct tls_signer *signer, struct tls_shown **out, struct why *why)
{
	struct tls_shown *s = calloc(1, sizeof(*s));
	BIO *bio = BIO_new_mem_buf(chain.p, (int)chain.n);
	enum err e = s != NULL ? fill(s, bio, key_id, signer) : ERR_NOMEM;
	const char *text = ERR_reason_error_string(ERR_peek_last_error());

	BIO_free(bio);
	if (e == OK)
		*out = s;
	else
		(void)why_set(why, e, "%s", e == ERR_SYNTAX && text != NULL ?
		    text : err_text(e));
	ERR_clear_error();
	if (e != OK)
		tls_shown_free(&s);
	return e;
}

const char *
tls_shown_print(const struct tls_shown *s)
{
	return s->print;
}

enum err
tls_shown_use(const struct tls_shown *s, SSL *ssl)
{
	bool is_used = SSL_use_certificate(ssl, s->leaf) == 1 &&
	    SSL_use_PrivateKey(ssl, s->key) == 1 &&
	    SSL_set1_chain(ssl, s->others) == 1;

	ERR_clear_error();
	return is_used ? OK : ERR_NOMEM;
}
