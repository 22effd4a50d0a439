/*
 * Writes JSON (RFC 8259) onto a buffer as it goes, without white space.
 *
 * Commas and colons come by themselves.  Strings may be any bytes: what is not
 * UTF-8 becomes U+FFFD.  Calls in an order that JSON does not know, too deep
 * nesting, and the buffer's failure are sticky and told by json_done().
 */
#ifndef MTAD_BASE_JSON_H
#define MTAD_BASE_JSON_H

#include "common/base/buf.h"

#define JSON_DEPTH_MAX 32

struct json {
	struct buf *b;			/* borrowed */
	uint8_t depth;
	uint32_t is_object;		/* a bit a level */
	uint32_t has_items;		/* a bit a level */
	bool has_key;			/* a value must follow */
	bool has_root;
	bool is_failed;
};

void json_init(struct json *j, struct buf *b);

void json_object(struct json *j);
void json_object_end(struct json *j);
void json_array(struct json *j);
void json_array_end(struct json *j);
void json_key(struct json *j, const char *key);

void json_string(struct json *j, struct span s);
void json_str(struct json *j, const char *s);
void json_u64(struct json *j, uint64_t v);
void json_i64(struct json *j, int64_t v);
void json_bool(struct json *j, bool v);
void json_null(struct json *j);

/* Appends S as a JSON string with its quotes, by itself. */
void json_quote(struct buf *b, struct span s);

/* OK when one whole value was written, else ERR_SYNTAX or ERR_NOMEM. */
enum err json_done(const struct json *j);

#endif
