/*
 * What one generation of the configuration means for deliveries.
 *
 * Counted: connections keep the one that they were made under until they end.
 */
#ifndef MTAD_DELIVERD_SETTINGS_H
#define MTAD_DELIVERD_SETTINGS_H

#include "common/base/endpoint.h"
#include "common/conf/conf_match.h"
#include "common/mail/domain.h"
#include "common/route/route_table.h"
#include "deliverd/engine/tx.h"

struct providers;

struct settings {
	unsigned uses;
	uint32_t generation;
	struct route_table *routes;
	struct conf_match *match;	/* relay.domains */
	struct tx_setup tx;
	char helo[DOMAIN_MAX + 1];
	char hostname[DOMAIN_MAX + 1];
	struct endpoint *own;		/* where this host listens */
	size_t n_own;
	bool has_ipv6;			/* a route into the IPv6 world */
	bool may_loopback;		/* exchangers on this host */
	bool refuses_private;
	bool reports_tls;		/* queued is to know what became of it */
	int64_t connect_ms;
	int64_t idle_ms;
	int64_t dns_ms;
	uint32_t connections_total;	/* of this process */
	struct providers *providers;
};

/* CONF is borrowed for the call, WORKERS the number of deliverds. */
enum err settings_new(const struct conf *conf, uint32_t generation,
    uint16_t workers, struct settings **out);

struct settings *settings_use(struct settings *s);
void settings_drop(struct settings **s);	/* freed with its last use */

#endif
