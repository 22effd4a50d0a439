/*
 * What is demanded of TLS at a host, and why, in words.
 */
#ifndef MTAD_DELIVERD_EXPLAIN_TLS_H
#define MTAD_DELIVERD_EXPLAIN_TLS_H

#include "deliverd/hops/hops.h"
#include "deliverd/policy/policy.h"

enum { EXPLAIN_TLS_SIZE = 1024 };

/* none, opportunistic, required, verified, dane or skipped. */
const char *explain_tls_name(const struct policy *policy, bool is_tls_host);

/* STS is what was judged by.  Returns the length. */
size_t explain_tls_why(const struct policy *policy, const struct hop *hop,
    const struct policy_sts *sts, char out[EXPLAIN_TLS_SIZE]);

#endif
