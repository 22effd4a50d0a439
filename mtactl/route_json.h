/*
 * `route explain` for programs: one object, written as messages come.
 */
#ifndef MTAD_MTACTL_ROUTE_JSON_H
#define MTAD_MTACTL_ROUTE_JSON_H

#include "mtactl/route_view.h"

/* Opens the object, and in it the list of rules before. */
void route_json_question(struct json *j, const struct msg_ctl_route *m);

void route_json_rule(struct json *j, const struct msg_ctl_route_rule *m);

/* Closes that list. */
void route_json_found(struct json *j, const struct msg_ctl_route_found *m);

void route_json_hops(struct json *j, const struct msg_route_hops *m);
void route_json_other(struct json *j, const struct route_other *other,
    bool is_same);

#endif
