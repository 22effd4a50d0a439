/*
 * Questions to dnsd.
 *
 * A question outlives a dnsd that dies: it is put again to the next one.
 * What is not answered in time is answered with DNS_TEMPORARY.
 */
#ifndef MTAD_IPC_ASK_H
#define MTAD_IPC_ASK_H

#include "common/base/siphash.h"
#include "common/ipc/messages.h"

#define ASK_NAME_SIZE	256	/* of a name with its NUL */
#define ASK_RECORDS_MAX	100	/* of one answer, as in messages.def */

struct ask;
struct channel;
struct loop;

/* TAG and TYPE are those of the question; ANSWER is borrowed. */
typedef void ask_fn(void *ctx, uint32_t tag, uint16_t type,
    const struct msg_dns_answer *answer);

enum err ask_new(struct loop *l, const struct siphash_key *seed,
    struct ask **out);
void ask_free(struct ask **a);

/* NULL while there is no dnsd. */
void ask_set_channel(struct ask *a, struct channel *c);

/* FN comes once with TAG, later, within TIMEOUT_MS and a little.  NAME is
 * copied.  ERR_NOMEM. */
enum err ask_question(struct ask *a, const char *name, uint16_t type,
    int64_t timeout_ms, ask_fn *fn, void *ctx, uint32_t tag);

/* Forgets every question of CTX. */
void ask_cancel(struct ask *a, const void *ctx);

void ask_answer(struct ask *a, const struct msg_dns_answer *m);

#endif
