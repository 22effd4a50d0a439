/*
 * Who may send where: the questions of policy that a client's commands raise.
 *
 * Everybody may send to relay.domains, relay.networks to everybody, and
 * everybody to the postmaster of this host (RFC 5321 4.5.1).
 */
#ifndef MTAD_SMTPD_ENGINE_RX_RULES_H
#define MTAD_SMTPD_ENGINE_RX_RULES_H

#include "common/smtp/smtp_path.h"
#include "smtpd/engine/rx.h"
#include "smtpd/engine/rx_reply.h"

bool rx_rules_is_trusted(const struct rx_site *site,
    const struct ipaddr *client);

/* The postmaster of this host, whom everybody may write to. */
bool rx_rules_is_postmaster(const struct rx_site *site,
    const struct smtp_path *path);

/*
 * RX_REPLY_NONE, or why not.  A stranger's recipient in relay.domains is
 * refused when its local part holds a route of its own (user%other@ours,
 * other!user@ours, "user@other"@ours): the host behind us may act upon it and
 * trust us (RFC 2505 2.1).  Trusted clients may write what they like.
 */
enum rx_reply_id rx_rules_recipient(const struct rx_site *site,
    bool is_trusted, const struct smtp_path *path);

/* The same for a sender: only a domain is asked for, and only of strangers. */
enum rx_reply_id rx_rules_sender(bool is_trusted,
    const struct smtp_path *path);

/*
 * Whether USER may send as that (RFC 6409 6.1): by a row of auth.senders for
 * him or for `*`, or because there are none.  SENDER without domain has ours;
 * empty: null.
 */
bool rx_rules_may_send_as(const struct rx_site *site, struct span user,
    struct span sender);

#endif
