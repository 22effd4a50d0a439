/*
 * The inside of a round over the hosts of a destination, for the files of
 * this room only.
 *
 * Hosts are resolved one after the other, when their turn comes.  A question's
 * id says what it asks: HOPS_ID_MX, or host and kind: a family, or DANE.
 */
#ifndef MTAD_DELIVERD_HOPS_HOPS_STATE_H
#define MTAD_DELIVERD_HOPS_HOPS_STATE_H

#include "common/base/rng.h"
#include "common/dns/dns_wire.h"
#include "deliverd/hops/hops_note.h"

#define HOPS_ADDRESSES_MAX 16	/* kept of a host, of each family */
#define HOPS_ID_MX	1U
#define HOPS_ID_HOSTS	2U	/* + HOPS_KINDS * host + kind */
#define HOPS_KIND_DANE	2U	/* behind the families */
#define HOPS_KINDS	3U

enum hops_family { HOPS_V4, HOPS_V6, HOPS_FAMILIES };

enum hops_ask { HOPS_NOT_ASKED, HOPS_ASKED, HOPS_ANSWERED };

/* What is asked for, one after the other as far as it is needed. */
enum hops_dane_step {
	HOPS_DANE_BEGIN,
	HOPS_DANE_ALIAS,	/* is the name's CNAME secure? */
	HOPS_DANE_EXPANDED,	/* TLSA of the name behind the CNAMEs */
	HOPS_DANE_NAME,		/* TLSA of the name */
	HOPS_DANE_OVER,
};

struct hops_host {
	char name[DNS_NAME_SIZE];
	char canonical[DNS_NAME_SIZE];	/* behind its CNAMEs; "": none */
	bool saw_secure;		/* addresses of it */
	bool saw_insecure;
	uint8_t dane_step;		/* enum hops_dane_step */
	uint8_t dane_ask;		/* enum hops_ask */
	struct hop_dane *dane;		/* one block; NULL: nothing wanted */
	uint16_t port;
	bool is_tls;
	bool is_lmtp;
	bool is_literal;
	bool is_unix;
	const char *user;	/* NULL: none of its own */
	uint16_t preference;
	uint64_t order;			/* among those of one preference */
	uint8_t ask[HOPS_FAMILIES];	/* enum hops_ask */
	bool is_hurried;		/* one family will do */
	bool is_ready;			/* its addresses are in order */
	struct ipaddr found[HOPS_FAMILIES][HOPS_ADDRESSES_MAX];
	uint8_t n_found[HOPS_FAMILIES];
	struct ipaddr addresses[HOPS_FAMILIES * HOPS_ADDRESSES_MAX];
	uint8_t n_addresses;
	uint8_t given;			/* of them */
};

struct hops {
	struct hops_setup setup;
	struct rng rng;
	bool is_mx;
	bool has_mx;			/* not just its own address */
	bool is_mx_secure;
	enum hops_ask mx;
	char domain[DNS_NAME_SIZE];
	char canonical[DNS_NAME_SIZE];	/* behind the domain's CNAMEs */
	char question[DNS_NAME_SIZE];	/* for DANE, of the host in turn */
	struct hops_host *hosts;	/* in the order of their turns */
	size_t n_hosts;
	size_t n_made;			/* before some were left out */
	size_t turn;
	unsigned tried;
	/* why hosts were left out */
	bool saw_temporary;
	bool saw_refused;		/* an address that is nobody's */
	bool saw_private;		/* one that policy refuses */
	bool saw_self;
	bool saw_unreachable;		/* an address of the IPv6 we lack */
	bool saw_more;			/* than are kept of an answer */
	unsigned tried_beyond;		/* of tried: one round has no more */
	struct hops_note *notes;	/* NULL: none are wanted */
	size_t n_notes;
	bool is_failed;			/* verdict is made */
	struct hops_verdict verdict;
};

/* hops_mx: the exchangers of a domain, or itself where it has none */
void hops_mx_answer(struct hops *h, const struct hops_answer *a);

/* hops_host: addresses */
void hops_host_answer(struct hops *h, struct hops_host *host,
    enum hops_family family, const struct hops_answer *a);
void hops_host_add(struct hops *h, struct hops_host *host,
    const struct ipaddr *ip);
void hops_host_make_ready(struct hops *h, struct hops_host *host);

/* hops_dane: what a host whose addresses are known publishes.  HOPS_TRY: all
 * is answered. */
enum hops_step hops_dane_ask(struct hops *h, struct hops_host *host,
    struct hops_question *q);
void hops_dane_answer(struct hops *h, struct hops_host *host,
    const struct hops_answer *a);

/* hops: the next address; false when this host has no more to give for now */
bool hops_give(struct hops *h, struct hops_host *host, struct hop *hop);

/* hops_note: HOST, IP may be NULL; nothing unless notes are wanted */
void hops_note(struct hops *h, enum hops_why why,
    const struct hops_host *host, const struct ipaddr *ip, struct span text);
bool hops_is_noted(const struct hops *h, const struct hops_host *host);

/* Room for N hosts, zeroed; false without memory: the round then fails. */
bool hops_make_hosts(struct hops *h, size_t n);

void hops_fail(struct hops *h, bool is_permanent, struct status status,
    const char *format, ...) __attribute__((format(printf, 4, 5)));

#endif
