/*
 * YAML in, a tree of texts out, with the place of each.  Only the plain part
 * of YAML is taken: maps, lists, scalars, one document.  Anchors, aliases,
 * tags and complex keys are refused, since nobody configures by them and they
 * are where surprises and bombs are (I-05).
 *
 * libyaml gives events; the tree is built by a stack of open levels, bounded
 * in depth, and nodes come from an arena, bounded in count and bytes.
 */
#include "common/confload/yaml_tree.h"

#include <yaml.h>

#include "common/base/check.h"

/* What is open while events come in: the chain from the root. */
struct level {
	struct yaml_node *node;
	struct yaml_node **end;		/* where its next element goes */
	bool has_key;			/* of a map: its value is due */
	struct span key;
	struct conf_place key_place;
};

struct reader {
	yaml_parser_t parser;
	struct arena *arena;
	struct conf_report *report;
	struct yaml_node *root;
	struct level levels[YAML_TREE_DEPTH_MAX];
	size_t depth;
	size_t nodes;
	bool is_done;
};

/* libyaml counts from 0, people from 1. */
static struct conf_place
place_of(const yaml_mark_t *mark)
{
	return (struct conf_place){
		(uint32_t)mark->line + 1, (uint32_t)mark->column + 1
	};
}

/* For `return refuse(...)`: the remark is made, the error is what ends. */
static enum err
refuse(struct reader *r, struct conf_place place, const char *text)
{
	conf_report_add(r->report, CONF_ERROR, place, "%s", text);
	return ERR_SYNTAX;
}

/* `*` begins an alias in YAML, and half of our addresses. */
static enum err
refuse_alias(struct reader *r, struct conf_place place)
{
	return refuse(r, place, "a value that begins with '*' needs quotes "
	    "(\"*\"), and YAML's anchors and aliases are not used here");
}

/* What YAML calls null; in quotes it is a text like any other. */
static bool
is_empty_text(const yaml_event_t *event)
{
	struct span text = span_of(event->data.scalar.value,
	    event->data.scalar.length);

	return event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
	    (text.n == 0 || span_equal(text, SPAN_LIT("~")) ||
	    span_equal_nocase(text, SPAN_LIT("null")));
}

/* The element of the innermost open list or map, or the root. */
static enum err
attach(struct reader *r, struct yaml_node *node)
{
	struct level *level;

	if (r->depth == 0) {
		r->root = node;
		return OK;
	}
	level = &r->levels[r->depth - 1];
	if (level->node->kind == YAML_MAP) {
		MUST(level->has_key);
		node->key = level->key;
		node->key_place = level->key_place;
		level->has_key = false;
	}
	*level->end = node;
	level->end = &node->next;
	level->node->n++;
	return OK;
}

/* The arena is bounded, too, but a count can be explained. */
static enum err
add_node(struct reader *r, enum yaml_kind kind, struct conf_place place,
    struct yaml_node **out)
{
	struct yaml_node *node;

	if (++r->nodes > YAML_TREE_NODES_MAX)
		return refuse(r, place, "too many values in one file");
	node = arena_alloc(r->arena, 1, sizeof(*node));
	if (node == NULL)
		return ERR_NOMEM;
	node->kind = kind;
	node->place = place;
	*out = node;
	return attach(r, node);
}

/* Whether what comes now is a key of the innermost map. */
static bool
awaits_key(const struct reader *r)
{
	const struct level *level;

	if (r->depth == 0)
		return false;
	level = &r->levels[r->depth - 1];
	return level->node->kind == YAML_MAP && !level->has_key;
}

/* A key is kept with the level until its value comes. */
static enum err
take_text(struct reader *r, const yaml_event_t *event)
{
	struct conf_place place = place_of(&event->start_mark);
	size_t n = event->data.scalar.length;
	struct yaml_node *node;
	enum err e;
	char *copy = arena_text(r->arena, span_of(event->data.scalar.value,
	    n));

	if (copy == NULL)
		return ERR_NOMEM;
	if (event->data.scalar.tag != NULL)
		return refuse(r, place, "YAML's tags are not used here");
	/* "\0" in quotes: texts are C strings from here on */
	if (memchr(copy, '\0', n) != NULL)
		return refuse(r, place, "a NUL has no place here");
	if (awaits_key(r)) {
		struct level *level = &r->levels[r->depth - 1];

		level->has_key = true;
		level->key = span_of(copy, n);
		level->key_place = place;
		return OK;
	}
	if ((e = add_node(r, YAML_TEXT, place, &node)) != OK)
		return e;
	node->text = span_of(copy, n);
	node->is_empty = is_empty_text(event);
	return OK;
}

/* A list or map begins: it is the value that its own level waited for. */
static enum err
open_level(struct reader *r, enum yaml_kind kind, const yaml_event_t *event)
{
	struct conf_place place = place_of(&event->start_mark);
	bool has_tag = kind == YAML_MAP ?
	    event->data.mapping_start.tag != NULL :
	    event->data.sequence_start.tag != NULL;
	struct yaml_node *node;
	enum err e;

	if (has_tag)
		return refuse(r, place, "YAML's tags are not used here");
	if (awaits_key(r))
		return refuse(r, place, "a key is a plain word");
	if (r->depth == YAML_TREE_DEPTH_MAX)
		return refuse(r, place, "nested too deeply");
	if ((e = add_node(r, kind, place, &node)) != OK)
		return e;
	r->levels[r->depth++] = (struct level){
		.node = node, .end = &node->first
	};
	return OK;
}

/* libyaml tells of a second one after the first is complete. */
static enum err
open_document(struct reader *r, const yaml_event_t *event)
{
	if (r->nodes > 0)
		return refuse(r, place_of(&event->start_mark),
		    "a second document; there can be one only");
	return OK;
}

/* Aliases make bombs of a few lines; without anchors there are none. */
static bool
has_anchor(const yaml_event_t *event)
{
	switch (event->type) {
	case YAML_SCALAR_EVENT:
		return event->data.scalar.anchor != NULL;
	case YAML_SEQUENCE_START_EVENT:
		return event->data.sequence_start.anchor != NULL;
	case YAML_MAPPING_START_EVENT:
		return event->data.mapping_start.anchor != NULL;
	default:
		return event->type == YAML_ALIAS_EVENT;
	}
}

static enum err
take(struct reader *r, const yaml_event_t *event)
{
	if (has_anchor(event))
		return refuse_alias(r, place_of(&event->start_mark));
	switch (event->type) {
	case YAML_STREAM_END_EVENT:
		r->is_done = true;
		return OK;
	case YAML_DOCUMENT_START_EVENT:
		return open_document(r, event);
	case YAML_SCALAR_EVENT:
		return take_text(r, event);
	case YAML_SEQUENCE_START_EVENT:
		return open_level(r, YAML_LIST, event);
	case YAML_MAPPING_START_EVENT:
		return open_level(r, YAML_MAP, event);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		MUST(r->depth > 0);
		r->depth--;
		return OK;
	default:
		return OK;
	}
}

/* What libyaml says, and what it most often means. */
static enum err
explain(struct reader *r)
{
	const yaml_parser_t *p = &r->parser;
	const char *problem = p->problem != NULL ? p->problem : "not YAML";
	struct conf_place place = place_of(&p->problem_mark);

	if (p->error == YAML_MEMORY_ERROR)
		return ERR_NOMEM;
	if (p->error == YAML_READER_ERROR) {
		conf_report_add(r->report, CONF_ERROR,
		    (struct conf_place){ 0, 0 },
		    "not UTF-8 text: %s at byte %zu", problem,
		    p->problem_offset);
		return ERR_SYNTAX;
	}
	if (p->context != NULL && (strstr(p->context, "alias") != NULL ||
	    strstr(p->context, "anchor") != NULL))
		return refuse_alias(r, place_of(&p->context_mark));
	if (p->error == YAML_SCANNER_ERROR &&
	    strstr(problem, "start any token") != NULL)
		problem = "YAML allows no tab for indentation, and a value "
		    "that begins with @ ` or % needs quotes";
	if (p->context != NULL && p->context_mark.line > 0)
		conf_report_add(r->report, CONF_ERROR, place,
		    "%s (%s from line %zu)", problem, p->context,
		    p->context_mark.line + 1);
	else
		conf_report_add(r->report, CONF_ERROR, place, "%s", problem);
	return ERR_SYNTAX;
}

static enum err
read_events(struct reader *r)
{
	enum err e = OK;

	while (e == OK && !r->is_done) {
		yaml_event_t event;

		if (!yaml_parser_parse(&r->parser, &event))
			return explain(r);
		e = take(r, &event);
		yaml_event_delete(&event);
	}
	return e;
}

enum err
yaml_tree_read(struct span bytes, struct arena *arena,
    struct conf_report *report, struct yaml_node **root)
{
	struct reader r = { .arena = arena, .report = report };
	enum err e;

	if (!yaml_parser_initialize(&r.parser))
		return ERR_NOMEM;
	yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&r.parser, bytes.p, bytes.n);
	e = read_events(&r);
	yaml_parser_delete(&r.parser);
	if (e == OK)
		*root = r.root;
	return e;
}
