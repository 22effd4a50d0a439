#include "common/conf/conf_wire.h"

#include "common/base/arena.h"
#include "common/base/check.h"
#include "common/base/wire.h"
#include "common/conf/conf_object.h"

/*
 * whole  = object, places
 * places = text of the file, u32 count of routes, u32 line of each
 * object = u8 number of members, then for each: u8 row, value
 * value  = text | u32 count, elements        (as the row's type is)
 * text   = u16 length, bytes
 */

/* Where the row's value is in the struct. */
static const void *
member(const struct conf_row *row, const void *base)
{
	return (const char *)base + row->offset;
}

/* The address of element I, by the size of its type. */
static const void *
element(const struct conf_row *row, const struct conf_list *list, size_t i)
{
	size_t size = conf_type_size(conf_type_element(row->type));

	return (const char *)list->v + i * size;
}

/* Writes the text behind its length, which is known only afterwards. */
static void
put_text(enum conf_type type, const void *value, struct buf *out)
{
	size_t at = out->n, n;

	wire_put_u16(out, 0);
	conf_value_print(type, value, out);
	if (buf_failed(out))
		return;
	n = out->n - at - 2;
	MUST(n <= UINT16_MAX);
	out->p[at] = (uint8_t)(n & 0xff);
	out->p[at + 1] = (uint8_t)(n >> 8);
}

static void put_object(const struct conf_schema *schema, const void *base,
    unsigned who, struct buf *out);

void
conf_wire_put(const struct conf_row *row, const void *base, struct buf *out)
{
	enum conf_type type = conf_type_element(row->type);
	const struct conf_schema *schema = conf_type_schema(type);
	struct conf_list list;

	if (!conf_type_is_list(row->type)) {
		put_text(type, member(row, base), out);
		return;
	}
	list = conf_list_get(row, base);
	wire_put_u32(out, (uint32_t)list.n);
	for (size_t i = 0; i < list.n && !buf_failed(out); i++) {
		if (schema != NULL)
			put_object(schema, element(row, &list, i), CONF_ALL,
			    out);
		else
			put_text(type, element(row, &list, i), out);
	}
}

/* WHO filters the members of the whole; an element of a list goes as one. */
static void
put_object(const struct conf_schema *schema, const void *base, unsigned who,
    struct buf *out)
{
	size_t at = out->n;
	uint8_t n = 0;

	_Static_assert(CONF_CHANGES_MAX <= UINT8_MAX, "rows are bytes");
	wire_put_u8(out, 0);
	for (size_t i = 0; i < schema->n; i++) {
		const struct conf_row *row = &schema->rows[i];

		if ((row->readers & who) == 0 ||
		    conf_object_is_default(row, base))
			continue;
		/* the row's number: both ends are of one build */
		wire_put_u8(out, (uint8_t)i);
		conf_wire_put(row, base, out);
		n++;
	}
	if (!buf_failed(out))
		out->p[at] = n;
}

/* Where the rules stand in the file, for who is told of them: people are shown
 * it.  No value of the schema, so that two files that mean the same compare as
 * equal. */
static void
put_places(const struct conf *conf, unsigned who, struct buf *out)
{
	const struct conf_row *row = conf_schema_find(&conf_schema_main,
	    SPAN_LIT("routes"));
	bool is_told = (row->readers & who) != 0;
	struct span file = is_told ? span_str(conf->file) : SPAN_NONE;
	size_t n = is_told ? conf->routes.n : 0;

	MUST(file.n <= UINT16_MAX);
	wire_put_u16(out, (uint16_t)file.n);
	buf_add_span(out, file);
	wire_put_u32(out, (uint32_t)n);
	for (size_t i = 0; i < n; i++)
		wire_put_u32(out, conf->routes.v[i].line);
}

/* Defaults aren't sent: the receiver makes them from the same schema, being of
 * the same build. */
void
conf_wire_encode(const struct conf *conf, unsigned who, struct buf *out)
{
	put_object(&conf_schema_main, conf, who, out);
	put_places(conf, who, out);
}

/* ---- the receiver ---- */

struct reader {
	struct wire wire;
	struct conf_scope scope;
	enum err e;		/* ERR_NOMEM, which is no fault of the bytes */
};

/* Any other failure is the bytes' fault and shows as the cursor's. */
static void
fail(struct reader *r, enum err e)
{
	if (e == ERR_NOMEM)
		r->e = e;
	wire_fail(&r->wire);
}

/* By the same parser as the file, and so with all of its checks (I-05). */
static void
get_text(struct reader *r, const struct conf_row *row, enum conf_type type,
    void *value)
{
	size_t n = wire_u16(&r->wire);
	struct span text = wire_raw(&r->wire, n);
	enum err e;

	if (r->wire.is_failed)
		return;
	/* no text at all is the absence of a value that may be absent */
	if (n == 0 && !conf_type_is_list(row->type) &&
	    row->fallback[0] == '\0') {
		conf_value_clear(type, value);
		return;
	}
	e = conf_value_parse(row, type, text, &r->scope, value, NULL);
	if (e != OK)
		fail(r, e);
}

static void get_object(struct reader *r, const struct conf_schema *schema,
    void *base);

/* An element is made in place, but becomes visible only when all are right. */
static void
get_list(struct reader *r, const struct conf_row *row, void *base)
{
	enum conf_type type = conf_type_element(row->type);
	const struct conf_schema *schema = conf_type_schema(type);
	struct conf_list list = { NULL, wire_u32(&r->wire) };

	/* an element takes one byte at least: no count reserves more memory
	 * than the bytes that came can fill */
	if (list.n < (uint64_t)row->min || list.n > (uint64_t)row->max ||
	    list.n > r->wire.n) {
		wire_fail(&r->wire);
		return;
	}
	list.v = conf_object_list(row, list.n, &r->scope);
	if (list.v == NULL) {
		fail(r, ERR_NOMEM);
		return;
	}
	for (size_t i = 0; i < list.n && !r->wire.is_failed; i++) {
		void *at = (char *)list.v + i * conf_type_size(type);

		if (schema != NULL)
			get_object(r, schema, at);
		else
			get_text(r, row, type, at);
	}
	if (!r->wire.is_failed)
		conf_list_set(row, base, list);
}

/* The members that come stand in the order of the rows, each at most once. */
static void
get_members(struct reader *r, const struct conf_schema *schema, void *base)
{
	size_t n = wire_u8(&r->wire), next = 0;

	for (; n > 0 && !r->wire.is_failed; n--) {
		size_t i = wire_u8(&r->wire);
		const struct conf_row *row;

		/* this order has one spelling: what is out of it wasn't
		 * written by us */
		if (r->wire.is_failed || i < next || i >= schema->n) {
			wire_fail(&r->wire);
			return;
		}
		next = i + 1;
		row = &schema->rows[i];
		if (conf_type_is_list(row->type))
			get_list(r, row, base);
		else
			get_text(r, row, row->type,
			    (char *)base + row->offset);
	}
}

/* Defaults first, then what came. */
static void
get_object(struct reader *r, const struct conf_schema *schema, void *base)
{
	enum err e = conf_object_init(schema, &r->scope, base);

	if (e != OK)
		fail(r, e);
	else
		get_members(r, schema, base);
}

static void
get_places(struct reader *r, struct conf *conf)
{
	size_t n = wire_u16(&r->wire);
	struct span file = wire_raw(&r->wire, n);
	uint32_t count = wire_u32(&r->wire);

	if (r->wire.is_failed || count != conf->routes.n ||
	    span_find(file, '\0') < file.n) {
		wire_fail(&r->wire);
		return;
	}
	for (size_t i = 0; i < count; i++)
		conf->routes.v[i].line = wire_u32(&r->wire);
	conf->file = arena_text(conf->arena, file);
	if (conf->file == NULL)
		fail(r, ERR_NOMEM);
}

/* Whole or not at all: on a failure nothing of CONF is seen by anybody. */
enum err
conf_wire_decode(struct span bytes, struct conf **out)
{
	struct reader r = { .e = OK };
	struct conf *conf;
	enum err e;

	if (bytes.n > CONF_WIRE_MAX)
		return ERR_RANGE;
	if ((e = conf_new(&conf)) != OK)
		return e;
	wire_init(&r.wire, bytes);
	r.scope.arena = conf->arena;
	get_members(&r, &conf_schema_main, conf);
	if (!r.wire.is_failed)
		get_places(&r, conf);
	e = r.e != OK ? r.e : wire_done(&r.wire);
	if (e != OK) {
		conf_free(&conf);
		return e;
	}
	*out = conf;
	return OK;
}
