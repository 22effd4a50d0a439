/*
 * A value by its row, whatever its type: the rows of the schema say where in
 * the struct it is and how it is read.  Defaults are kept as the texts that a
 * person would write and go through the same parsers, so they can't be wrong
 * in a way that a file couldn't.
 */
#include "common/conf/conf_object.h"

#include "common/base/check.h"

/* Zeroed, not yet defaults: conf_object_element() or conf_object_init()
 * follow. */
void *
conf_object_list(const struct conf_row *row, size_t n,
    const struct conf_scope *scope)
{
	return arena_alloc(scope->arena, n,
	    conf_type_size(conf_type_element(row->type)));
}

/* An element with members that is written as one text means its first member:
 * `- "*:25"` is a listener with that address. */
enum err
conf_object_element(const struct conf_row *row, struct span text,
    const struct conf_scope *scope, void *element, struct why *why)
{
	enum conf_type type = conf_type_element(row->type);
	const struct conf_schema *schema = conf_type_schema(type);
	const struct conf_row *first;
	enum err e;

	if (schema == NULL)
		return conf_value_parse(row, type, text, scope, element, why);
	first = &schema->rows[0];
	if ((e = conf_object_init(schema, scope, element)) != OK)
		return e;
	return conf_value_parse(first, first->type, text, scope,
	    (char *)element + first->offset, why);
}

/* The next of TEXT's words, which have one blank between them. */
static struct span
next_word(struct span *text)
{
	size_t end = span_find(*text, ' ');
	struct span word = span_sub(*text, 0, end);

	*text = span_from(*text, end + 1);
	return word;
}

/* The default of a list: its elements, each as one text. */
static enum err
init_list(const struct conf_row *row, const struct conf_scope *scope,
    void *base)
{
	size_t size = conf_type_size(conf_type_element(row->type));
	struct span words = span_str(row->fallback);
	struct conf_list list = { NULL, 0 };

	/* counted first: a list is one piece of the arena */
	for (struct span rest = words; rest.n > 0; next_word(&rest))
		list.n++;
	if ((list.v = conf_object_list(row, list.n, scope)) == NULL)
		return ERR_NOMEM;
	for (size_t i = 0; i < list.n; i++) {
		enum err e = conf_object_element(row, next_word(&words),
		    scope, (char *)list.v + i * size, NULL);

		/* a default that its own type refuses is our mistake */
		MUST(e == OK || e == ERR_NOMEM);
		if (e != OK)
			return e;
	}
	conf_list_set(row, base, list);
	return OK;
}

/* Whatever the schema has as a fallback, "" for what may be absent. */
enum err
conf_object_init(const struct conf_schema *schema,
    const struct conf_scope *scope, void *base)
{
	for (size_t i = 0; i < schema->n; i++) {
		const struct conf_row *row = &schema->rows[i];
		void *value = (char *)base + row->offset;
		enum err e;

		if (conf_type_is_list(row->type)) {
			e = init_list(row, scope, base);
		} else {
			/* first, as "" is no text that each parser would
			 * take */
			conf_value_clear(row->type, value);
			e = row->fallback[0] == '\0' ? OK :
			    conf_value_parse(row, row->type,
			    span_str(row->fallback), scope, value, NULL);
		}
		MUST(e == OK || e == ERR_NOMEM);
		if (e != OK)
			return e;
	}
	return OK;
}

/* The text that the schema would have for a value as its default.  Elements
 * with members never are one, hence `?`. */
static void
put_fallback(const struct conf_row *row, const void *base, struct buf *out)
{
	enum conf_type type = conf_type_element(row->type);
	const char *at = (const char *)base + row->offset;
	struct conf_list list = { NULL, 1 };

	if (conf_type_is_list(row->type)) {
		list = conf_list_get(row, base);
		at = list.v;
	}
	for (size_t i = 0; i < list.n && !buf_failed(out); i++) {
		if (i > 0)
			buf_add_byte(out, ' ');
		if (conf_type_schema(type) != NULL)
			/* no default has it, so the texts differ */
			buf_add_byte(out, '?');
		else
			conf_value_print(type, at + i * conf_type_size(type),
			    out);
	}
}

/* `7d` and `1w` are one duration: what is printed is not what is written. */
static bool
is_same_number(const struct conf_row *row, struct span text)
{
	const struct conf_scope scope = { NULL, NULL };
	int64_t a, b;

	_Static_assert(sizeof(int64_t) == sizeof(uint64_t), "TIME and SIZE");
	return conf_value_parse(row, row->type, text, &scope, &a, NULL) ==
	    OK && conf_value_parse(row, row->type, span_str(row->fallback),
	    &scope, &b, NULL) == OK && a == b;
}

/* Without memory it counts as set: then it is sent or printed, which is right
 * in any case. */
bool
conf_object_is_default(const struct conf_row *row, const void *base)
{
	bool is_number = row->type == CONF_TYPE_TIME ||
	    row->type == CONF_TYPE_SIZE;
	struct buf text;
	bool is_default;

	buf_init(&text, CONF_VALUE_TEXT_MAX);
	put_fallback(row, base, &text);
	is_default = !buf_failed(&text) &&
	    (span_equal(buf_span(&text), span_str(row->fallback)) ||
	    (is_number && is_same_number(row, buf_span(&text))));
	buf_clear(&text);
	return is_default;
}
