/*
 * Whole objects of the schema (struct conf, a listener, a route): their
 * defaults, and the lists in them.
 */
#ifndef MTAD_CONF_CONF_OBJECT_H
#define MTAD_CONF_CONF_OBJECT_H

#include "common/conf/conf_value.h"

/* Gives every member of SCHEMA in BASE its default.  ERR_NOMEM. */
enum err conf_object_init(const struct conf_schema *schema,
    const struct conf_scope *scope, void *base);

/* An empty list of N elements for ROW, zeroed; NULL: no memory.  It becomes
 * the member's value by conf_list_set(). */
void *conf_object_list(const struct conf_row *row, size_t n,
    const struct conf_scope *scope);

/* An element of ROW's list from one text: a scalar, or an object all of whose
 * members but the first have their defaults.  Errors as conf_value_parse(). */
enum err conf_object_element(const struct conf_row *row, struct span text,
    const struct conf_scope *scope, void *element, struct why *why);

/* Whether the member of ROW in BASE holds its default.  May say no where it is
 * a list of objects. */
bool conf_object_is_default(const struct conf_row *row, const void *base);

#endif
