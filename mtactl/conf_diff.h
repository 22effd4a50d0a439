/*
 * What one configuration changes of another: each key whose value differs, how
 * it stands in both, and what a change of it needs.
 */
#ifndef MTAD_MTACTL_CONF_DIFF_H
#define MTAD_MTACTL_CONF_DIFF_H

#include "common/conf/conf.h"
#include "mtactl/output.h"

/* Defaults are filled in before they are compared.  The number of keys. */
size_t conf_diff(struct output *o, const struct conf *before,
    const struct conf *after);

#endif
