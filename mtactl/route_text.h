/*
 * `route explain` for people: lines with labels, written as messages come.
 */
#ifndef MTAD_MTACTL_ROUTE_TEXT_H
#define MTAD_MTACTL_ROUTE_TEXT_H

#include "mtactl/route_view.h"

void route_text_question(struct output *o, const struct msg_ctl_route *m);
void route_text_rule(struct route_view *v,
    const struct msg_ctl_route_rule *m);
void route_text_found(struct route_view *v,
    const struct msg_ctl_route_found *m);
void route_text_hops(struct output *o, const struct msg_route_hops *m);
void route_text_other(struct output *o, const struct route_other *other,
    bool is_same);

#endif
