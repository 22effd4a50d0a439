/*
 * A private key and a certificate for it, as PEM; for tests.
 */
#ifndef MTAD_TESTS_MAKE_PAIR_H
#define MTAD_TESTS_MAKE_PAIR_H

#include "common/base/buf.h"

/* KIND: "RSA2048", "RSA1024", "P-256", "P-384", "ED25519"; the certificate is
 * for NAME and lasts from FROM_S to UNTIL_S, seconds from now. */
void make_pair(const char *kind, const char *name, long from_s, long until_s,
    struct buf *chain, struct buf *key);

#endif
