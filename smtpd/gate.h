/*
 * What others say of one client that nobody here knows: is its address in
 * lists of the DNS, does its name lead back to it?
 *
 * All is asked at the same time, and answered within gate.timeout; what is not
 * known then counts for the client.
 */
#ifndef MTAD_SMTPD_GATE_H
#define MTAD_SMTPD_GATE_H

#include "common/base/ipaddr.h"
#include "smtpd/engine/rx_gate.h"

struct gate_check;
struct server;

/* All is known; from the loop, never from inside gate_begin(). */
typedef void gate_fn(void *ctx);

/* Is there anything to be asked? */
bool gate_is_wanted(const struct server *sv);

/* life: a check that waits for gate_begin(); NULL without memory.  Stopped, it
 * asks and tells nothing more, but still says what it knows. */
struct gate_check *gate_new(struct server *sv, const struct ipaddr *client,
    gate_fn *fn, void *ctx);
void gate_begin(struct gate_check *c);		/* once; again is nothing */
void gate_stop(struct gate_check *c);
void gate_free(struct gate_check **c);

/* inspection; ASKING until all is known.  C may be NULL, for which nothing was
 * asked. */
enum rx_gate gate_verdict(const struct gate_check *c);
struct span gate_text(const struct gate_check *c);	/* for the reply */
/* The verified name; "unknown"; empty: it is not known yet, or was not asked
 * for. */
struct span gate_name(const struct gate_check *c);
bool gate_is_unanswered(const struct gate_check *c);	/* some of it */

#endif
