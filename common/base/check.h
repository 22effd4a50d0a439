/*
 * MUST(): what only a mistake of ours can make false.
 *
 * Never for input: bytes from the network, a peer process, the disk or the
 * configuration are answered with an error, not with an abort (promise I-05).
 */
#ifndef MTAD_BASE_CHECK_H
#define MTAD_BASE_CHECK_H

#include <stdlib.h>

#define MUST(claim) ((claim) ? (void)0 : abort())

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

#endif
