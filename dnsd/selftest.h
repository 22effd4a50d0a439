/*
 * Whether DANE can work here: the resolver must validate (DNSSEC), and be
 * where nobody stands between it and us.  One question tells, for the SOA of
 * the root, which is signed; the log says what came of it.
 */
#ifndef MTAD_DNSD_SELFTEST_H
#define MTAD_DNSD_SELFTEST_H

#include "common/base/err.h"

#include <stdbool.h>

#define SELFTEST_AGAIN_MS 30000	/* while the resolver does not answer */

struct log;
struct loop;
struct msg_dns_answer;
struct resolve;
struct selftest;

enum err selftest_new(struct loop *l, struct log *log, struct resolve *r,
    struct selftest **out);
void selftest_free(struct selftest **t);

/* After the resolvers were set: IS_TRUSTED as told to resolve_set(). */
void selftest_begin(struct selftest *t, bool is_trusted);

/* The answer; the asker is the test itself. */
void selftest_answer(struct selftest *t, const struct msg_dns_answer *a);

#endif
