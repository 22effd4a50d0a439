/*
 * Configuration as bytes, from the parent to its children.
 *
 * Values travel as the texts that conf_value prints and parses, each checked
 * again by the receiver, so that a wrong byte is an error and never a wrong
 * pointer.  Rows that hold their default are left out.  Both ends are of one
 * build (the hello between processes sees to it): there is no version here.
 */
#ifndef MTAD_CONF_CONF_WIRE_H
#define MTAD_CONF_CONF_WIRE_H

#include "common/base/buf.h"
#include "common/conf/conf_schema.h"

#define CONF_WIRE_MAX (1024 * 1024)	/* bytes; conf_load refuses more */

/* Appends what the processes in WHO (CONF_SMTPD | …) read; a failure is the
 * sticky one of OUT. */
void conf_wire_encode(const struct conf *conf, unsigned who, struct buf *out);

/* Appends the bytes of one member of BASE alone, also of a default. */
void conf_wire_put(const struct conf_row *row, const void *base,
    struct buf *out);

/* Gives *OUT.  ERR_SYNTAX for bytes that no encoder made, ERR_NOMEM. */
enum err conf_wire_decode(struct span bytes, struct conf **out);

#endif
