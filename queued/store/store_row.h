/*
 * Rows of the index [pure]: keys that sort as numbers do, values that end in
 * a CRC-32C of key and value.  docs/SPOOL.md has every field.
 *
 * Readers check the CRC first and give borrowed spans; ERR_CORRUPT.
 */
#ifndef MTAD_QUEUED_STORE_STORE_ROW_H
#define MTAD_QUEUED_STORE_STORE_ROW_H

#include "queued/store/store_private.h"

enum {
	STORE_KEY_MESSAGE = 8, STORE_KEY_UNIT = 12, STORE_KEY_DUE = 20,
	STORE_KEY_SEGMENT = 8, STORE_ROW_KEY_MAX = 20,
};

struct store_row_key {
	uint8_t p[STORE_ROW_KEY_MAX];
	uint8_t n;
};

struct store_row_key store_row_key_message(uint64_t id);
struct store_row_key store_row_key_unit(uint64_t id, uint32_t unit);
struct store_row_key store_row_key_due(uint64_t due, uint64_t id,
    uint32_t unit);
bool store_row_read_due_key(struct span key, uint64_t *due, uint64_t *id,
    uint32_t *unit);
bool store_row_read_unit_key(struct span key, uint64_t *id, uint32_t *unit);
uint64_t store_row_read_number(struct span key);

/* Each appends a whole value to OUT. */
void store_row_put_message(struct buf *out, struct span key,
    const struct message *m);
void store_row_put_unit(struct buf *out, struct span key,
    const struct unit *u);
void store_row_put_due(struct buf *out, struct span key,
    const struct unit *u);
void store_row_put_segment(struct buf *out, struct span key,
    const struct store_segment *seg);

/* Whether the sum of a value, whatever it is, is right. */
bool store_row_is_sound(struct span key, struct span value);

/* What the index says of itself. */
struct store_meta {
	struct store_position at;
	struct store_counters count;
	uint64_t start;
	uint64_t last_segment;		/* highest number ever used */
	uint8_t uuid[16];
};
void store_row_put_meta(struct buf *out, struct span key,
    const struct store_meta *meta);
enum err store_row_get_meta(struct span key, struct span value,
    struct store_meta *out);

/* The same without an object: filled, with spans that point into VALUE.  ROWS
 * has room for STORE_UNIT_RECIPIENTS. */
enum err store_row_view_message(struct span key, struct span value,
    struct message *out);
enum err store_row_view_unit(struct span key, struct span value,
    struct unit *out, struct store_recipient *rows);

/* Makes an object in memory of a row; the caller's, by free(). */
enum err store_row_get_message(struct span key, struct span value,
    struct message **out);
enum err store_row_get_place(struct span key, struct span value,
    struct store_place *place, uint32_t *content_crc);
enum err store_row_get_unit(struct span key, struct span value,
    struct unit **out);
enum err store_row_get_due(struct span key, struct span value,
    uint64_t *key_hash, uint64_t *arrived_at);
enum err store_row_get_segment(struct span key, struct span value,
    struct store_segment *out);

#endif
