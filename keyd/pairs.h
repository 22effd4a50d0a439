/*
 * Certificates with their private keys: read from PEM, checked, kept.
 *
 * Only this process has the private halves.  What is wrong is told in words
 * for the administrator, one line each, with the file's name.
 */
#ifndef MTAD_KEYD_PAIRS_H
#define MTAD_KEYD_PAIRS_H

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/tls/sign_wire.h"

#define PAIRS_MAX		64	/* as in messages.def */
#define PAIRS_RSA_BITS_MIN	2048
#define PAIRS_EXPIRY_DAYS	14	/* remaining; fewer are worth a word */

struct evp_pkey_st;
struct msg_list;

struct pair {
	uint8_t key_id[SIGN_ID_BYTES];
	struct buf name;		/* of the certificate's file */
	struct evp_pkey_st *key;
	struct buf chain;		/* PEM */
	struct buf staple;		/* DER */
};

struct pairs {
	struct pair v[PAIRS_MAX];
	size_t n;
};

/* Who shows a certificate. */
enum pairs_side { PAIRS_SERVER, PAIRS_CLIENT };

/*
 * ROWS of `tls_pairs`, or of `hop_pairs`.  Errors and remarks go to TEXT; NOW_S
 * is the wall clock in seconds, for dates.  ERR_SYNTAX (words in TEXT),
 * ERR_NOMEM; OUT is untouched then.
 */
enum err pairs_load(const struct msg_list *rows, enum pairs_side side,
    int64_t now_s, struct pairs *out, struct buf *text);
void pairs_clear(struct pairs *p);

/* NULL when there is none. */
const struct pair *pairs_find(const struct pairs *p,
    const uint8_t key_id[SIGN_ID_BYTES]);

#endif
