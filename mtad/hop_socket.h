/*
 * Connections to next hops that are sockets on this host, for deliverd, which
 * sees no file.
 */
#ifndef MTAD_MTAD_HOP_SOCKET_H
#define MTAD_MTAD_HOP_SOCKET_H

#include "mtad/child.h"

/* Answers at once; connects to paths that `routes` names, and to no other. */
void hop_socket_wanted(struct child *deliverd,
    const struct msg_hop_socket_want *want);

#endif
