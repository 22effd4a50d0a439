/*
 * Messages with a few recipients as lists, for a store whose parts are small
 * (rig.list_block).
 */
#ifndef MTAD_TESTS_UNIT_STORE_RIG_LIST_H
#define MTAD_TESTS_UNIT_STORE_RIG_LIST_H

#include "tests/unit/store/store_rig.h"

/* To TOTAL recipients u0@d0.example, u1@d1.example, u2@d0.example …; synced. */
uint64_t rig_list(struct rig *r, uint32_t total);

/* The next part, in the open group; in two units, by the domain. */
enum err rig_list_try_begin(struct rig *r, uint64_t id,
    struct store_unit **part);
/* … synced. */
struct store_unit *rig_list_begin(struct rig *r, uint64_t id);

#endif
