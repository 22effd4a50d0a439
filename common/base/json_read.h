/*
 * Reads JSON (RFC 8259): one object, whose members are looked up by name.
 *
 * The text is a stranger's.  It is walked in place, no memory is taken, and
 * arrays and objects may be JSON_DEPTH_MAX deep.  Strings are UTF-8.
 */
#ifndef MTAD_BASE_JSON_READ_H
#define MTAD_BASE_JSON_READ_H

#include "common/base/buf.h"
#include "common/base/err.h"

/* OK when TEXT is one object, white space around it, and nothing else; else
 * ERR_SYNTAX. */
enum err json_read_check(struct span text);

/*
 * The value of the object's own member KEY, as it stands there; borrowed from
 * TEXT.  Of several with that name the last; a name that is written with
 * escapes is none of them.  ERR_NOT_FOUND, ERR_SYNTAX (as above).
 */
enum err json_read_find(struct span text, const char *key, struct span *value);

/* Appends the characters of a VALUE that is a string, never more bytes than
 * VALUE has; half of a surrogate pair becomes U+FFFD.  ERR_SYNTAX: it is none;
 * ERR_NOMEM: it does not fit. */
enum err json_read_string(struct span value, struct buf *out);

/* A whole number, as digits.  ERR_SYNTAX: none; ERR_RANGE: above UINT64_MAX. */
enum err json_read_u64(struct span value, uint64_t *out);

#endif
