/*
 * The listeners of a server, and who gets in.
 */
#ifndef MTAD_SMTPD_DOORS_H
#define MTAD_SMTPD_DOORS_H

#include "smtpd/server.h"

/* Serves FD, which it takes in any case.  ERR_NOMEM, ERR_IO. */
enum err doors_open(struct server *sv, uint16_t index, struct span address,
    int fd);

/* Those that were opened while certificates were awaited. */
void doors_resume(struct server *sv);

/* Stops serving one; all. */
void doors_shut(struct server *sv, uint16_t index, struct span address);
void doors_close(struct server *sv);

#endif
