/*
 * `mtactl route diff`: where each recipient of the queue belongs now.
 */
#ifndef MTAD_QUEUED_CTL_PLACES_H
#define MTAD_QUEUED_CTL_PLACES_H

#include "queued/store/store_look.h"

struct ctl_session;

/* A message of a selection with the destinations of its recipients. */
void ctl_send_places(struct ctl_session *s, struct store_glance *g);

#endif
