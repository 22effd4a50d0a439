/*
 * Resource limits that a mail server must set for itself.
 */
#ifndef MTAD_OS_RLIMIT_H
#define MTAD_OS_RLIMIT_H

#include "common/base/err.h"

#include <stdint.h>

/* Raises the number of descriptors to WANTED, or as near as may be; never
 * lowers it.  *GOT is what there is now; OK even when it is less. */
enum err rlimit_raise_files(uint64_t wanted, uint64_t *got);

/* No core file, which would hold other people's mail. */
enum err rlimit_no_core(void);

#endif
