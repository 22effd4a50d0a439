/*
 * Single values: from the text of an administrator, or of the wire, to their C
 * type and back.
 *
 * What is printed parses to the same value.  Texts may come from anywhere:
 * they are checked for length, range and grammar.
 */
#ifndef MTAD_CONF_CONF_VALUE_H
#define MTAD_CONF_CONF_VALUE_H

#include "common/base/arena.h"
#include "common/base/buf.h"
#include "common/conf/conf_schema.h"

#define CONF_VALUE_TEXT_MAX 4096	/* bytes of any value's text */

/* What parsing needs from outside. */
struct conf_scope {
	struct arena *arena;	/* takes copies of texts */
	const char *dir;	/* of relative paths; NULL: they are refused */
};

/* Parses TEXT as a TYPE (a scalar or a list's element) within the limits of
 * ROW into OUT, which has the size of the type.  ERR_SYNTAX or ERR_RANGE with
 * half a sentence in WHY ("expected a duration such as …"), ERR_NOMEM. */
enum err conf_value_parse(const struct conf_row *row, enum conf_type type,
    struct span text, const struct conf_scope *scope, void *out,
    struct why *why);

/* Appends the text of a value; of no value, nothing. */
void conf_value_print(enum conf_type type, const void *value,
    struct buf *out);

/* Names of a choice's values, by their number; *N of them.  NULL when TYPE is
 * no choice. */
const char *const *conf_value_choices(enum conf_type type, size_t *n);

/* What a member holds before anything is parsed, and while it is absent: 0, -1
 * of a TIME, "". */
void conf_value_clear(enum conf_type type, void *value);

#endif
