#include "common/tls/tls_identity.h"

#include "common/base/utf8.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <string.h>

static enum err
take_name(struct span text, const char *kind, struct tls_identity *out,
    struct why *why)
{
	bool is_good = text.n > 0 && text.n <= TLS_IDENTITY_USER_MAX &&
	    utf8_is_valid(text);

	for (size_t i = 0; i < text.n && is_good; i++)
		is_good = text.p[i] >= 0x20 && text.p[i] != 0x7f;
	if (!is_good)
		return why_set(why, ERR_DENIED, "its %s can be no user's name",
		    kind);
	memcpy(out->user, text.p, text.n);
	out->user_n = text.n;
	return OK;
}

/* Its one: of several nobody could say which is meant. */
static enum err
take_common_name(X509 *x, struct tls_identity *out, struct why *why)
{
	X509_NAME *subject = X509_get_subject_name(x);
	const int at = X509_NAME_get_index_by_NID(subject, NID_commonName,
	    -1);
	unsigned char *text = NULL;
	enum err e;
	int n;

	if (at < 0)
		return why_set(why, ERR_DENIED, "it names nobody: neither an "
		    "rfc822Name nor a commonName");
	if (X509_NAME_get_index_by_NID(subject, NID_commonName, at) >= 0)
		return why_set(why, ERR_DENIED, "it has several commonNames");
	n = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(
	    X509_NAME_get_entry(subject, at)));
	e = take_name(n > 0 ? span_of(text, (size_t)n) : SPAN_NONE,
	    "commonName", out, why);
	OPENSSL_free(text);
	return e;
}

/* The first of its kind; NULL: none. */
static const ASN1_STRING *
mail_name(const GENERAL_NAMES *names)
{
	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

		if (name->type == GEN_EMAIL)
			return name->d.rfc822Name;
	}
	return NULL;
}

/* An IA5String has nothing else; empty: this one has. */
static struct span
ascii(const ASN1_STRING *s)
{
	const struct span text = span_of(ASN1_STRING_get0_data(s),
	    (size_t)ASN1_STRING_length(s));

	return utf8_is_ascii(text) ? text : SPAN_NONE;
}

/* An extension that can't be read is not as good as none. */
enum err
tls_identity_user(X509 *x, struct tls_identity *out, struct why *why)
{
	int found = 0;
	GENERAL_NAMES *names = X509_get_ext_d2i(x, NID_subject_alt_name,
	    &found, NULL);
	const ASN1_STRING *mail = mail_name(names);
	enum err e;

	if (names == NULL && found != -1)
		e = why_set(why, ERR_DENIED, "its subjectAltName can't be "
		    "read");
	else if (mail != NULL)
		e = take_name(ascii(mail), "rfc822Name", out, why);
	else
		e = take_common_name(x, out, why);
	GENERAL_NAMES_free(names);
	ERR_clear_error();
	return e;
}

enum err
tls_identity_fingerprint(X509 *x, struct tls_identity *out)
{
	static const char digits[] = "0123456789abcdef";
	uint8_t hash[32];
	unsigned n = 0;

	if (X509_digest(x, EVP_sha256(), hash, &n) != 1 || n != sizeof(hash))
		return ERR_NOMEM;
	*out = (struct tls_identity){ .user_n = 0 };
	for (size_t i = 0; i < n; i++) {
		out->fingerprint[2 * i] = digits[hash[i] >> 4];
		out->fingerprint[2 * i + 1] = digits[hash[i] & 15];
	}
	return OK;
}
