/*
 * Refresh tokens that their endpoint has changed: the old one may be of no more
 * use, so the file gets the new one, and so does the next keyd.
 *
 * The parent understands nothing of it; it writes no other file than one that
 * the configuration in force names for this, and of it the first line alone.
 */
#ifndef MTAD_MTAD_REFRESH_H
#define MTAD_MTAD_REFRESH_H

#include "mtad/mtad.h"

/* keyd says so.  What can't be written is told in the log. */
void refresh_keep(struct mtad *m, const struct msg_refresh_keep *msg);

#endif
