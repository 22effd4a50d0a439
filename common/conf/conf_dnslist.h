/*
 * A list of addresses in the DNS (RFC 5782) as it stands in the configuration:
 *
 *	zone  zone=127.0.0.2  zone=127.0.0.2-11
 *
 * Behind `=` are the answers that count, the last octet alone or a range of
 * it; without it all of 127.0.0.0/8 do.
 */
#ifndef MTAD_CONF_CONF_DNSLIST_H
#define MTAD_CONF_CONF_DNSLIST_H

#include "common/conf/conf_value.h"

/* So that 32 nibbles of an IPv6 address fit before it. */
#define CONF_DNSLIST_ZONE_MAX (253 - 64)

/* Takes a copy from SCOPE; errors as conf_value_parse(). */
enum err conf_dnslist_parse(struct span text, const struct conf_scope *scope,
    struct conf_dnslist *out, struct why *why);

void conf_dnslist_print(const struct conf_dnslist *list, struct buf *out);

/* Does this answer, an address as a number, say `listed'? */
bool conf_dnslist_counts(const struct conf_dnslist *list, uint32_t answer);

#endif
