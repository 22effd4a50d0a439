/*
 * Happy eyeballs (RFC 8305): of a host with addresses of both families neither
 * must wait for the other.  For the host that hops_next() is at, when it has kept
 * us waiting for a while.
 */
#ifndef MTAD_DELIVERD_HOPS_HOPS_RACE_H
#define MTAD_DELIVERD_HOPS_HOPS_RACE_H

#include "deliverd/hops/hops.h"

/* What is known of its addresses will do; what is answered later comes behind.
 * False when nothing is known, or nothing more awaited: go on waiting. */
bool hops_hurry(struct hops *h);

/* *HOP, of the other family than the last one, is to be tried beside that; false:
 * there is none, and *HOP is untouched. */
bool hops_beside(struct hops *h, struct hop *hop);

#endif
