/*
 * Signs what a process that speaks TLS asks for.
 */
#ifndef MTAD_KEYD_SIGN_H
#define MTAD_KEYD_SIGN_H

#include "keyd/pairs.h"

/* The answer to a packet (sign_wire.h), with an empty signature when the key is
 * unknown, of another kind, or the signing failed.  ERR_SYNTAX: no question;
 * nothing is appended. */
enum err sign_answer(const struct pairs *pairs, struct span packet,
    struct buf *out);

#endif
