/*
 * TCP sockets: listening, connecting, and who is at the other end.
 *
 * All sockets made here are non-blocking and close-on-exec, and belong to the
 * caller.  ERR_IO leaves errno.  Names are never resolved here.
 */
#ifndef MTAD_OS_SOCK_H
#define MTAD_OS_SOCK_H

#include "common/base/endpoint.h"

#include <sys/socket.h>

/* struct endpoint <-> struct sockaddr; ERR_SYNTAX for another family. */
enum err sock_address(const struct endpoint *e, struct sockaddr_storage *out,
    socklen_t *size);
enum err sock_endpoint(const struct sockaddr *sa, socklen_t size,
    struct endpoint *out);

/* Listens on one address (SO_REUSEADDR; IPv6 alone, never mapped IPv4). */
enum err sock_listen(const struct endpoint *e, int backlog, int *sock);

/*
 * Takes one connection; PEER is all zero for a Unix socket.  ERR_AGAIN: none
 * (or it is gone already); ERR_FULL: no descriptor or memory, try later.
 */
enum err sock_accept(int listener, struct endpoint *peer, int *sock);

/* Begins to connect from SOURCE (NULL: any).  OK: connected at once;
 * ERR_AGAIN: under way, *SOCK is set too: wait for writing and ask
 * sock_result(). */
enum err sock_connect(const struct endpoint *e, const struct ipaddr *source,
    int *sock);

/* OK; ERR_IO with errno as the connection attempt ended. */
enum err sock_result(int sock);

enum err sock_peer(int sock, struct endpoint *out);
enum err sock_local(int sock, struct endpoint *out);

/* Small writes go out at once. */
enum err sock_set_nodelay(int sock);

/* The close() that follows resets the connection instead of ending it. */
enum err sock_set_abort(int sock);

#endif
