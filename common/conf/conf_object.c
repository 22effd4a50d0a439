#include "common/conf/conf_object.h"

#include "common/base/check.h"

void *
conf_object_list(const struct conf_row *row, size_t n,
    const struct conf_scope *scope)
{
	return arena_alloc(scope->arena, n,
	    conf_type_size(conf_type_element(row->type)));
}

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

static enum err
init_list(const struct conf_row *row, const struct conf_scope *scope,
    void *base)
{
	size_t size = conf_type_size(conf_type_element(row->type));
	struct span words = span_str(row->fallback);
	struct conf_list list = { NULL, 0 };

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
