/*
 * What a table's rules ask about a header, noted of one that is at hand as a
 * whole: as smtpd notes it of a message that streams by (header_notes.h).
 */
#ifndef MTAD_ROUTE_ROUTE_NOTES_H
#define MTAD_ROUTE_ROUTE_NOTES_H

#include "common/route/route_table.h"

/* HEADER is fields in lines that end with CRLF.  Appends notes for struct
 * route_facts; a failure is the sticky one of OUT. */
void route_notes(const struct route_table *table, struct span header,
    struct buf *out);

#endif
