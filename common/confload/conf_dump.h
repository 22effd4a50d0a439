/*
 * The configuration in effect as YAML: what the loader would read to the same
 * values.
 */
#ifndef MTAD_CONFLOAD_CONF_DUMP_H
#define MTAD_CONFLOAD_CONF_DUMP_H

#include "common/base/buf.h"
#include "common/conf/conf.h"

enum conf_dump_flag {
	CONF_DUMP_CHANGED = 1,	/* only what differs from the defaults */
	CONF_DUMP_DOC = 2,	/* each key's sentence as a comment */
};

/* Appends; a failure is the sticky one of OUT. */
void conf_dump(const struct conf *conf, unsigned flags, struct buf *out);

/* The same of one value alone, "limits.message: 50MiB", of a list of many the
 * elements in lines of their own.  KEY is one of the schema. */
void conf_dump_key(const struct conf *conf, const char *key, struct buf *out);

#endif
