/*
 * What a dialogue is told of where it takes place: what all sessions share,
 * and what its client connected to.
 */
#ifndef MTAD_SMTPD_ENGINE_RX_SITE_H
#define MTAD_SMTPD_ENGINE_RX_SITE_H

#include <stdbool.h>
#include <stdint.h>

struct conf;
struct conf_match;
struct route_table;

enum rx_spool {
	RX_SPOOL_OPEN,
	RX_SPOOL_FULL,		/* MAIL gets 452 4.3.1 */
	RX_SPOOL_GONE,		/* nobody to hand mail to: MAIL gets 451 */
};

/* What all sessions share. */
struct rx_site {
	const struct conf *conf;
	const struct conf_match *match;
	const struct route_table *routes;	/* NULL: no rules */
	enum rx_spool spool;
	bool has_passwords;	/* keyd knows users: AUTH is offered */
	bool has_scram;		/* ... with SCRAM secrets */
	bool has_bearer;	/* ... or by tokens */
	bool has_signer;	/* TLS can begin now; else 454 */
	uint64_t room_bytes;	/* a larger SIZE= gets 452 4.3.1 */
	int64_t wall_ms;	/* now, at each step */
};

/* What a client connected to. */
struct rx_door {
	uint16_t listener;	/* row of the configuration, for the envelope */
	bool may_tls;		/* STARTTLS is offered */
	bool is_tls;		/* all is said inside TLS from the start on */
	bool needs_tls;		/* nothing is done without it */
	bool may_xclient;	/* it may say that it is another */
	bool needs_auth;	/* no mail is taken without AUTH */
};

#endif
