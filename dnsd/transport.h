/*
 * Questions to name servers and their packets, by c-ares: UDP, TCP when an
 * answer is truncated, several servers, repeated tries.  The only room that
 * knows c-ares; it reads no file and parses no answer.
 */
#ifndef MTAD_DNSD_TRANSPORT_H
#define MTAD_DNSD_TRANSPORT_H

#include "common/base/err.h"
#include "common/base/span.h"

#include <stdbool.h>
#include <stdint.h>

#define TRANSPORT_IN_FLIGHT 128	/* more overflow the buffers of UDP */

struct loop;
struct transport;

/* PACKET is borrowed; empty when none came, then WHY tells. */
typedef void transport_fn(void *ctx, struct span packet, const char *why);

/* life.  SERVERS: "addr:port,[addr]:port", borrowed for the call; TIMEOUT_MS
 * for one question in all.  ERR_NOMEM, ERR_SYNTAX.  Freeing tells what is in
 * flight that it failed. */
enum err transport_new(struct loop *l, const char *servers,
    int64_t timeout_ms, struct transport **out);
void transport_free(struct transport **t);

/*
 * FN comes once; also from inside this call, when nothing could be sent.  NAME
 * is checked.  Without FN: ERR_FULL (TRANSPORT_IN_FLIGHT questions are under
 * way), ERR_NOMEM, ERR_IO (no random numbers), ERR_SYNTAX.
 */
enum err transport_ask(struct transport *t, const char *name, uint16_t type,
    transport_fn *fn, void *ctx);

unsigned transport_in_flight(const struct transport *t);

#endif
