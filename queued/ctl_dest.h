/*
 * `mtactl dest`: how destinations stand and why, and to suspend, resume and reset
 * them.
 */
#ifndef MTAD_QUEUED_CTL_DEST_H
#define MTAD_QUEUED_CTL_DEST_H

#include "queued/ctl_private.h"
#include "queued/plan/plan_look.h"
#include "queued/shape/shape.h"

void ctl_dest(struct ctl_session *s, const struct msg_ctl_dest *m);

/* ctl_dest_row.c: a destination, which the planner has (VIEW) or has not (NULL),
 * or what is suspended besides (STOP; NULL: it is not).  WHOLE: with its limits,
 * and INDEXED, what the index has besides. */
void ctl_dest_send(struct ctl_session *s, struct span name,
    const struct plan_dest_view *view, const struct shape_stop *stop,
    bool is_whole, uint64_t indexed);

/* A row of conf.routes, with its limits and what all of it has in memory. */
void ctl_dest_send_route(struct ctl_session *s, struct span name,
    uint32_t index, const struct shape_stop *stop);

/* "by an operator (uid 0): maintenance", cut. */
#define CTL_DEST_WHY_SIZE 320
struct span ctl_dest_why(const struct shape_stop *stop,
    char text[CTL_DEST_WHY_SIZE]);

#endif
