/*
 * What holds between the values of a file, and what the host fills in.
 *
 * Part of conf_load; nobody else needs it.
 */
#ifndef MTAD_CONFLOAD_CONF_RULES_H
#define MTAD_CONFLOAD_CONF_RULES_H

#include "common/conf/conf_value.h"
#include "common/confload/yaml_tree.h"

/* Where the keys of conf_schema_main were set, by row; line 0: not set. */
struct conf_places {
	struct conf_place v[CONF_CHANGES_MAX];
};

/* Gives what the file leaves to the host (hostname, workers) or to other keys
 * (helo, postmaster, the retry times) its value.  ERR_NOMEM. */
enum err conf_rules_fill(struct conf *conf, const struct conf_places *places,
    struct conf_report *report);

/* The checks between values; ROOT is the tree of a file without errors, NULL
 * for an empty one.  Adds errors and warnings. */
void conf_rules_check(const struct conf *conf, const struct yaml_node *root,
    const struct conf_places *places, struct conf_report *report);

#endif
