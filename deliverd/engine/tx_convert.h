/*
 * Content made 7-bit text for a host without 8BITMIME or BINARYMIME (RFC 6152
 * 3, RFC 3030 3).  Inside the engine.
 *
 * The content is read twice: once before MAIL, for the plan that stays with
 * the mail, and once behind DATA, converted.
 */
#ifndef MTAD_DELIVERD_ENGINE_TX_CONVERT_H
#define MTAD_DELIVERD_ENGINE_TX_CONVERT_H

#include "deliverd/engine/tx_state.h"

/* M may go to this host converted only. */
bool tx_convert_is_needed(const struct tx *t, const struct tx_mail *m);

/* Why M, which needs it, can't: by policy, or by its plan once it has one. */
const char *tx_convert_refusal(const struct tx_mail *m);

/* Octets of the content as it is sent, without what is stuffed. */
uint64_t tx_convert_size(const struct tx_mail *m);

/* First pass, of the mail in TX_LOOKING: over when IS_LAST. */
void tx_convert_look(struct tx *t, struct span bytes, bool is_last);

/* Second pass.  OK; else the content can't be given. */
enum err tx_convert_start(struct tx *t);
enum err tx_convert_content(struct tx *t, struct span bytes, bool is_last);

void tx_convert_free(struct tx *t);

#endif
