/*
 * Messages with very many recipients as lists; with a few, for a store whose
 * parts are small (rig.list_block).
 */
#ifndef MTAD_TESTS_UNIT_STORE_RIG_LIST_H
#define MTAD_TESTS_UNIT_STORE_RIG_LIST_H

#include "tests/unit/store/store_rig.h"

#define RIG_LIST_BODY "to all\r\n"
enum { RIG_LIST_DOMAINS = 2 };

/* To TOTAL recipients u0@d0.example, u1@d1.example, u2@d0.example …, in the open
 * group.  SAID is how many its record tells of; WIDTH how many bytes each has in
 * the file, 0: as they come. */
uint64_t rig_list_submit(struct rig *r, uint32_t total, uint32_t said,
    size_t width);
/* … as they come; synced. */
uint64_t rig_list(struct rig *r, uint32_t total);

/* The next part, in the open group; in two units, by the domain. */
enum err rig_list_try_begin(struct rig *r, uint64_t id,
    struct store_unit **part);
/* … synced. */
struct store_unit *rig_list_begin(struct rig *r, uint64_t id);

#endif
