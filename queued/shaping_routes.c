/*
 * Routes by a number that lasts: a sum over whom a rule is for and where it leads,
 * so that neither its place in the file nor its limits matter.  Two rules that say
 * the same share it.
 */
#include "common/base/crc32c.h"
#include "common/base/mtime.h"
#include "common/base/units.h"
#include "common/conf/conf_schema.h"
#include "common/conf/conf_value.h"
#include "queued/plan/plan.h"
#include "queued/shaping_private.h"

#include <stdio.h>
#include <stdlib.h>

#define BY_MX_ID UINT32_C(1)

/* Members that say how mail is sent, and not which: all that have a section. */
static bool
is_manner(const struct conf_row *row)
{
	struct span key = span_str(row->key);

	return span_find(key, '.') < key.n;
}

static void
put_row(const struct conf_row *row, const struct conf_route *rule,
    struct buf *out)
{
	const char *at = (const char *)rule + row->offset;
	enum conf_type type = conf_type_element(row->type);
	struct conf_list list;

	buf_add_str(out, row->key);
	if (!conf_type_is_list(row->type)) {
		conf_value_print(type, at, out);
		return;
	}
	list = conf_list_get(row, rule);
	for (size_t i = 0; i < list.n; i++) {
		buf_add_byte(out, '\n');
		conf_value_print(type, (const char *)list.v +
		    i * conf_type_size(type), out);
	}
}

static enum err
id_of(const struct conf_route *rule, struct buf *scratch, uint32_t *out)
{
	buf_reset(scratch);
	for (size_t i = 0; i < conf_schema_route.n; i++)
		if (!is_manner(&conf_schema_route.rows[i]))
			put_row(&conf_schema_route.rows[i], rule, scratch);
	if (buf_failed(scratch))
		return ERR_NOMEM;
	*out = crc32c(0, scratch->p, scratch->n);
	if (*out <= BY_MX_ID)
		*out = BY_MX_ID + 1;
	return OK;
}

/* A stop of a route that stands elsewhere now, or nowhere. */
static enum err
rename_stop(struct shaping *sh, const struct shape_stop *stop)
{
	char old[SHAPING_ROUTE_SIZE], text[SHAPING_ROUTE_SIZE];
	uint8_t why[SHAPE_WHY_MAX];
	struct shape_stop moved = *stop;
	enum err e = OK;

	for (size_t i = 0; i < sh->n_ids; i++) {
		if (sh->ids[i] != stop->route)
			continue;
		moved.name = shaping_route_name(i + 1 < sh->n_ids ?
		    (uint32_t)i : ROUTE_BY_MX, text);
		if (span_equal(moved.name, stop->name))
			return ERR_EXISTS;	/* it stands where it did */
		break;
	}
	memcpy(why, stop->why.p, stop->why.n);
	moved.why = span_of(why, stop->why.n);
	if (!span_copy(stop->name, old, sizeof(old)))
		return OK;
	(void)shape_resume(sh->shape, span_str(old));
	if (moved.name.p == (const uint8_t *)text)
		e = shape_stop(sh->shape, &moved);
	return e;
}

/* One at a time: nothing may be added while they are walked over. */
static void
rename_stops(struct shaping *sh)
{
	struct shape_stop stop;
	size_t cursor = 0, left = SHAPE_STOPS_MAX;

	while (left-- > 0 && shape_next_stop(sh->shape, &cursor, &stop)) {
		if (stop.route == 0 || rename_stop(sh, &stop) == ERR_EXISTS)
			continue;
		cursor = 0;
	}
}

enum err
shaping_routes_take(struct shaping *sh, const struct conf *conf)
{
	size_t n = conf->routes.n + 1;
	uint32_t *ids = calloc(n, sizeof(*ids));
	struct buf scratch;
	enum err e = OK;

	if (ids == NULL)
		return ERR_NOMEM;
	buf_init(&scratch, 64 * 1024 * 1024);
	for (size_t i = 0; e == OK && i < conf->routes.n; i++)
		e = id_of(&conf->routes.v[i], &scratch, &ids[i]);
	buf_clear(&scratch);
	if (e != OK) {
		free(ids);
		return e;
	}
	ids[n - 1] = BY_MX_ID;
	free(sh->ids);
	sh->ids = ids;
	sh->n_ids = n;
	rename_stops(sh);
	return OK;
}

struct span
shaping_route_name(uint32_t index, char text[SHAPING_ROUTE_SIZE])
{
	int n = index == ROUTE_BY_MX ?
	    snprintf(text, SHAPING_ROUTE_SIZE, "route:mx") :
	    snprintf(text, SHAPING_ROUTE_SIZE, "route:%u", index + 1);

	return span_of(text, n > 0 ? (size_t)n : 0);
}

uint32_t
shaping_route_id(const struct queued *q, uint32_t index)
{
	const struct shaping *sh = q->shaping;

	if (index == ROUTE_BY_MX)
		return BY_MX_ID;
	return index + 1 < sh->n_ids ? sh->ids[index] : 0;
}

bool
shaping_route_find(const struct queued *q, struct span name, uint32_t *index)
{
	const struct span prefix = SPAN_LIT("route:");
	struct span rest = span_from(name, prefix.n);
	uint64_t number;

	if (!span_starts_nocase(name, prefix))
		return false;
	if (span_equal_nocase(rest, SPAN_LIT("mx"))) {
		*index = ROUTE_BY_MX;
		return true;
	}
	if (units_parse_u64(rest, &number) != OK || number == 0 ||
	    number >= q->shaping->n_ids)
		return false;
	*index = (uint32_t)number - 1;
	return true;
}

uint32_t
shaping_route_named(const struct queued *q, struct span name)
{
	uint32_t index;

	return shaping_route_find(q, name, &index) ?
	    shaping_route_id(q, index) : 0;
}

bool
shaping_warmth(const struct queued *q, uint32_t index, uint32_t *day,
    struct conf_rate *rate)
{
	const struct conf_rates *curve;
	int64_t since, wall = (int64_t)queued_wall(q);

	if (index == ROUTE_BY_MX || index >= q->conf->routes.n)
		return false;
	curve = &q->conf->routes.v[index].limits_warm_up;
	if (curve->n == 0)
		return false;
	since = shape_warm_since(q->shaping->shape,
	    shaping_route_id(q, index), wall);
	*day = (uint32_t)((wall - since) / MTIME_DAY);
	return shape_warm_rate(curve, since, wall, rate);
}
