/*
 * The sockets at which processes that speak TLS ask for signatures.
 *
 * Each asks on a socket of its own and waits there for the answer, so that it
 * needs no loop in the middle of a handshake.  Whoever breaks the form loses
 * its socket.
 */
#ifndef MTAD_KEYD_DOORS_H
#define MTAD_KEYD_DOORS_H

#include "common/base/list.h"
#include "common/loop/loop.h"
#include "keyd/pairs.h"

struct doors {
	struct loop *loop;
	struct list list;
};

void doors_init(struct doors *d, struct loop *loop);
void doors_clear(struct doors *d);

/* A door to the keys of PAIRS, which is borrowed and may change its content.
 * Takes FD in any case; one that OWNER had before is closed.  ERR_PEER (no
 * packet socket), ERR_NOMEM, ERR_IO. */
enum err doors_add(struct doors *d, const void *owner,
    const struct pairs *pairs, int fd);

/* OWNER is gone. */
void doors_remove(struct doors *d, const void *owner);

#endif
