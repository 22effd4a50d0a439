/*
 * Who has used up a quota, as queued tells it: MAIL is refused at once then, and
 * not when the message has come.  queued counts, and decides in any case.
 */
#ifndef MTAD_SMTPD_QUOTAS_H
#define MTAD_SMTPD_QUOTAS_H

#include "common/conf/conf_quota.h"
#include "common/ipc/messages.h"

struct session;
struct server;
struct quotas;

/* ERR_NOMEM, ERR_IO. */
enum err quotas_new(struct server *server, struct quotas **out);
void quotas_free(struct quotas **q);

/* Borrows CONF.  Nobody counts as full until queued says so again.
 * ERR_NOMEM: as before. */
enum err quotas_reload(struct quotas *q, const struct conf *conf);

void quotas_take(struct quotas *q, const struct msg_quota_full *m);

/* Another queued knows better. */
void quotas_forget(struct quotas *q);

/* Seconds until the session may hand in a message; 0: now, as far as is
 * known. */
uint32_t quotas_wait_s(struct session *s);

#endif
