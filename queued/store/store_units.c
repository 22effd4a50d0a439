/*
 * A hash table of this submission only, by linear probing; at most half of it
 * is used.  Keys are copied one behind the other in the form in which the
 * record holds them (key_of() gives borrowed spans), and found by offset,
 * since the buffer moves as it grows.  Table, rows and buffers are kept for
 * the next submission, as nearly all are small; a large table is given back by
 * the next.
 */
#include "queued/store/store_units.h"

#include "common/base/wire.h"

#include <stdlib.h>

/* More would not fit in a record. */
#define KEYS_MAX ((size_t)STORE_RECORD_MAX)
#define TABLE_KEEP ((size_t)4096)	/* entries kept for the next time */

void
store_units_init(struct store_units *u, const struct siphash_key *seed)
{
	*u = (struct store_units){ .seed = *seed };
	buf_init(&u->keys, KEYS_MAX);
	buf_init(&u->unit_of, KEYS_MAX);
}

void
store_units_clear(struct store_units *u)
{
	buf_clear(&u->keys);
	buf_clear(&u->unit_of);
	free(u->table);
	free(u->rows);
	u->table = NULL;
	u->rows = NULL;
	u->table_size = u->rows_size = 0;
}

/* Twice as many entries as recipients, all empty. */
static enum err
make_table(struct store_units *u, uint32_t recipients)
{
	size_t size = 16;
	uint32_t *table;

	while (size < (size_t)recipients * 2)
		size *= 2;
	if (size > u->table_size || u->table_size > TABLE_KEEP) {
		table = realloc(u->table, size * sizeof(*table));
		if (table == NULL)
			return ERR_NOMEM;
		u->table = table;
		u->table_size = size;
	}
	memset(u->table, 0, u->table_size * sizeof(*u->table));
	return OK;
}

/* The key whose length stands at AT; borrowed until the next is added. */
static struct span
key_at(const struct store_units *u, size_t at)
{
	struct wire w;

	wire_init(&w, span_from(buf_span(&u->keys), at));
	return wire_span(&w, STORE_KEY_MAX);
}

/* A new unit without recipients; ERR_RANGE when the keys are too many. */
static enum err
add_unit(struct store_units *u, struct span key, uint32_t *number)
{
	if (u->count == u->rows_size) {
		size_t size = u->rows_size > 0 ? u->rows_size * 2 : 16;
		struct store_units_row *rows =
		    realloc(u->rows, size * sizeof(*rows));

		if (rows == NULL)
			return ERR_NOMEM;
		u->rows = rows;
		u->rows_size = size;
	}
	u->rows[u->count] = (struct store_units_row){ .key_at = u->keys.n };
	wire_put_span(&u->keys, key);
	if (buf_failed(&u->keys))
		return ERR_RANGE;
	*number = u->count++;
	return OK;
}

/* The table knows the newest unit of a key only: older ones are full. */
static enum err
find_or_add(struct store_units *u, struct span key, uint32_t *number)
{
	size_t mask = u->table_size - 1;
	size_t i = (size_t)siphash(&u->seed, key) & mask;
	uint32_t n;
	enum err e;

	for (; u->table[i] != 0; i = (i + 1) & mask) {
		n = u->table[i] - 1;
		if (!span_equal(key_at(u, u->rows[n].key_at), key))
			continue;
		if (u->rows[n].recipients < STORE_UNIT_RECIPIENTS) {
			*number = n;
			return OK;
		}
		break;		/* full: another takes its place */
	}
	if ((e = add_unit(u, key, &n)) != OK)
		return e;
	u->table[i] = n + 1;
	*number = n;
	return OK;
}

enum err
store_units_divide(struct store_units *u, const struct envelope *e,
    const struct store_submission *sub)
{
	struct envelope_iter it;
	struct envelope_rcpt rcpt;
	enum err err = make_table(u, e->rcpt_count);
	uint32_t number;

	u->count = 0;
	buf_reset(&u->keys);
	buf_reset(&u->unit_of);
	envelope_iter_init(e, &it);
	while (err == OK && envelope_iter_next(&it, &rcpt)) {
		struct span key = sub->key_of(sub->ctx, rcpt.address);

		if (key.n > STORE_KEY_MAX)
			return ERR_RANGE;
		if ((err = find_or_add(u, key, &number)) != OK)
			return err;
		u->rows[number].recipients++;
		wire_put_u32(&u->unit_of, number);
	}
	if (err == OK && buf_failed(&u->unit_of))
		err = ERR_RANGE;
	return err;
}
