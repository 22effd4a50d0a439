/*
 * Passwords' hashes as crypt(3) makes them.
 *
 * Four kinds are taken: yescrypt ($y$), SHA-512 ($6$), SHA-256 ($5$) and bcrypt
 * ($2b$, $2y$, $2a$).  What a graphics card guesses through in a night (DES,
 * MD5, NT, SHA-1) is not.
 */
#ifndef MTAD_SECRET_CRYPT_HASH_H
#define MTAD_SECRET_CRYPT_HASH_H

#include "common/base/err.h"
#include "common/base/span.h"

#define CRYPT_HASH_MAX		255	/* octets */
#define CRYPT_PASSWORD_MAX	511	/* as crypt(3) takes */

enum crypt_verdict {
	CRYPT_FITS,
	CRYPT_WEAK,		/* of a kind that protects nothing */
	CRYPT_MALFORMED,	/* of a good kind, but cut or garbled */
	CRYPT_COSTLY,		/* it would take seconds to check */
	CRYPT_UNKNOWN,		/* no hash */
};

/* What can be told by its form. */
enum crypt_verdict crypt_hash_judge(struct span hash);

struct crypt_work;

/* The memory for it, 32 KiB: one a thread.  NULL: none. */
struct crypt_work *crypt_work_new(void);
void crypt_work_free(struct crypt_work **w);

/* Whether PASSWORD is the one of HASH.  Takes some ten milliseconds, the same
 * for a wrong one.  W holds nothing of it afterwards. */
bool crypt_hash_fits(struct crypt_work *w, struct span hash,
    struct span password);

/* Makes a hash with a salt of its own: PREFIX is "$y$" or "$6$".  ERR_RANGE (the
 * password is too long or has a NUL), ERR_IO. */
enum err crypt_hash_make(struct crypt_work *w, const char *prefix,
    struct span password, char out[CRYPT_HASH_MAX + 1]);

#endif
