/*
 * What was left out of a round, and why: for who explains it to people.  A
 * round keeps notes only when its setup asks for them (wants_notes); it goes
 * the same way with them and without.
 *
 * At most HOPS_NOTES_MAX are kept, in the order in which things were seen.
 */
#ifndef MTAD_DELIVERD_HOPS_HOPS_NOTE_H
#define MTAD_DELIVERD_HOPS_HOPS_NOTE_H

#include "deliverd/hops/hops.h"

#define HOPS_NOTES_MAX 64

enum hops_why {
	HOPS_WHY_LOCALHOST,	/* an exchanger with that name */
	HOPS_WHY_OUR_NAME,	/* this host, by its name */
	HOPS_WHY_OUR_ADDRESS,	/* this host, where it listens */
	HOPS_WHY_BEHIND_US,	/* preferred no more than this host */
	HOPS_WHY_NOBODYS,	/* loopback, unspecified, multicast … */
	HOPS_WHY_PRIVATE,	/* in a network where policy sends none */
	HOPS_WHY_NO_IPV6,	/* no way into the IPv6 world now */
	HOPS_WHY_NO_NAME,	/* it does not exist */
	HOPS_WHY_NO_ADDRESS,
	HOPS_WHY_TEMPORARY,	/* can't be looked up now: text */
	HOPS_WHY_COUNT
};

struct hops_note {
	enum hops_why why;
	const char *host;	/* borrowed for the round; "": none */
	struct ipaddr ip;	/* of two of them; family 0: of the host */
	char text[96];
};

/* The notes so far, borrowed until the next call about H. */
size_t hops_notes(const struct hops *h, const struct hops_note **out);

/* "refused: …", "no address": for people. */
const char *hops_why_text(enum hops_why why);

#endif
