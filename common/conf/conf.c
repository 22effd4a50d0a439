/*
 * A struct conf and all that it points to live in one arena, so it is made,
 * handed on and freed as one.  It begins as its defaults; whoever makes it
 * writes over what was set.
 */
#include "common/conf/conf.h"

#include <stdlib.h>

#include "common/base/arena.h"
#include "common/base/buf.h"
#include "common/conf/conf_object.h"
#include "common/conf/conf_wire.h"

/* far above the largest file: bounds what hostile wire bytes can reserve */
#define CONF_MEMORY_MAX ((size_t)64 * 1024 * 1024)	/* bytes */

/* All defaults; the arena is the caller's through the struct. */
enum err
conf_new(struct conf **out)
{
	struct conf *conf = calloc(1, sizeof(*conf));
	struct conf_scope scope = { NULL, NULL };
	enum err e = ERR_NOMEM;

	if (conf == NULL)
		return ERR_NOMEM;
	if ((conf->arena = arena_new(CONF_MEMORY_MAX)) != NULL) {
		scope.arena = conf->arena;
		conf->file = "";
		e = conf_object_init(&conf_schema_main, &scope, conf);
	}
	if (e != OK) {
		conf_free(&conf);
		return e;
	}
	*out = conf;
	return OK;
}

void
conf_free(struct conf **conf)
{
	if (conf == NULL || *conf == NULL)
		return;
	arena_free(&(*conf)->arena);
	free(*conf);
	*conf = NULL;
}

/* Two values are the same when the wire would carry the same bytes.  Without
 * memory to find out they count as changed. */
static bool
is_same(const struct conf_row *row, const struct conf *a,
    const struct conf *b)
{
	struct buf x, y;
	bool is_equal;

	buf_init(&x, CONF_WIRE_MAX);
	buf_init(&y, CONF_WIRE_MAX);
	conf_wire_put(row, a, &x);
	conf_wire_put(row, b, &y);
	is_equal = !buf_failed(&x) && !buf_failed(&y) &&
	    span_equal(buf_span(&x), buf_span(&y));
	buf_clear(&x);
	buf_clear(&y);
	return is_equal;
}

/* By rows of the main schema: a list is one row, changed when any element
 * is. */
size_t
conf_compare(const struct conf *a, const struct conf *b, unsigned who,
    struct conf_change *out)
{
	size_t n = 0;

	for (size_t i = 0; i < conf_schema_main.n; i++) {
		const struct conf_row *row = &conf_schema_main.rows[i];

		if ((row->readers & who) == 0 || is_same(row, a, b))
			continue;
		out[n++] = (struct conf_change){
			.key = row->key,
			.readers = row->readers,
			.needs_restart = row->reload == CONF_RELOAD_RESTART,
		};
	}
	return n;
}
