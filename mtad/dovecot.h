/*
 * Dovecot's socket, connected for keyd, which can connect to nothing.
 *
 * keyd asks for a connection whenever it has none, or a stale one; there is at
 * most one attempt in DOVECOT_PAUSE_MS, and they go on until one succeeds.  Not
 * a byte of it is read here.
 */
#ifndef MTAD_MTAD_DOVECOT_H
#define MTAD_MTAD_DOVECOT_H

#include "mtad/mtad.h"

#define DOVECOT_PAUSE_MS 1000

enum err dovecot_init(struct mtad *m);
void dovecot_clear(struct mtad *m);

/* keyd wants one; IS_SERVED: it has an older one. */
void dovecot_wanted(struct mtad *m, bool is_served);

#endif
