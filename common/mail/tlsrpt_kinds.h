/*
 * What becomes of TLS on a connection to a next hop, in the words of RFC 8460:
 * deliverd tells them, queued counts and reports them.
 */
#ifndef MTAD_MAIL_TLSRPT_KINDS_H
#define MTAD_MAIL_TLSRPT_KINDS_H

/* The policy that it happened under, 4.4. */
enum tlsrpt_kind { TLSRPT_NO_POLICY, TLSRPT_TLSA, TLSRPT_STS, TLSRPT_KINDS };

enum tlsrpt_result {			/* 4.3 */
	TLSRPT_SUCCESS,
	TLSRPT_NO_STARTTLS,
	TLSRPT_WRONG_NAME,
	TLSRPT_EXPIRED,
	TLSRPT_NOT_TRUSTED,
	TLSRPT_INVALID,			/* of no other kind */
	TLSRPT_TLSA_INVALID,
	TLSRPT_DNSSEC_INVALID,
	TLSRPT_DANE_REQUIRED,
	TLSRPT_STS_FETCH,
	TLSRPT_STS_INVALID,
	TLSRPT_STS_WEBPKI,
	TLSRPT_RESULTS
};

#endif
