/*
 * Who may relay, compiled for the questions that smtpd asks of each client
 * and each recipient: is this address in relay.networks, is this domain in
 * relay.domains?  And who may call for mail, relay.etrn.  All take O(log n), for the domain once for each label.
 *
 * Owns its own copies; the struct conf may go away.  Read-only after
 * conf_match_new.
 */
#ifndef MTAD_CONF_CONF_MATCH_H
#define MTAD_CONF_CONF_MATCH_H

#include "common/conf/conf.h"

struct conf_match;

enum err conf_match_new(const struct conf *conf, struct conf_match **out);
void conf_match_free(struct conf_match **match);

/* Mapped addresses (::ffff:a.b.c.d) count as IPv4. */
bool conf_match_client(const struct conf_match *match,
    const struct ipaddr *client);

/* The same for relay.etrn; for relay.networks, when that is empty. */
bool conf_match_caller(const struct conf_match *match,
    const struct ipaddr *client);

/* DOMAIN in any case, as U-labels or A-labels, without a trailing dot; `example.org` in the list means
 * that domain alone, `.example.org` or `*.example.org` all below it. */
bool conf_match_domain(const struct conf_match *match, struct span domain);

/* Whether it means all below DOMAIN. */
bool conf_match_below(const struct conf_match *match, struct span domain);

#endif
