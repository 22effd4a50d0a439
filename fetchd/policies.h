/*
 * Policies of MTA-STS (RFC 8461) for deliverds: found by DNS and HTTPS, known
 * for as long as they hold, kept by queued over our end.
 *
 * A domain is looked up once at a time, whoever asks meanwhile.  Without a
 * record there is no policy, and no pause for mail; what can't be asked within
 * POLICIES_DNS_MS is taken for none for POLICIES_QUIET_MS, unless a policy is
 * known.  After a failed fetch the domain is left alone (sts_cache.h).  What is
 * known is fetched anew every day.
 */
#ifndef MTAD_FETCHD_POLICIES_H
#define MTAD_FETCHD_POLICIES_H

#include "common/base/err.h"
#include "common/base/siphash.h"
#include "common/ipc/messages.h"

#define POLICIES_DNS_MS		5000
#define POLICIES_FETCH_MS	60000	/* RFC 8461 3.3: a minute */
#define POLICIES_QUIET_MS	60000
#define POLICIES_WAIT_MS	5000	/* at the start, for what queued kept */
#define POLICIES_LOOKUPS_MAX	4000
#define POLICIES_ASKERS_MAX	20000

struct ask;
struct channel;
struct fetch;
struct log;
struct loop;
struct policies;

struct policies_parts {
	struct loop *loop;
	struct log *log;
	struct ask *ask;
	struct fetch *fetch;
	const struct siphash_key *seed;
};

/* life: the parts are borrowed.  ERR_NOMEM. */
enum err policies_new(const struct policies_parts *parts,
    struct policies **out);
void policies_free(struct policies **p);	/* tells nobody anything */

/* At the start and after each reload: the port of the policies' hosts. */
void policies_set_port(struct policies *p, uint16_t port);

/* The answer goes to C, also from inside this call. */
void policies_ask(struct policies *p, struct channel *c,
    const struct msg_policy_ask *m);

/* C is gone: nothing more is told to it. */
void policies_forget(struct policies *p, const struct channel *c);

/* queued: it came (it is told all that is known), it is gone (NULL), what it
 * had kept, and the end of that. */
void policies_set_queued(struct policies *p, struct channel *c);
void policies_restore(struct policies *p, struct span record);
void policies_restored(struct policies *p);

/* An operator wants it to be fetched anew by the next mail. */
void policies_forget_domain(struct policies *p, struct span domain);

#endif
