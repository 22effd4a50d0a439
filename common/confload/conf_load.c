/*
 * From the tree of the file to a struct conf, walking file and schema side by
 * side.  All mistakes are gathered, each with its place, so that a person
 * mends a file in one go; nothing is used of a file that has one.
 *
 * Three steps: each value for itself (here), then what one value means for
 * another (conf_rules.c), then the files that are named (conf_check.c).
 */
#include "common/confload/conf_load.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "common/base/check.h"
#include "common/base/glob.h"
#include "common/conf/conf_object.h"
#include "common/confload/conf_guess.h"
#include "common/confload/conf_rules.h"
#include "common/confload/yaml_tree.h"
#include "common/os/file.h"

#define PATH_SIZE 4096
#define SHOWN 60	/* bytes of a wrong word that are repeated */

struct loader {
	struct conf_report *report;
	struct conf_scope scope;
	struct conf_places places;
	enum err e;		/* ERR_NOMEM ends everything */
};

/* The key that a person knows: "routes[].via", "limits.message". */
struct path {
	char text[96];
};

static struct path
path_of(const struct conf_schema *schema, const struct conf_row *row)
{
	struct path path;

	snprintf(path.text, sizeof(path.text), "%s%s", schema->prefix,
	    row->key);
	return path;
}

/* Whether there is a point in reading on. */
static bool
is_over(const struct loader *l)
{
	return l->e != OK || conf_report_is_full(l->report);
}

/* Goes on: one run of the loader finds all mistakes. */
#define COMPLAIN(l, place, ...) \
	conf_report_add((l)->report, CONF_ERROR, place, __VA_ARGS__)

/* ---- values ---- */

/* What this version does not do yet. */
static const struct later {
	enum conf_severity severity;
	const char *key;
	const char *value;
	const char *what;
} laters[] = {
#define CONF_LATER(severity, key, value, what)	\
	{ CONF_##severity, key, value, what },
#include "common/confload/conf_later.def"
#undef CONF_LATER
};

/* After the value was found right: a mistake is a mistake in any version. */
static void
check_later(struct loader *l, const struct path *path,
    const struct yaml_node *node)
{
	for (size_t i = 0; i < COUNT_OF(laters); i++) {
		const struct later *later = &laters[i];

		if (strcmp(later->key, path->text) != 0 ||
		    !glob_match(span_str(later->value), node->text))
			continue;
		conf_report_add(l->report, later->severity, node->place,
		    "%s: %s is not available in this version%s", path->text,
		    later->what, later->severity == CONF_WARNING ?
		    ", the value is ignored" : "");
		return;
	}
}

/* With a guess where the type has names. */
static void
complain_value(struct loader *l, const struct path *path,
    enum conf_type type, const struct yaml_node *node, const struct why *why)
{
	struct conf_guess guess;
	size_t n = 0;
	const char *const *names = conf_value_choices(type, &n);

	conf_guess_init(&guess, node->text);
	for (size_t i = 0; i < n; i++)
		conf_guess_try(&guess, span_str(names[i]));
	if (guess.best.n > 0)
		COMPLAIN(l, node->place, "%s: %s; did you mean '%s'?",
		    path->text, why->text, (const char *)guess.best.p);
	else
		COMPLAIN(l, node->place, "%s: %s", path->text, why->text);
}

/* A scalar, or an element of a list that is written as one text. */
static void
load_text(struct loader *l, const struct conf_schema *schema,
    const struct conf_row *row, const struct yaml_node *node, void *value)
{
	enum conf_type type = conf_type_element(row->type);
	const struct conf_schema *inner = conf_type_schema(type);
	struct path path = path_of(schema, row);
	struct why why = { "" };
	enum err e;

	/* one text for an element with members is its first member */
	if (inner != NULL)
		path = path_of(inner, &inner->rows[0]);
	if (node->is_empty) {
		COMPLAIN(l, node->place, "%s has no value", path.text);
		return;
	}
	e = conf_type_is_list(row->type) ?
	    conf_object_element(row, node->text, &l->scope, value, &why) :
	    conf_value_parse(row, type, node->text, &l->scope, value, &why);
	if (e == ERR_NOMEM)
		l->e = e;
	else if (e != OK)
		complain_value(l, &path, type, node, &why);
	else
		check_later(l, &path, node);
}

static void load_map(struct loader *l, const struct conf_schema *schema,
    const struct yaml_node *map, const char *section, void *base);

/* The member without which an element makes no sense: its first one for a
 * listener, `via` for a route. */
static void
check_complete(struct loader *l, const struct conf_schema *schema,
    const struct yaml_node *map)
{
	const char *needed = schema == &conf_schema_route ? "via" :
	    schema->rows[0].key;
	const struct yaml_node *node = map->first;

	while (node != NULL && !span_equal(node->key, span_str(needed)))
		node = node->next;
	if (node == NULL)
		COMPLAIN(l, map->place, "%s%s is missing", schema->prefix,
		    needed);
}

/* One element of a list: a text, or an object with its keys. */
static void
load_element(struct loader *l, const struct conf_schema *schema,
    const struct conf_row *row, const struct yaml_node *node, void *element)
{
	const struct conf_schema *inner =
	    conf_type_schema(conf_type_element(row->type));
	enum err e;

	/* rules are never one text: which of its members should it be? */
	if (node->kind == YAML_TEXT &&
	    (inner == NULL || inner == &conf_schema_listener)) {
		load_text(l, schema, row, node, element);
		return;
	}
	if (node->kind != YAML_MAP || inner == NULL) {
		COMPLAIN(l, node->place, "%s: expected %s", row->key,
		    inner == NULL ? "plain values" :
		    inner == &conf_schema_route ?
		    "a rule such as {to: example.org, via: mx}" :
		    inner == &conf_schema_quota ?
		    "a rule such as {each: user, messages: 100/1h}" :
		    inner == &conf_schema_provider ?
		    "an entry such as {name: big, mx: \"*.example.net\"}" :
		    inner == &conf_schema_shaping ?
		    "a rule such as {reply: \"421 *later*\", for: 1h}" :
		    "an entry such as {address: \"*:25\"}");
		return;
	}
	if ((e = conf_object_init(inner, &l->scope, element)) != OK) {
		l->e = e;
		return;
	}
	if (inner == &conf_schema_route)
		((struct conf_route *)element)->line = node->place.line;
	load_map(l, inner, node, "", element);
	check_complete(l, inner, node);
}

/* Whether N elements are possible. */
static bool
check_count(struct loader *l, const struct path *path,
    const struct conf_row *row, const struct yaml_node *node, size_t n)
{
	if (n < (uint64_t)row->min)
		COMPLAIN(l, node->place, "%s must not be empty", path->text);
	else if (n > (uint64_t)row->max)
		COMPLAIN(l, node->place, "%s has %zu elements; %lld are "
		    "possible", path->text, n, (long long)row->max);
	else
		return true;
	return false;
}

/* A list, or one element without the brackets. */
static void
load_list(struct loader *l, const struct conf_schema *schema,
    const struct conf_row *row, const struct yaml_node *node, void *base)
{
	size_t size = conf_type_size(conf_type_element(row->type));
	struct path path = path_of(schema, row);
	bool is_list = node->kind == YAML_LIST;
	const struct yaml_node *at = is_list ? node->first : node;
	struct conf_list list = { NULL, is_list ? node->n : 1 };

	if (node->is_empty) {
		COMPLAIN(l, node->place, "%s has no value; write [] for an "
		    "empty list", path.text);
		return;
	}
	if (node->kind == YAML_MAP) {
		COMPLAIN(l, node->place, "%s: expected a list: `- ` before "
		    "each element, or [ ] around them", path.text);
		return;
	}
	if (!check_count(l, &path, row, node, list.n))
		return;
	if ((list.v = conf_object_list(row, list.n, &l->scope)) == NULL) {
		l->e = ERR_NOMEM;
		return;
	}
	for (size_t i = 0; i < list.n && !is_over(l); i++, at = at->next)
		load_element(l, schema, row, at, (char *)list.v + i * size);
	/* a half-filled list is never looked at: there were errors */
	conf_list_set(row, base, list);
}

/* One member of BASE, and where it was set. */
static void
load_value(struct loader *l, const struct conf_schema *schema,
    const struct conf_row *row, const struct yaml_node *node, void *base)
{
	struct path path = path_of(schema, row);

	/* places are kept for the rules: members of elements are found by the
	 * tree */
	if (schema == &conf_schema_main)
		l->places.v[row - schema->rows] = node->place;
	if (conf_type_is_list(row->type))
		load_list(l, schema, row, node, base);
	else if (node->kind != YAML_TEXT)
		COMPLAIN(l, node->place, "%s: expected a single value",
		    path.text);
	else
		load_text(l, schema, row, node, (char *)base + row->offset);
}

/* ---- keys ---- */

/* The part of a row's key that stands in SECTION ("" is the top), up to the
 * next dot; empty when the row is elsewhere. */
static struct span
key_in(const struct conf_row *row, const char *section)
{
	struct span key = span_str(row->key);
	size_t n = strlen(section);

	if (n > 0 && (key.n <= n || memcmp(key.p, section, n) != 0 ||
	    key.p[n] != '.'))
		return SPAN_NONE;
	key = span_from(key, n > 0 ? n + 1 : 0);
	return span_sub(key, 0, span_find(key, '.'));
}

/* A key that is known, but elsewhere. */
static const struct conf_row *
find_elsewhere(struct span key)
{
	for (size_t i = 0; i < conf_schema_main.n; i++) {
		const struct conf_row *row = &conf_schema_main.rows[i];
		const char *dot = strchr(row->key, '.');

		if (span_equal(key, span_str(dot ? dot + 1 : row->key)))
			return row;
	}
	return NULL;
}

/* A guess among the keys of this section, else the place where it belongs. */
static void
complain_unknown(struct loader *l, const struct conf_schema *schema,
    const char *section, const struct yaml_node *node)
{
	const struct conf_row *row = find_elsewhere(node->key);
	int n = node->key.n < SHOWN ? (int)node->key.n : SHOWN;
	const char *key = (const char *)node->key.p;
	struct conf_guess guess;

	conf_guess_init(&guess, node->key);
	for (size_t i = 0; i < schema->n; i++)
		conf_guess_try(&guess, key_in(&schema->rows[i], section));
	if (guess.best.n > 0)
		COMPLAIN(l, node->key_place,
		    "unknown key '%.*s'; did you mean '%.*s'?", n, key,
		    (int)guess.best.n, (const char *)guess.best.p);
	else if (row != NULL)
		COMPLAIN(l, node->key_place,
		    "unknown key '%.*s' here; did you mean '%s'?", n, key,
		    row->key);
	else
		COMPLAIN(l, node->key_place, "unknown key '%.*s'", n, key);
}

/* Whether the key came before; then says so. */
static bool
is_duplicate(struct loader *l, const struct yaml_node *map,
    const struct yaml_node *node)
{
	const struct yaml_node *first = map->first;

	while (!span_equal(first->key, node->key))
		first = first->next;
	if (first == node)
		return false;
	COMPLAIN(l, node->key_place,
	    "duplicate key '%.*s': it stands in line %u already",
	    (int)node->key.n, (const char *)node->key.p,
	    (unsigned)first->key_place.line);
	return true;
}

/* The keys below a section's name; nothing at all is an empty section. */
static void
load_section(struct loader *l, const struct conf_schema *schema,
    const struct yaml_node *node, const char *name, void *base)
{
	if (node->kind == YAML_MAP)
		load_map(l, schema, node, name, base);
	else if (!node->is_empty)
		COMPLAIN(l, node->place, "%s%s: expected keys and values",
		    schema->prefix, name);
}

/* NODE is a value of a row, or a section whose keys are further down. */
static void
load_key(struct loader *l, const struct conf_schema *schema,
    const struct yaml_node *map, const struct yaml_node *node,
    const char *section, void *base)
{
	for (size_t i = 0; i < schema->n; i++) {
		const struct conf_row *row = &schema->rows[i];
		struct span key = key_in(row, section);
		const char *end;
		char name[64];

		if (key.n == 0 || !span_equal(key, node->key))
			continue;
		end = (const char *)key.p + key.n;
		if (is_duplicate(l, map, node))
			return;
		/* the row's own key ends here; at a dot a section begins */
		if (*end == '\0') {
			load_value(l, schema, row, node, base);
			return;
		}
		MUST(span_copy(span_of(row->key, (size_t)(end - row->key)),
		    name, sizeof(name)));
		load_section(l, schema, node, name, base);
		return;
	}
	complain_unknown(l, schema, section, node);
}

/* SECTION is the name under which the map stands, "" at the top.  A section's
 * rows are rows of the same schema with the section before a dot. */
static void
load_map(struct loader *l, const struct conf_schema *schema,
    const struct yaml_node *map, const char *section, void *base)
{
	const struct yaml_node *node = map->first;

	for (; node != NULL && !is_over(l); node = node->next)
		load_key(l, schema, map, node, section, base);
}

/* ---- files ---- */

/* For people, who are told where a rule stands. */
static enum err
set_file(struct conf *conf, const char *dir, const char *path)
{
	const char *slash = strrchr(path, '/');
	char file[PATH_SIZE];
	int n = snprintf(file, sizeof(file), "%s/%s",
	    strcmp(dir, "/") != 0 ? dir : "", slash != NULL ? slash + 1 : path);
	const char *copy = n >= 0 && n < PATH_SIZE ?
	    arena_text(conf->arena, span_str(file)) : "";

	if (copy == NULL)
		return ERR_NOMEM;
	conf->file = copy;
	return OK;
}

/* Rules between values are looked at only when each of them is right. */
static enum err
load_tree(struct conf *conf, const char *dir, const struct yaml_node *root,
    struct conf_report *report)
{
	struct loader l = {
		.report = report, .scope = { conf->arena, dir }
	};
	enum err e;

	report->has_keys = root != NULL && root->kind == YAML_MAP &&
	    root->first != NULL;
	if (root != NULL && root->kind == YAML_MAP)
		load_map(&l, &conf_schema_main, root, "", conf);
	else if (root != NULL && !root->is_empty)
		COMPLAIN(&l, root->place, "expected keys and values such as "
		    "`hostname: mail.example.org`");
	if (l.e != OK)
		return l.e;
	if (report->n_errors == 0) {
		if ((e = conf_rules_fill(conf, &l.places, report)) != OK)
			return e;
		conf_rules_check(conf, root, &l.places, report);
	}
	return report->n_errors == 0 ? OK : ERR_SYNTAX;
}

/* The tree lives until the struct is made; texts are copied from it. */
static enum err
load_bytes(struct span bytes, const char *dir, struct conf_report *report,
    struct arena *arena, struct conf **out)
{
	/* stays NULL for a file without anything: all defaults */
	struct yaml_node *root = NULL;
	struct conf *conf;
	enum err e;

	if ((e = yaml_tree_read(bytes, arena, report, &root)) != OK ||
	    (e = conf_new(&conf)) != OK)
		return e;
	e = set_file(conf, dir, report->path);
	if (e == OK)
		e = load_tree(conf, dir, root, report);
	if (e != OK) {
		conf_free(&conf);
		return e;
	}
	*out = conf;
	return OK;
}

/* REPORT borrows the bytes for the time of the call, to quote lines of
 * them. */
enum err
conf_load(struct span bytes, const char *dir, struct conf_report *report,
    struct conf **out)
{
	struct arena *arena = arena_new(YAML_TREE_MEMORY_MAX);
	enum err e;

	report->bytes = bytes;
	if (bytes.n > CONF_LOAD_MAX) {
		conf_report_add(report, CONF_ERROR,
		    (struct conf_place){ 0, 0 },
		    "larger than %d bytes", CONF_LOAD_MAX);
		e = ERR_SYNTAX;
	} else {
		e = arena == NULL ? ERR_NOMEM :
		    load_bytes(bytes, dir, report, arena, out);
	}
	if (e == ERR_NOMEM)
		conf_report_add(report, CONF_ERROR,
		    (struct conf_place){ 0, 0 }, "no memory");
	report->bytes = SPAN_NONE;
	arena_free(&arena);
	return e;
}

/* The absolute folder of PATH, which may be relative to where we are. */
static bool
find_folder(const char *path, char out[PATH_SIZE])
{
	const char *slash = strrchr(path, '/');
	int n = slash != NULL ? (int)(slash - path) : 0, size;
	char here[PATH_SIZE] = "";

	if (path[0] != '/' && getcwd(here, sizeof(here)) == NULL)
		return false;
	size = snprintf(out, PATH_SIZE, "%s%s%.*s", here,
	    here[0] != '\0' && n > 0 ? "/" : "", n, path);
	return size >= 0 && size < PATH_SIZE;
}

/* The report has the path in front of each line; WHY has it, too. */
static enum err
complain_file(struct conf_report *report, const char *path, const char *text)
{
	size_t n = strlen(path);

	if (strncmp(text, path, n) == 0 && strncmp(text + n, ": ", 2) == 0)
		text += n + 2;
	conf_report_add(report, CONF_ERROR, (struct conf_place){ 0, 0 },
	    "%s", text);
	return ERR_IO;
}

/* DIR is where the file is: relative paths in it mean files beside it. */
enum err
conf_load_file(const char *path, struct conf_report *report,
    struct conf **out)
{
	char dir[PATH_SIZE];
	struct why why = { "" };
	struct buf bytes;
	enum err e;

	if (strlen(path) >= PATH_SIZE || !find_folder(path, dir))
		return complain_file(report, path,
		    "its folder can't be found");
	buf_init(&bytes, CONF_LOAD_MAX + 1);
	e = file_read(AT_FDCWD, path, CONF_LOAD_MAX + 1, &bytes, &why);
	if (e == OK)
		e = conf_load(buf_span(&bytes), dir, report, out);
	else
		e = complain_file(report, path, why.text[0] != '\0' ?
		    why.text : err_text(e));
	buf_clear(&bytes);
	return e;
}
