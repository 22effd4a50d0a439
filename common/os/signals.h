/*
 * Signals as bytes to be read (signalfd), ignored, or at their defaults.
 */
#ifndef MTAD_OS_SIGNALS_H
#define MTAD_OS_SIGNALS_H

#include "common/base/err.h"

#include <stddef.h>

/* Blocks the signals (0-terminated list) and gives a non-blocking descriptor
 * that tells of them.  Call it before any thread is made. */
enum err signals_open(const int *signals, int *fd);

/* The next one; ERR_AGAIN when none is waiting. */
enum err signals_read(int fd, int *signal);

/* From now on the signal does nothing. */
void signals_ignore(int signal);

/* All at their defaults and unblocked.  May be called between fork and exec. */
void signals_reset(void);

#endif
