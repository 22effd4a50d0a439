/*
 * Answers smtpds' questions about users: is this the password, is this the
 * proof.
 *
 * Every question gets one answer, after the wait that guesses.h wants.  That
 * of one that can't be looked at now is AUTH_LATER, at once.  Nothing in the
 * answer, nor in its time, tells whether there is such a user.
 */
#ifndef MTAD_KEYD_AUTH_H
#define MTAD_KEYD_AUTH_H

#include "common/ipc/messages.h"
#include "common/loop/loop.h"
#include "common/secret/passwords.h"
#include "keyd/dovecot_link.h"

#define AUTH_QUESTIONS_MAX 4096u	/* that wait for their answer */

struct auth;

/* Sends M to the smtpd that PEER names, if that is still there. */
typedef void auth_send_fn(void *ctx, uint64_t peer, const struct msg *m);

/* PASSWORDS is borrowed and may change its content.  ERR_NOMEM, ERR_IO,
 * ERR_FULL (no thread). */
enum err auth_new(struct loop *l, const struct passwords *passwords,
    auth_send_fn *send, void *ctx, struct auth **out);

/* From now on DOVECOT is asked, or with NULL the passwords are.  Borrowed; it
 * ends before A does, as questions lie there. */
void auth_set_dovecot(struct auth *a, struct dovecot_link *dovecot);

/* Questions that wait get no answer any more. */
void auth_free(struct auth **a);

/* auth_check, auth_token, scram_begin, scram_proof; others are nothing to
 * it. */
void auth_message(struct auth *a, uint64_t peer, const struct msg *m);

/* What there is to be asked for. */
void auth_offer(const struct auth *a, struct msg *out);

#endif
