/*
 * Reads mtad.yaml: YAML, one document, checked against the schema.
 *
 * All errors are collected, not only the first (syntax errors of YAML end the
 * reading, though).  The bytes are not trusted: size, depth, nodes and counts
 * are bounded; anchors, aliases, tags and duplicate keys are errors.
 */
#ifndef MTAD_CONFLOAD_CONF_LOAD_H
#define MTAD_CONFLOAD_CONF_LOAD_H

#include "common/conf/conf.h"
#include "common/confload/conf_report.h"

#define CONF_LOAD_MAX (1024 * 1024)	/* bytes of a file */

/* Loads from BYTES.  Relative paths in it are below DIR (absolute).  Asks the
 * system for its name and its cores where the file does not say.  REPORT has
 * been initialised; it gets every error and warning.  ERR_SYNTAX when there
 * is an error in it, ERR_NOMEM; else gives *OUT. */
enum err conf_load(struct span bytes, const char *dir,
    struct conf_report *report, struct conf **out);

/* The same from a file; DIR is the folder of PATH.  A file that can't be read
 * is an error in REPORT, and ERR_IO. */
enum err conf_load_file(const char *path, struct conf_report *report,
    struct conf **out);

#endif
