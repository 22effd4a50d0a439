/*
 * A new configuration for processes that serve on.
 *
 * It is loaded and checked whole, its new ports are bound, and only then
 * anything changes; with an error the old one stays.  smtpd, dnsd and deliverd
 * take it over first: queued gives work by it that they must understand.
 */
#ifndef MTAD_MTAD_RELOAD_H
#define MTAD_MTAD_RELOAD_H

#include "mtad/mtad.h"

enum err reload_init(struct mtad *m);
void reload_clear(struct mtad *m);

/* SIGHUP. */
void reload_start(struct mtad *m);

/* mtactl, through queued, who is told what came of it with COOKIE. */
void reload_asked(struct mtad *m, uint64_t cookie);

/* A child is ready, or gone. */
void reload_ready(struct mtad *m);

/* SIGUSR1: opens the log file again. */
void reload_log(struct mtad *m);

#endif
