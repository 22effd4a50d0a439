/*
 * The Sender Rewriting Scheme (Meng Weng Wong, Shevek: "SRS", 2004): senders
 * of others under a domain of ours, so that SPF (RFC 7208) holds for mail that
 * is forwarded and a report comes back to who sent it.
 *
 *	user@sender.example	SRS0=hash=day=sender.example=user@ours
 *	SRS0=…@fwd.example	SRS1=hash=fwd.example==…@ours
 *
 * The hash says that we made it: 30 bits of an HMAC, in letters that survive a
 * change of case, as do the 2 of the day (of 1,024).  Pure: the HMAC is the
 * caller's, as is the clock.
 */
#ifndef MTAD_MAIL_SRS_H
#define MTAD_MAIL_SRS_H

#include "common/base/buf.h"
#include "common/base/err.h"

#define SRS_ADDRESS_MAX	254	/* octets of an address, RFC 5321 4.5.3.1.3 */
#define SRS_MAC_BYTES	32

/* Over TEXT with key KEY of several; false without memory. */
typedef bool srs_mac_fn(void *ctx, unsigned key, struct span text,
    uint8_t out[SRS_MAC_BYTES]);

struct srs {
	srs_mac_fn *mac;
	void *ctx;
	unsigned n_keys;	/* the first one signs, all of them check */
	uint32_t day;		/* since any */
	uint32_t days_max;	/* of an SRS0 address, below 1,024 */
};

/* Appends SENDER under DOMAIN.  ERR_SYNTAX: it is no mailbox of a domain;
 * ERR_RANGE: it would be too long; ERR_NOMEM.  Nothing is appended then. */
enum err srs_forward(const struct srs *s, struct span sender,
    struct span domain, struct buf *out);

/* Whether a local part looks like one of ours. */
bool srs_is_it(struct span local);

/* Appends whose ADDRESS was.  ERR_SYNTAX: it is none; ERR_DENIED: we did not
 * make it; ERR_RANGE: too old; ERR_NOMEM. */
enum err srs_reverse(const struct srs *s, struct span address,
    struct buf *out);

#endif
