/*
 * What queued told about the processes and itself, shown to people or programs.
 */
#ifndef MTAD_MTACTL_STATUS_H
#define MTAD_MTACTL_STATUS_H

#include "common/ipc/messages.h"
#include "mtactl/output.h"

/* NOW is wall milliseconds since 1970. */
void status_show(struct output *o, const struct msg_ctl_figures *m,
    uint64_t now);

#endif
