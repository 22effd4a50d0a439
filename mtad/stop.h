/*
 * The end in order: no new mail, what is in hand finished, then the spool.
 */
#ifndef MTAD_MTAD_STOP_H
#define MTAD_MTAD_STOP_H

#include "mtad/mtad.h"

/* SIGTERM, SIGINT; a second one makes it hurry. */
void stop_start(struct mtad *m);

/* A child could not even begin: ends everything with exit code 1. */
void stop_failed(struct mtad *m);

/* A child has ended: on to the next stage when its stage is done. */
void stop_next(struct mtad *m);

#endif
