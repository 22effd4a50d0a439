/*
 * Which hosts to connect to for a destination, and in which order: one round
 * over the targets of a route, RFC 5321 section 5, RFC 7505.  Pure: questions
 * to the DNS come out, answers go in.
 *
 * Explicit hosts are taken in their order, or by lot where they share the load,
 * as they are.  Mail exchangers are sorted by preference, equal ones shuffled;
 * the domain's own addresses count as its exchanger only when it has no MX at
 * all.  Exchangers that are this host cut the list there.  Addresses that are
 * no other host's (unspecified, multicast, link-local, loopback unless allowed,
 * by policy private ones) are never given out for exchangers, so that the DNS
 * can't aim us at our neighbours.
 *
 * What a host publishes by DANE is looked up before it is given out, where the
 * names that lead to it are secure (RFC 7672 2.2).
 */
#ifndef MTAD_DELIVERD_HOPS_HOPS_H
#define MTAD_DELIVERD_HOPS_HOPS_H

#include "common/base/endpoint.h"
#include "common/base/err.h"
#include "common/base/span.h"
#include "common/dns/dns_names.h"
#include "common/mail/status.h"
#include "common/route/route.h"
#include "deliverd/hops/hop_dane.h"
#include "deliverd/hops/hops_answer.h"
#include "deliverd/hops/hops_setup.h"

#define HOPS_RECORDS_MAX 100	/* exchangers read of one answer */
#define HOPS_HOSTS_MAX	50	/* the best of them, kept */
#define HOPS_TRIED_MAX	5	/* addresses given out in one round */
#define HOPS_PER_HOST	3	/* of one host while others are left */
#define HOPS_WHOLE_MAX	200	/* addresses given out when all are wanted */

struct hop {
	struct endpoint at;
	const char *host;	/* name or address; borrowed for the round */
	bool is_tls;		/* begins with it: smtps:// */
	bool is_lmtp;
	bool is_literal;	/* host is an address */
	bool is_unix;		/* host is the path of a socket; no `at` */
	const char *user;	/* of its target; "": the route's */
	const struct hop_dane *dane;	/* of its host */
	uint16_t preference;	/* of an exchanger */
	bool is_drawn;		/* by lot, from others that are as good */
	bool is_beyond;		/* of a whole: one round does not come to it */
};

enum hops_step {
	HOPS_ASK,		/* *QUESTION is to be asked */
	HOPS_AWAIT,		/* an answer is due */
	HOPS_TRY,		/* *HOP is to be tried; ask again if it fails */
	HOPS_OVER,		/* the round is over: hops_verdict() */
};

/* Why there is no (further) host. */
struct hops_verdict {
	bool is_permanent;
	struct status status;
	char text[512];
};

struct hops;

/* ERR_NOMEM; ERR_RANGE when the domain is no name that the DNS can hold. */
enum err hops_new(const struct hops_setup *setup, struct hops **out);
void hops_free(struct hops **h);

/* What to do next; QUESTION or HOP is set as said. */
enum hops_step hops_next(struct hops *h, struct hops_question *question,
    struct hop *hop);

/* An answer to a question that isn't open is ignored. */
void hops_answer(struct hops *h, uint32_t id, const struct hops_answer *a);

/* The host given out last won't do, whatever its address: the next one's turn
 * comes.  It counts as tried, so that a round stays short. */
void hops_skip(struct hops *h);

/* By MX the domain as the DNS knows it, else ""; hosts given out so far. */
const char *hops_domain(const struct hops *h);
unsigned hops_tried(const struct hops *h);

/* After HOPS_OVER; meaningless for people when some host was tried: then that
 * host's words are the reason. */
void hops_verdict(const struct hops *h, struct hops_verdict *out);

#endif
