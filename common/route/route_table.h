/*
 * The route table: which rule of `routes` a recipient of a sender falls under,
 * and what that means for a connection.
 *
 * The first rule that matches wins; where none does, mail goes by MX to
 * deliver.port (ROUTE_BY_MX): an administrator who routes two domains does not
 * mean that the rest of the world can't be reached.  A rule matches when one
 * of its `to` patterns matches the recipient, one of its `from` patterns the
 * sender, ASCII case ignored, and what else it asks holds (`client`, `user`,
 * `size`, `header`; route_when.h):
 *
 *	*                     everything
 *	d  *@d                the domain d, nothing below it
 *	.d  *.d  *@.d         everything below d, not d
 *	u@d                   this one address, quoted or not
 *	<>                    the null sender
 *
 * Compiled: a lookup costs a few hash probes for each label of the two domains,
 * however many rules there are; of those that ask more each one is tried whose
 * two patterns match.  Owns all it gives out; the struct conf may go
 * away.  Pure, and read-only after route_table_new.
 */
#ifndef MTAD_ROUTE_ROUTE_TABLE_H
#define MTAD_ROUTE_ROUTE_TABLE_H

#include "common/mail/header_notes.h"
#include "common/route/route.h"

struct route_table;

enum err route_table_new(const struct conf *conf, struct route_table **out);
void route_table_free(struct route_table **table);

/* Never fails: the last resort is ROUTE_BY_MX.  Borrows from TABLE. */
struct route route_table_find(const struct route_table *table,
    const struct route_facts *facts);

/* The same before the message has come, by what is known of it: false when its
 * size or header will decide. */
bool route_table_find_early(const struct route_table *table,
    const struct route_facts *facts, struct route *out);

/* Whether some rule asks more than recipient and sender. */
bool route_table_asks_more(const struct route_table *table);

/* The fields that rules ask, for header_notes.h. */
const struct header_names *route_table_headers(
    const struct route_table *table);

/* The route of a row of conf.routes or of ROUTE_BY_MX, for who has kept only
 * the index; false for another index. */
bool route_table_get(const struct route_table *table, uint32_t index,
    struct route *out);

#endif
