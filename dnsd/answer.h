/*
 * Answers of the resolver in the form of the message to siblings.
 */
#ifndef MTAD_DNSD_ANSWER_H
#define MTAD_DNSD_ANSWER_H

#include "common/base/ipaddr.h"
#include "common/dns/dns_wire.h"
#include "common/ipc/messages.h"

/* Each fills OUT (but for its question); records and text lie in BUF, which is
 * emptied first, or are static. */
void answer_wire(const struct dns_wire_answer *a, bool is_trusted,
    struct buf *buf, struct msg_dns_answer *out);
void answer_addresses(struct span name, const struct ipaddr *list, size_t n,
    struct buf *buf, struct msg_dns_answer *out);
void answer_failure(enum dns_status status, const char *text,
    struct msg_dns_answer *out);

#endif
