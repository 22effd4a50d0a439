/*
 * From a configuration file to a parent that may start its children.
 */
#ifndef MTAD_MTAD_BOOT_H
#define MTAD_MTAD_BOOT_H

#include "mtad/mtad.h"

#include "common/confload/conf_report.h"

/* `mtad -t`: prints what is wrong to standard error, or that all is well to
 * standard output.  Returns the exit code. */
int boot_check(const char *config_path);

/* Everything before the first child: configuration, users, directories, lock,
 * ports, programs.  Says on standard error why it failed. */
enum err boot_open(struct mtad *m);
void boot_close(struct mtad *m);

/* Loads the file and makes all checks of the file itself.  REPORT is
 * initialised and has all remarks. */
enum err boot_load(const char *path, struct conf_report *report,
    struct conf **out);

/* Opens log.file, or gives standard error (a copy).  ERR_IO with words. */
enum err boot_open_log(const struct conf *conf, int *fd, struct why *why);

#endif
