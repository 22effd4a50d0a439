#include "mtactl/route_diff.h"

#include "common/base/b32.h"

#include <stdlib.h>

enum { COUNT_WIDTH = -8 };

#define PAIRS_MEMORY ((size_t)16 * 1024 * 1024)
#define FORM_MAX ((size_t)8 * 1024)		/* two keys */

/* Interned under both, with a byte between that is in none. */
struct pair {
	struct span form;
	struct span before, after;
	uint64_t recipients;
};

static struct span
form_of(const void *object)
{
	return ((const struct pair *)object)->form;
}

enum err
route_diff_init(struct route_diff *d, struct output *out, const char *file,
    uint64_t limit)
{
	const struct siphash_key seed = { 0 };

	*d = (struct route_diff){ .out = out, .limit = limit > 0 ? limit :
	    ROUTE_DIFF_ROWS };
	map_span_init(&d->pairs, &seed, form_of);
	buf_init(&d->form, FORM_MAX);
	if ((d->arena = arena_new(PAIRS_MEMORY)) == NULL)
		return ERR_NOMEM;
	json_init(&d->json, &out->b);
	if (!out->is_json)
		return OK;
	json_object(&d->json);
	json_key(&d->json, "v");
	json_u64(&d->json, 1);
	json_key(&d->json, "file");
	json_str(&d->json, file);
	json_key(&d->json, "rows");
	json_array(&d->json);
	return OK;
}

void
route_diff_clear(struct route_diff *d)
{
	map_span_clear(&d->pairs);
	buf_clear(&d->form);
	arena_free(&d->arena);
}

/* ---- rows ---- */

static void
json_words(struct json *j, const char *key, struct span words)
{
	json_key(j, key);
	json_string(j, words);
}

static void
json_number(struct json *j, const char *key, uint64_t n)
{
	json_key(j, key);
	json_u64(j, n);
}

static void
json_row(struct json *j, const struct route_diff_row *row)
{
	char id[B32_LENGTH];

	b32_encode(row->id, id);
	json_object(j);
	json_words(j, "id", span_of(id, sizeof(id)));
	json_words(j, "from", row->sender);
	json_words(j, "to", row->recipient);
	json_words(j, "before", row->before);
	json_words(j, "after", row->after);
	json_object_end(j);
}

/* "ID  <a@b> -> c@d:  old -> new" */
static void
put_row(struct output *o, const struct route_diff_row *row)
{
	char id[B32_LENGTH];

	b32_encode(row->id, id);
	output_padded(o, span_of(id, sizeof(id)), B32_LENGTH);
	buf_add_str(&o->b, "  <");
	output_text(o, row->sender);
	buf_add_str(&o->b, "> -> ");
	output_text(o, row->recipient);
	buf_add_str(&o->b, ":  ");
	output_text(o, row->before);
	buf_add_str(&o->b, " -> ");
	output_text(o, row->after);
	buf_add_byte(&o->b, '\n');
}

static struct pair *
make_pair(struct route_diff *d, size_t before_n)
{
	struct span form = buf_span(&d->form);
	uint8_t *copy = arena_alloc(d->arena, form.n, 1);
	struct pair *pair = arena_alloc(d->arena, 1, sizeof(*pair));

	if (copy == NULL || pair == NULL)
		return NULL;
	memcpy(copy, form.p, form.n);
	pair->form = span_of(copy, form.n);
	pair->before = span_sub(pair->form, 0, before_n);
	pair->after = span_from(pair->form, before_n + 1);
	return map_span_add(&d->pairs, pair) == OK ? pair : NULL;
}

/* NULL: there are too many, or no memory. */
static struct pair *
find_pair(struct route_diff *d, const struct route_diff_row *row)
{
	struct pair *pair;

	buf_reset(&d->form);
	buf_add_span(&d->form, row->before);
	buf_add_byte(&d->form, 0);
	buf_add_span(&d->form, row->after);
	if (buf_failed(&d->form))
		return NULL;
	pair = map_span_get(&d->pairs, buf_span(&d->form));
	if (pair != NULL || map_span_count(&d->pairs) >= ROUTE_DIFF_PAIRS)
		return pair;
	return make_pair(d, row->before.n);
}

bool
route_diff_row(struct route_diff *d, const struct route_diff_row *row)
{
	struct pair *pair;

	d->recipients++;
	if (span_equal(row->before, row->after))
		return false;
	d->moved_recipients++;
	pair = find_pair(d, row);
	if (pair != NULL)
		pair->recipients++;
	else
		d->others++;
	if (d->rows >= d->limit)
		return true;
	d->rows++;
	if (d->out->is_json)
		json_row(&d->json, row);
	else
		put_row(d->out, row);
	output_flush(d->out);
	return true;
}

void
route_diff_message(struct route_diff *d, bool is_list, bool is_moved)
{
	d->messages++;
	d->lists += is_list ? 1 : 0;
	d->moved_messages += is_moved ? 1 : 0;
}

/* ---- the end ---- */

static int
compare_pairs(const void *a, const void *b)
{
	const struct pair *x = *(const struct pair *const *)a;
	const struct pair *y = *(const struct pair *const *)b;

	if (x->recipients != y->recipients)
		return x->recipients > y->recipients ? -1 : 1;
	return span_compare(x->form, y->form);
}

/* Those of most recipients first; NULL without memory, or without any. */
static const struct pair **
sort_pairs(const struct route_diff *d, size_t *n)
{
	size_t cursor = 0;
	const struct pair **list = calloc(map_span_count(&d->pairs) + 1,
	    sizeof(const struct pair *));
	const struct pair *pair;

	*n = 0;
	while (list != NULL &&
	    (pair = map_span_next(&d->pairs, &cursor)) != NULL)
		list[(*n)++] = pair;
	if (list != NULL)
		qsort(list, *n, sizeof(list[0]), compare_pairs);
	return list;
}

static void
json_end(struct route_diff *d, const struct pair *const *pairs, size_t n)
{
	struct json *j = &d->json;

	json_array_end(j);
	json_number(j, "messages", d->messages);
	json_number(j, "recipients", d->recipients);
	json_number(j, "moved_messages", d->moved_messages);
	json_number(j, "moved_recipients", d->moved_recipients);
	json_number(j, "rows_left_out", d->moved_recipients - d->rows);
	json_number(j, "lists_left_out", d->lists);
	json_key(j, "moves");
	json_array(j);
	for (size_t i = 0; i < n; i++) {
		json_object(j);
		json_words(j, "before", pairs[i]->before);
		json_words(j, "after", pairs[i]->after);
		json_number(j, "recipients", pairs[i]->recipients);
		json_object_end(j);
	}
	json_array_end(j);
	json_number(j, "moves_left_out", d->others);
	json_object_end(j);
	buf_add_byte(&d->out->b, '\n');
}

static void
put_end(struct route_diff *d, const struct pair *const *pairs, size_t n)
{
	struct output *o = d->out;

	if (d->moved_recipients > d->rows)
		output_line(o, "… and %llu more; --limit shows more of them",
		    (unsigned long long)(d->moved_recipients - d->rows));
	for (size_t i = 0; i < n; i++) {
		if (i == 0) {
			buf_add_byte(&o->b, '\n');
			output_coloured(o, OUTPUT_BOLD,
			    "recipients  destination -> destination", 0);
			buf_add_byte(&o->b, '\n');
		}
		output_number(o, pairs[i]->recipients, COUNT_WIDTH - 2);
		buf_add_str(&o->b, "  ");
		output_text(o, pairs[i]->before);
		buf_add_str(&o->b, " -> ");
		output_text(o, pairs[i]->after);
		buf_add_byte(&o->b, '\n');
		output_flush(o);
	}
	if (d->others > 0)
		output_line(o, "%10llu  to and from others",
		    (unsigned long long)d->others);
	output_line(o, "-- %llu of %llu recipients, in %llu of %llu messages, "
	    "would move", (unsigned long long)d->moved_recipients,
	    (unsigned long long)d->recipients,
	    (unsigned long long)d->moved_messages,
	    (unsigned long long)d->messages);
	if (d->lists > 0)
		output_line(o, "-- %llu of them with very many recipients: "
		    "those not begun were not looked at",
		    (unsigned long long)d->lists);
}

void
route_diff_end(struct route_diff *d)
{
	size_t n;
	const struct pair **pairs = sort_pairs(d, &n);

	if (d->out->is_json)
		json_end(d, pairs, n);
	else
		put_end(d, pairs, n);
	free(pairs);
}
