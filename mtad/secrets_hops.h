/*
 * Who we are at next hops: the files that routes name.
 */
#ifndef MTAD_MTAD_SECRETS_HOPS_H
#define MTAD_MTAD_SECRETS_HOPS_H

#include "mtad/secrets.h"

#define SECRETS_HOPS_MAX	((size_t)4 * 1024 * 1024)
#define SECRETS_HOP_PAIRS_MAX	((size_t)8 * 1024 * 1024)
#define SECRETS_HOP_PAIRS	64	/* certificates, as in messages.def */

struct conf;

/* Passwords and certificates into S, each file once.  As secrets_read(). */
enum err secrets_hops_read(struct secrets *s, const struct conf *conf,
    struct why *why);

#endif
