/*
 * What a stranger shows as a certificate, in DER, and what an operator names as
 * a bundle of authorities: a user's name is clean, or there is none.
 */
#include "common/base/check.h"
#include "common/base/utf8.h"
#include "common/tls/tls_clients.h"

#include <openssl/err.h>
#include <openssl/x509.h>
#include <stdint.h>

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
look(X509 *x)
{
	struct tls_identity id;
	struct why why = { "" };

	MUST(tls_identity_fingerprint(x, &id) == OK);
	MUST(strlen(id.fingerprint) == 64 && id.user_n == 0);
	if (tls_identity_user(x, &id, &why) != OK) {
		MUST(id.user_n == 0 && why.text[0] != '\0');
		return;
	}
	MUST(id.user_n > 0 && id.user_n <= TLS_IDENTITY_USER_MAX);
	MUST(utf8_is_valid(span_of(id.user, id.user_n)));
	for (size_t i = 0; i < id.user_n; i++)
		MUST((unsigned char)id.user[i] >= 0x20 && id.user[i] != 0x7f);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	const unsigned char *p = bytes;
	struct tls_clients *clients = NULL;
	struct why why = { "" };
	X509 *x;

	if (n > 1 << 16)
		return 0;
	x = d2i_X509(NULL, &p, (long)n);
	if (x != NULL)
		look(x);
	X509_free(x);
	MUST((tls_clients_new(span_of(bytes, n), &clients, &why) == OK) ==
	    (clients != NULL));
	MUST(clients != NULL || why.text[0] != '\0');
	tls_clients_free(&clients);
	ERR_clear_error();
	return 0;
}
