/*
 * Each call gives OpenSSL all there is, and goes on until it wants more; so
 * nothing is left behind in it that no readiness of the socket would tell of.
 */
#include "common/tls/tls_filter.h"

#include "common/base/list.h"
#include "common/tls/tls_io.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>

struct tls_filter {
	struct stream_filter base;
	SSL *ssl;
	struct tls_io io;
	bool is_open;
	bool is_broken;
	unsigned long fault;
	void (*release)(void *ctx);
	void *ctx;
};

static struct tls_filter *
of(struct stream_filter *base)
{
	return CONTAINER_OF(base, struct tls_filter, base);
}

static enum stream_filter_end
broken(struct tls_filter *f)
{
	f->is_broken = true;
	f->fault = ERR_peek_last_error();
	ERR_clear_error();
	return STREAM_FILTER_BROKEN;
}

/* What a call that brought nothing means. */
static enum stream_filter_end
look(struct tls_filter *f, int result)
{
	switch (SSL_get_error(f->ssl, result)) {
	case SSL_ERROR_WANT_READ:
		return STREAM_FILTER_ON;
	case SSL_ERROR_ZERO_RETURN:
		return STREAM_FILTER_EOF;
	default:
		return broken(f);
	}
}

/* All that is readable; more than there is room for can't come. */
static enum stream_filter_end
read_all(struct tls_filter *f, uint8_t *place, size_t room, size_t *n)
{
	size_t got;
	int result;

	while (*n < room) {
		result = SSL_read_ex(f->ssl, place + *n, room - *n, &got);
		if (result <= 0)
			return look(f, result);
		*n += got;
	}
	return broken(f);
}

/* A server has nothing to say before it was spoken to. */
static void
on_begin(struct stream_filter *base, struct buf *out)
{
	struct tls_filter *f = of(base);
	int result;

	if (SSL_is_server(f->ssl))
		return;
	ERR_clear_error();
	f->io.out = out;
	result = SSL_do_handshake(f->ssl);
	f->io.out = NULL;
	(void)look(f, result);
}

static enum stream_filter_end
on_read(struct stream_filter *base, struct span raw, uint8_t *place,
    size_t *n, struct buf *out)
{
	struct tls_filter *f = of(base);
	enum stream_filter_end end = STREAM_FILTER_ON;
	int result;

	*n = 0;
	if (f->is_broken)
		return STREAM_FILTER_BROKEN;
	ERR_clear_error();
	f->io = (struct tls_io){ raw, out };
	if (!f->is_open) {
		result = SSL_do_handshake(f->ssl);
		f->is_open = result == 1;
		if (!f->is_open)
			end = look(f, result);
	}
	if (f->is_open)
		end = read_all(f, place, raw.n + STREAM_FILTER_EXTRA, n);
	f->io = (struct tls_io){ SPAN_NONE, NULL };
	return end;
}

static bool
is_open(const struct stream_filter *base)
{
	/* its first member */
	return tls_filter_is_open((const void *)base);
}

/* The whole goes into the buffer, so that it is never half done. */
static enum err
on_write(struct stream_filter *base, struct span text, struct buf *out)
{
	struct tls_filter *f = of(base);
	size_t put = 0;
	int result;

	ERR_clear_error();
	f->io.out = out;
	result = SSL_write_ex(f->ssl, text.p, text.n, &put);
	f->io.out = NULL;
	if (result == 1 && put == text.n)
		return OK;
	(void)broken(f);
	return ERR_PEER;
}

static void
on_end(struct stream_filter *base, struct buf *out)
{
	struct tls_filter *f = of(base);

	if (!f->is_open || f->is_broken)
		return;
	ERR_clear_error();
	f->io.out = out;
	(void)SSL_shutdown(f->ssl);
	f->io.out = NULL;
	ERR_clear_error();
}

static void
on_free(struct stream_filter *base)
{
	struct tls_filter *f = of(base);

	tls_filter_free(&f);
}

static const struct stream_filter_ops ops = {
	on_read, on_begin, is_open, on_write, on_end, on_free,
};

void
tls_filter_free(struct tls_filter **f)
{
	if (*f == NULL)
		return;
	SSL_free((*f)->ssl);
	if ((*f)->release != NULL)
		(*f)->release((*f)->ctx);
	free(*f);
	*f = NULL;
}

enum err
tls_filter_new(SSL *ssl, void (*release)(void *ctx), void *ctx,
    struct tls_filter **out)
{
	struct tls_filter *f = calloc(1, sizeof(*f));
	BIO *bio = f != NULL ? tls_io_new(&f->io) : NULL;

	if (bio == NULL) {
		free(f);
		SSL_free(ssl);
		if (release != NULL)
			release(ctx);
		return ERR_NOMEM;
	}
	/* both directions; the session owns it */
	SSL_set_bio(ssl, bio, bio);
	f->base.ops = &ops;
	f->ssl = ssl;
	f->release = release;
	f->ctx = ctx;
	*out = f;
	return OK;
}

struct stream_filter *
tls_filter_base(struct tls_filter *f)
{
	return &f->base;
}

struct ssl_st *
tls_filter_ssl(const struct tls_filter *f)
{
	return f->ssl;
}

bool
tls_filter_is_open(const struct tls_filter *f)
{
	return f->is_open && !f->is_broken;
}

void
tls_filter_facts(const struct tls_filter *f, struct tls_facts *out)
{
	*out = (struct tls_facts){
		.version = SSL_get_version(f->ssl),
		.cipher = SSL_get_cipher_name(f->ssl),
		.server_name = SSL_get_servername(f->ssl,
		    TLSEXT_NAMETYPE_host_name),
		.is_resumed = SSL_session_reused(f->ssl) == 1,
		.is_trusted = !SSL_is_server(f->ssl) &&
		    SSL_get_verify_result(f->ssl) == X509_V_OK,
		.is_verified = !SSL_is_server(f->ssl) &&
		    SSL_get_verify_mode(f->ssl) != SSL_VERIFY_NONE,
	};
}

/* What a certificate lacks says more than that it was refused. */
const char *
tls_filter_fault(const struct tls_filter *f)
{
	const long verdict = SSL_get_verify_result(f->ssl);
	const char *text = f->fault != 0 ? ERR_reason_error_string(f->fault)
	    : NULL;

	if (!SSL_is_server(f->ssl) && verdict != X509_V_OK &&
	    SSL_get_verify_mode(f->ssl) != SSL_VERIFY_NONE)
		return X509_verify_cert_error_string(verdict);
	return text != NULL ? text : "the session broke";
}
