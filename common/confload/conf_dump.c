/*
 * The configuration as a file that loads to the same values: all of it, what
 * differs from the defaults, or with a line of documentation before each key.
 * Walks the rows of the schema, so nothing can be forgotten.
 */
#include "common/confload/conf_dump.h"

#include "common/base/check.h"
#include "common/base/text.h"
#include "common/base/utf8.h"
#include "common/conf/conf_object.h"

#define TEXT_MAX ((size_t)8 * CONF_VALUE_TEXT_MAX)
#define ONE_LINE 4	/* elements of a list that still stand in one line */

struct dump {
	unsigned flags;
	struct buf *out;
	unsigned indent;	/* blanks */
	bool is_element;	/* the next line begins a list's element */
};

/* The first line of an element has its dash before it. */
static void
begin_line(struct dump *d)
{
	unsigned n = d->is_element ? d->indent - 2 : d->indent;

	for (unsigned i = 0; i < n; i++)
		buf_add_byte(d->out, ' ');
	if (d->is_element)
		buf_add_str(d->out, "- ");
	d->is_element = false;
}

/* What reads as a plain word in every YAML: no indicator, no `null`. */
static bool
is_plain(struct span text)
{
	if (text.n == 0 || (!text_is_alpha(text.p[0]) &&
	    !text_is_digit(text.p[0]) && text.p[0] != '/') ||
	    span_equal_nocase(text, SPAN_LIT("null")))
		return false;
	for (size_t i = 0; i < text.n; i++)
		if (!text_is_alpha(text.p[i]) && !text_is_digit(text.p[i]) &&
		    memchr("._/@-", text.p[i], 5) == NULL)
			return false;
	return true;
}

/* In quotes, all but printable ASCII escaped: what a terminal shows is what
 * is there. */
static void
put_quoted(struct dump *d, struct span text)
{
	uint32_t code;

	buf_add_byte(d->out, '"');
	while (text.n > 0) {
		if (!utf8_take(&text, &code))
			code = UTF8_REPLACEMENT;
		if (code == '"' || code == '\\')
			buf_addf(d->out, "\\%c", (int)code);
		else if (code >= 0x20 && code < 0x7f)
			buf_add_byte(d->out, (uint8_t)code);
		else if (code <= 0xffff)
			buf_addf(d->out, "\\u%04x", (unsigned)code);
		else
			buf_addf(d->out, "\\U%08x", (unsigned)code);
	}
	buf_add_byte(d->out, '"');
}

/* In quotes unless it is a plain word to each YAML parser. */
static void
put_scalar(struct dump *d, enum conf_type type, const void *value)
{
	struct buf text;

	buf_init(&text, TEXT_MAX);
	conf_value_print(type, value, &text);
	if (buf_failed(&text))
		d->out->is_failed = true;
	else if (is_plain(buf_span(&text)))
		buf_add_span(d->out, buf_span(&text));
	else
		put_quoted(d, buf_span(&text));
	buf_clear(&text);
}

/* Where the list's element I is. */
static const void *
element(const struct conf_row *row, const struct conf_list *list, size_t i)
{
	size_t size = conf_type_size(conf_type_element(row->type));

	return (const char *)list->v + i * size;
}

/* Whether there is nothing to print: an absent value, which a file can't
 * write, or a default that nobody wants to see.  An element of a list keeps
 * the members that make it what it is. */
static bool
is_left_out(const struct dump *d, const struct conf_schema *schema,
    const struct conf_row *row, const void *base)
{
	size_t n;
	bool may_go = (d->flags & CONF_DUMP_CHANGED) != 0 &&
	    (schema == &conf_schema_main ||
	    (conf_type_is_list(row->type) && row->fallback[0] == '\0') ||
	    conf_value_choices(row->type, &n) != NULL);
	bool is_default = conf_object_is_default(row, base);
	bool is_absent = is_default && row->fallback[0] == '\0' &&
	    !conf_type_is_list(row->type);

	return is_absent || (may_go && is_default);
}

static void put_rows(struct dump *d, const struct conf_schema *schema,
    const void *base);

static void
put_elements(struct dump *d, const struct conf_row *row,
    const struct conf_list *list)
{
	enum conf_type type = conf_type_element(row->type);
	const struct conf_schema *schema = conf_type_schema(type);

	/* two for the level, two for the dash, which begin_line() takes
	 * back */
	d->indent += 4;
	for (size_t i = 0; i < list->n && !buf_failed(d->out); i++) {
		d->is_element = true;
		if (schema != NULL) {
			put_rows(d, schema, element(row, list, i));
			continue;
		}
		begin_line(d);
		put_scalar(d, type, element(row, list, i));
		buf_add_byte(d->out, '\n');
	}
	d->indent -= 4;
}

/* Short ones in one line, objects and long ones an element a line. */
static void
put_list(struct dump *d, const struct conf_row *row, const void *base)
{
	enum conf_type type = conf_type_element(row->type);
	struct conf_list list = conf_list_get(row, base);

	if (list.n > ONE_LINE ||
	    (list.n > 0 && conf_type_schema(type) != NULL)) {
		buf_add_byte(d->out, '\n');
		put_elements(d, row, &list);
		return;
	}
	buf_add_str(d->out, " [");
	for (size_t i = 0; i < list.n; i++) {
		if (i > 0)
			buf_add_str(d->out, ", ");
		put_scalar(d, type, element(row, &list, i));
	}
	buf_add_str(d->out, "]\n");
}

/* A comment would part the dash from its first key, so there is none there. */
static void
put_doc(struct dump *d, const char *doc)
{
	if ((d->flags & CONF_DUMP_DOC) == 0 || d->is_element || doc == NULL)
		return;
	begin_line(d);
	buf_addf(d->out, "# %s\n", doc);
}

/* Key and value, the value behind the colon or, of a long list, below it. */
static void
put_row(struct dump *d, const struct conf_row *row, struct span name,
    const void *base)
{
	put_doc(d, row->doc);
	begin_line(d);
	buf_add_span(d->out, name);
	buf_add_byte(d->out, ':');
	if (conf_type_is_list(row->type)) {
		put_list(d, row, base);
		return;
	}
	buf_add_byte(d->out, ' ');
	put_scalar(d, row->type, (const char *)base + row->offset);
	buf_add_byte(d->out, '\n');
}

/* Rows of one section stand together; its name comes before the first one. */
static void
put_rows(struct dump *d, const struct conf_schema *schema, const void *base)
{
	struct span open = SPAN_NONE;

	for (size_t i = 0; i < schema->n; i++) {
		const struct conf_row *row = &schema->rows[i];
		struct span key = span_str(row->key);
		size_t dot = span_find(key, '.');
		struct span section = dot < key.n ? span_sub(key, 0, dot) :
		    SPAN_NONE;

		if (is_left_out(d, schema, row, base))
			continue;
		if (section.n > 0 && !span_equal(section, open)) {
			put_doc(d, schema == &conf_schema_main ?
			    conf_schema_section(section) : NULL);
			begin_line(d);
			buf_add_span(d->out, section);
			buf_add_str(d->out, ":\n");
		}
		open = section;
		d->indent += section.n > 0 ? 4 : 0;
		put_row(d, row, dot < key.n ? span_from(key, dot + 1) : key,
		    base);
		d->indent -= section.n > 0 ? 4 : 0;
	}
}

/* Failure shows in OUT alone. */
void
conf_dump(const struct conf *conf, unsigned flags, struct buf *out)
{
	struct dump d = { .flags = flags, .out = out };

	put_rows(&d, &conf_schema_main, conf);
}

void
conf_dump_key(const struct conf *conf, const char *key, struct buf *out)
{
	const struct conf_row *row = conf_schema_find(&conf_schema_main,
	    span_str(key));
	struct dump d = { .out = out };

	MUST(row != NULL);
	put_row(&d, row, span_str(key), conf);
}
