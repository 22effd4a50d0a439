/*
 * queued as the skeleton of a child sees it: what its parent, its peers and
 * operators send goes to the rooms here.
 */
#ifndef MTAD_QUEUED_SERVICE_H
#define MTAD_QUEUED_SERVICE_H

#include "common/proc/proc.h"

/* The context is a struct queued, all zero at first. */
extern const struct proc_ops service_ops;

#endif
