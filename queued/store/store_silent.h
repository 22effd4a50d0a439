/*
 * Callbacks that do nothing, for whoever opens a store and listens to little
 * of what it tells: tools, benchmarks, tests.
 *
 * Copy it, and set those that you want to hear.  on_dead and on_notice are
 * silent too: who relies on what it appends must set on_dead.
 */
#ifndef MTAD_QUEUED_STORE_STORE_SILENT_H
#define MTAD_QUEUED_STORE_STORE_SILENT_H

#include "queued/store/store.h"

struct store_ops store_silent(void);

#endif
