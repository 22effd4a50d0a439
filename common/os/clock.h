/*
 * The two clocks, read by a system call's fast path each time.
 *
 * Loops cache what they read; see MTIME_* in common/base/mtime.h for names.
 */
#ifndef MTAD_OS_CLOCK_H
#define MTAD_OS_CLOCK_H

#include <stdint.h>

/* Never goes back; its zero means nothing. */
int64_t clock_mono_ms(void);
int64_t clock_mono_ns(void);

/* Since 1970; may jump either way. */
int64_t clock_wall_ms(void);

#endif
