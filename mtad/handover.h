/*
 * What a child is told: at its start, and when something changes.
 */
#ifndef MTAD_MTAD_HANDOVER_H
#define MTAD_MTAD_HANDOVER_H

#include "mtad/mtad.h"

/* All that a new child needs, in the order of common/proc/proc.h, up to
 * `start`, then its sockets. */
void handover_all(struct child *c);

/* The configuration in force, and for dnsd the names, too. */
void handover_config(struct child *c);

void handover_port(struct child *c, const struct port *p);
void handover_port_gone(struct child *c, const struct port *p);

/* The log's descriptor, to everybody. */
void handover_log(struct mtad *m);

/* Who lives, to queued, for mtactl status. */
void handover_processes(struct mtad *m);

#endif
