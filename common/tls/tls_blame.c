#include "common/tls/tls_blame.h"

#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

enum tls_blame
tls_blame(const struct tls_filter *f)
{
	switch (SSL_get_verify_result(tls_filter_ssl(f))) {
	case X509_V_OK:
		return TLS_BLAME_NOTHING;
	case X509_V_ERR_HOSTNAME_MISMATCH:
	case X509_V_ERR_IP_ADDRESS_MISMATCH:
		return TLS_BLAME_NAME;
	case X509_V_ERR_CERT_NOT_YET_VALID:
	case X509_V_ERR_CERT_HAS_EXPIRED:
		return TLS_BLAME_TIME;
	default:
		return TLS_BLAME_TRUST;
	}
}
