/*
 * What a client sends to a port with TLS, before any key is asked for: hellos
 * of all kinds, alerts, records that are cut.  The first octet says how the
 * bytes are cut.  Nothing may come out as text: there is no keyd.
 */
#include <stdint.h>
#include <stdlib.h>

#include "common/base/check.h"
#include "common/tls/tls_server.h"
#include "tests/unit/keyd/make_pair.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static struct tls_signer signer;

/* One for all inputs. */
static struct tls_server *
server(void)
{
	static struct tls_server *made;
	static const uint8_t secret[TLS_SERVER_TICKETS_BYTES];
	static const uint8_t id[SIGN_ID_BYTES];
	struct tls_chain chain = { .key_id = SPAN_NONE };
	struct tls_server_setup setup = {
		.service = "mx", .chains = &chain, .n = 1,
		.signer = &signer,
	};
	struct buf pem, key;

	if (made != NULL)
		return made;
	buf_init(&pem, 1 << 16);
	buf_init(&key, 1 << 16);
	make_pair("P-256", "mail.example.org", 0, 86400, &pem, &key);
	chain.key_id = span_of(id, sizeof(id));
	chain.chain = buf_span(&pem);
	setup.tickets = span_of(secret, sizeof(secret));
	tls_signer_init(&signer);
	MUST(tls_server_new(&setup, &made, NULL) == OK);
	buf_clear(&pem);
	buf_clear(&key);
	return made;
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	static uint8_t place[(1 << 20) + STREAM_FILTER_EXTRA];
	enum stream_filter_end end = STREAM_FILTER_ON;
	struct tls_filter *f;
	struct stream_filter *base;
	struct span rest;
	struct buf out;
	size_t piece;

	if (n == 0 || n > 1 << 20)
		return 0;
	piece = (size_t)bytes[0] * 16 + 1;
	rest = span_of(bytes + 1, n - 1);
	MUST(tls_server_accept(server(), &f) == OK);
	base = tls_filter_base(f);
	buf_init(&out, 1 << 20);
	while (rest.n > 0 && end == STREAM_FILTER_ON) {
		size_t got = 0;

		end = base->ops->read(base, span_sub(rest, 0, piece), place,
		    &got, &out);
		MUST(got == 0);
		rest = span_from(rest, piece);
	}
	MUST(!tls_filter_is_open(f));
	MUST(end == STREAM_FILTER_ON || tls_filter_fault(f)[0] != '\0');
	tls_filter_free(&f);
	buf_clear(&out);
	return 0;
}
