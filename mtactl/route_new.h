/*
 * The rules of a configuration file, asked as queued asks its own: what would
 * be if they were taken over.  Nothing is changed.
 */
#ifndef MTAD_MTACTL_ROUTE_NEW_H
#define MTAD_MTACTL_ROUTE_NEW_H

#include "common/base/buf.h"
#include "common/route/route_table.h"
#include "mtactl/mtactl.h"

struct route_new;

/* Loads PATH by mtad's own loader and compiles its rules; what is wrong with it
 * is printed.  MTACTL_DONE, or the code to end with. */
int route_new_open(const char *path, struct route_new **out);
void route_new_close(struct route_new **n);

/* Its absolute name. */
const char *route_new_file(const struct route_new *n);

/* What its rules ask about a header, for struct route_facts: route_notes(). */
void route_new_notes(const struct route_new *n, struct span header,
    struct buf *out);

/* The rule, counted from 1, for FACTS and its line; 0 and 0: none, by MX.
 * Appends the destination's key. */
void route_new_find(const struct route_new *n,
    const struct route_facts *facts, bool requires_tls, uint32_t *number,
    uint32_t *line, struct buf *destination);

#endif
