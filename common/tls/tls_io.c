#include "common/tls/tls_io.h"

#include <openssl/bio.h>
#include <pthread.h>

static BIO_METHOD *method;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* Nothing there: OpenSSL keeps what it has of a record and asks again. */
static int
on_read(BIO *bio, char *place, size_t size, size_t *got)
{
	struct tls_io *io = BIO_get_data(bio);
	const size_t n = io->in.n < size ? io->in.n : size;

	BIO_clear_retry_flags(bio);
	if (n == 0) {
		BIO_set_retry_read(bio);
		return 0;
	}
	memcpy(place, io->in.p, n);
	io->in = span_from(io->in, n);
	*got = n;
	return 1;
}

static int
on_write(BIO *bio, const char *bytes, size_t n, size_t *put)
{
	struct tls_io *io = BIO_get_data(bio);

	BIO_clear_retry_flags(bio);
	if (io->out == NULL)
		return 0;
	buf_add(io->out, bytes, n);
	if (buf_failed(io->out))
		return 0;
	*put = n;
	return 1;
}

static long
on_ctrl(BIO *bio, int what, long number, void *p)
{
	(void)bio;
	(void)number;
	(void)p;
	return what == BIO_CTRL_FLUSH;
}

/* Once for the process; it lives as long. */
static void
make_method(void)
{
	BIO_METHOD *m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK,
	    "mtad stream");

	if (m == NULL)
		return;
	BIO_meth_set_read_ex(m, on_read);
	BIO_meth_set_write_ex(m, on_write);
	BIO_meth_set_ctrl(m, on_ctrl);
	method = m;
}

BIO *
tls_io_new(struct tls_io *io)
{
	BIO *bio;

	(void)pthread_once(&once, make_method);
	bio = method != NULL ? BIO_new(method) : NULL;
	if (bio == NULL)
		return NULL;
	BIO_set_data(bio, io);
	BIO_set_init(bio, 1);
	return bio;
}
