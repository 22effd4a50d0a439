/*
 * The verbs, as rx_table.c lists them.  Each returns its reply, and has
 * entered its new state when that says yes.
 */
#ifndef MTAD_SMTPD_ENGINE_RX_VERBS_H
#define MTAD_SMTPD_ENGINE_RX_VERBS_H

#include "common/smtp/smtp_command.h"
#include "smtpd/engine/rx_reply.h"

struct rx;

enum rx_reply_id rx_do_helo(struct rx *rx, const struct smtp_command *c);
enum rx_reply_id rx_do_ehlo(struct rx *rx, const struct smtp_command *c);
enum rx_reply_id rx_do_mail(struct rx *rx, const struct smtp_command *c);
enum rx_reply_id rx_do_rcpt(struct rx *rx, const struct smtp_command *c);
enum rx_reply_id rx_do_data(struct rx *rx, const struct smtp_command *c);
enum rx_reply_id rx_do_rset(struct rx *rx, const struct smtp_command *c);
enum rx_reply_id rx_do_noop(struct rx *rx, const struct smtp_command *c);
enum rx_reply_id rx_do_vrfy(struct rx *rx, const struct smtp_command *c);
enum rx_reply_id rx_do_help(struct rx *rx, const struct smtp_command *c);
enum rx_reply_id rx_do_bdat(struct rx *rx, const struct smtp_command *c);
enum rx_reply_id rx_do_etrn(struct rx *rx, const struct smtp_command *c);
enum rx_reply_id rx_do_quit(struct rx *rx, const struct smtp_command *c);
enum rx_reply_id rx_do_auth(struct rx *rx, const struct smtp_command *c);
enum rx_reply_id rx_do_starttls(struct rx *rx, const struct smtp_command *c);
enum rx_reply_id rx_do_xclient(struct rx *rx, const struct smtp_command *c);
enum rx_reply_id rx_do_absent(struct rx *rx, const struct smtp_command *c);
enum rx_reply_id rx_do_unknown(struct rx *rx, const struct smtp_command *c);
enum rx_reply_id rx_do_foreign(struct rx *rx, const struct smtp_command *c);

/* Whether this client may call for some mail. */
bool rx_etrn_is_offered(const struct rx *rx);

#endif
