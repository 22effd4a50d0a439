/*
 * A YAML document as a tree of texts with their places.
 *
 * Bounded in nodes and depth.  Scalars are texts, quoted or not: no type is
 * guessed (`no` and `010` are what they look like).  Anchors, aliases, tags and
 * a second document are refused.  Duplicate keys are for the user to find:
 * he knows which keys there are.
 */
#ifndef MTAD_CONFLOAD_YAML_TREE_H
#define MTAD_CONFLOAD_YAML_TREE_H

#include "common/base/arena.h"
#include "common/confload/conf_report.h"

#define YAML_TREE_NODES_MAX 300000
#define YAML_TREE_DEPTH_MAX 16
#define YAML_TREE_MEMORY_MAX ((size_t)96 * 1024 * 1024)	/* bytes */

enum yaml_kind { YAML_TEXT, YAML_LIST, YAML_MAP };

struct yaml_node {
	enum yaml_kind kind;
	bool is_empty;		/* a text of nothing, ~ or null, unquoted */
	struct conf_place place;
	struct span text;	/* of TEXT */
	struct span key;	/* of a map's element */
	struct conf_place key_place;
	size_t n;		/* elements of LIST and MAP */
	struct yaml_node *first, *next;
};

/* Everything of the tree comes from ARENA, also the texts.  *ROOT is NULL for
 * a file without a document.  ERR_SYNTAX with the reason in REPORT,
 * ERR_NOMEM. */
enum err yaml_tree_read(struct span bytes, struct arena *arena,
    struct conf_report *report, struct yaml_node **root);

#endif
