/*
 * Destinations for people and for programs: a list, and one with all about it.
 */
#ifndef MTAD_MTACTL_DEST_H
#define MTAD_MTACTL_DEST_H

#include "common/ipc/messages.h"
#include "mtactl/output.h"

/* NOW is wall milliseconds since 1970.  The heading of a list stands before its
 * first row; programs get an object a line, which for SHOW has limits too. */
void dest_list_head(struct output *o);
void dest_list(struct output *o, const struct msg_ctl_dest_row *row,
    uint64_t now);
void dest_show(struct output *o, const struct msg_ctl_dest_row *row,
    uint64_t now);

#endif
