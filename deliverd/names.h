/*
 * Answers of dnsd in the words of deliverd/hops.
 */
#ifndef MTAD_DELIVERD_NAMES_H
#define MTAD_DELIVERD_NAMES_H

#include "common/ipc/ask.h"
#include "deliverd/hops/hops.h"

/* OUT borrows from M and RECORDS. */
void names_read(uint16_t type, const struct msg_dns_answer *m,
    struct hops_record records[ASK_RECORDS_MAX], struct hops_answer *out);

#endif
