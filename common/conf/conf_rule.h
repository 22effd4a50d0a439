/*
 * The texts of what rules of `routes` ask:
 *
 *	>10MiB  >=1MiB  <64KiB  <=64KiB
 *	X-Route: bulk*
 */
#ifndef MTAD_CONF_CONF_RULE_H
#define MTAD_CONF_CONF_RULE_H

#include "common/conf/conf_value.h"

/* Errors as conf_value_parse(). */
enum err conf_rule_parse_bound(struct span text, struct conf_bound *out,
    struct why *why);
enum err conf_rule_parse_header(struct span text,
    const struct conf_scope *scope, struct conf_header *out, struct why *why);

/* Nothing for CONF_BOUND_NONE. */
void conf_rule_print_bound(const struct conf_bound *bound, struct buf *out);
void conf_rule_print_header(const struct conf_header *header,
    struct buf *out);

#endif
