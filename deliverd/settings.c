/*
 * The part of the configuration that deliveries need, computed once.  A reload
 * makes a new one; jobs and sessions keep the one that they began with, so no
 * limit or route changes under a dialogue, and a lease is served by the routes
 * it was planned by.
 */
#include "deliverd/settings.h"

#include <stdlib.h>

#include "common/base/check.h"
#include "common/base/mtime.h"
#include "common/proc/own.h"
#include "deliverd/providers.h"

/* A port of its own means a world of its own: the exchangers of the Internet
 * listen on 25 only, and there the loopback is nobody's. */
#define SMTP_PORT 25

static int64_t
limited(int64_t ms, int64_t limit)
{
	return ms > limit ? limit : ms;
}

/*
 * RFC 5321 4.5.3.2.  Who makes reply_timeout shorter wants all waits shorter:
 * those left at their defaults follow it.
 */
static void
set_waits(const struct conf *conf, struct tx_setup *tx)
{
	const struct tx_setup *usual = &tx_setup_default;
	int64_t reply = conf->deliver.reply_timeout_ms;
	int64_t block = conf->deliver.data_timeout_ms;
	int64_t final = conf->deliver.final_timeout_ms;

	if (block == usual->wait_ms[TX_FOR_BLOCK])
		block = limited(block, reply);
	if (final == usual->wait_ms[TX_FOR_FINAL])
		final = limited(final, 2 * reply);
	tx->wait_ms[TX_FOR_GREETING] = reply;
	tx->wait_ms[TX_FOR_HELLO] = reply;
	tx->wait_ms[TX_FOR_MAIL] = reply;
	tx->wait_ms[TX_FOR_RCPT] = reply;
	tx->wait_ms[TX_FOR_DATA] =
	    limited(reply, usual->wait_ms[TX_FOR_DATA]);
	tx->wait_ms[TX_FOR_BLOCK] = block;
	tx->wait_ms[TX_FOR_FINAL] = final;
	tx->wait_ms[TX_FOR_QUIT] =
	    limited(reply, usual->wait_ms[TX_FOR_QUIT]);
}

/* What is counted for all deliverds together is shared out among them. */
static void
set_limits(const struct conf *conf, uint16_t workers, struct settings *s)
{
	s->has_ipv6 = own_has_ipv6();
	s->may_loopback = conf->deliver.port != SMTP_PORT;
	s->refuses_private =
	    conf->deliver.private_addresses == CONF_PRIVATE_REFUSE;
	s->reports_tls = conf->reports.tls == CONF_TLS_REPORTS_SEND;
	s->connect_ms = conf->deliver.connect_timeout_ms;
	s->idle_ms = conf->deliver.idle_timeout_ms;
	s->dns_ms = conf->dns.timeout_ms;
	s->connections_total = conf->deliver.connections_total;
	if (workers > 1)
		s->connections_total =
		    (s->connections_total + workers - 1) / workers;
}

/* Not to be copied: tx.helo points into it. */
enum err
settings_new(const struct conf *conf, uint32_t generation, uint16_t workers,
    struct settings **out)
{
	struct settings *s = calloc(1, sizeof(*s));
	const char *helo = conf->deliver.helo;
	enum err e;

	if (s == NULL)
		return ERR_NOMEM;
	s->uses = 1;
	s->generation = generation;
	if (helo[0] == '\0')
		helo = conf->hostname;
	if (!span_copy(span_str(helo), s->helo, sizeof(s->helo)) ||
	    !span_copy(span_str(conf->hostname), s->hostname,
	    sizeof(s->hostname))) {
		free(s);
		return ERR_RANGE;
	}
	s->tx.helo = s->helo;
	s->tx.rcpts_max = conf->deliver.recipients;
	set_waits(conf, &s->tx);
	set_limits(conf, workers, s);
	e = own_endpoints(&conf->listeners, &s->own, &s->n_own);
	if (e == OK)
		e = route_table_new(conf, &s->routes);
	if (e == OK)
		e = conf_match_new(conf, &s->match);
	if (e == OK)
		e = providers_new(conf, &s->providers);
	if (e != OK) {
		settings_drop(&s);
		return e;
	}
	*out = s;
	return OK;
}

struct settings *
settings_use(struct settings *s)
{
	s->uses++;
	return s;
}

void
settings_drop(struct settings **settings)
{
	struct settings *s = *settings;

	*settings = NULL;
	if (s == NULL || --s->uses > 0)
		return;
	route_table_free(&s->routes);
	conf_match_free(&s->match);
	providers_free(&s->providers);
	free(s->own);
	free(s);
}
