/*
 * What tokens for next hops are got with: the files that routes name, and the
 * endpoint beside them.
 */
#ifndef MTAD_MTAD_SECRETS_GRANTS_H
#define MTAD_MTAD_SECRETS_GRANTS_H

#include "mtad/secrets.h"

#define SECRETS_GRANTS		256	/* as in messages.def */
#define SECRETS_GRANTS_MAX	((size_t)4 * 1024 * 1024)

struct conf;

/* Rows of `hop_grants` into S, one for each file by which routes name them.  As
 * secrets_read(); ERR_SYNTAX: two rules name the same file and differ in the
 * rest. */
enum err secrets_grants_read(struct secrets *s, const struct conf *conf,
    struct why *why);

/* The row of the file NAME has this refresh token from now on.  ERR_NOMEM: it has
 * the old one. */
enum err secrets_grants_renew(struct secrets *s, struct span name,
    struct span refresh_token);

#endif
