/*
 * The checks that need the system: what `mtad -t` looks at beyond the text.
 *
 * For the parent only: it may read what others may not.  That ports are free
 * and users exist is checked where they are bound and looked up.
 */
#ifndef MTAD_CONFLOAD_CONF_CHECK_H
#define MTAD_CONFLOAD_CONF_CHECK_H

#include "common/conf/conf.h"
#include "common/confload/conf_report.h"

/* Files that are named must be there; those with secrets must belong to root
 * (or to the user we run as) and be closed to others.  Adds to REPORT;
 * ERR_DENIED when an error was added. */
enum err conf_check_files(const struct conf *conf, struct conf_report *report);

#endif
