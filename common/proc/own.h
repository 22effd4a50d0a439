/*
 * This host as the network sees it: its addresses, where it listens, and
 * whether it can reach the IPv6 world.
 */
#ifndef MTAD_PROC_OWN_H
#define MTAD_PROC_OWN_H

#include "common/base/endpoint.h"
#include "common/conf/conf.h"

#define OWN_MAX 1024

/* Every address and port at which LISTENERS can be met, OWN_MAX at
 * most.  OUT is allocated (NULL when there are none).  ERR_NOMEM. */
enum err own_endpoints(const struct conf_listeners *listeners,
    struct endpoint **out, size_t *n);

/* There is a route to a global address (no packet is sent). */
bool own_has_ipv6(void);

#endif
