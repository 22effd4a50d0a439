#include "common/conf/conf_rule.h"

#include "common/base/units.h"

static const char *const signs[] = {
	[CONF_BOUND_NONE] = "",
	[CONF_BOUND_ABOVE] = ">",
	[CONF_BOUND_AT_LEAST] = ">=",
	[CONF_BOUND_BELOW] = "<",
	[CONF_BOUND_AT_MOST] = "<=",
};

static struct span
trim(struct span text)
{
	while (text.n > 0 && text.p[0] == ' ')
		text = span_from(text, 1);
	while (text.n > 0 && text.p[text.n - 1] == ' ')
		text.n--;
	return text;
}

/* A number alone could mean either side of it. */
enum err
conf_rule_parse_bound(struct span text, struct conf_bound *out,
    struct why *why)
{
	struct conf_bound bound = { .is = CONF_BOUND_NONE };
	bool has_equal;

	if (text.n > 0 && (text.p[0] == '>' || text.p[0] == '<')) {
		has_equal = text.n > 1 && text.p[1] == '=';
		if (text.p[0] == '>')
			bound.is = has_equal ? CONF_BOUND_AT_LEAST :
			    CONF_BOUND_ABOVE;
		else
			bound.is = has_equal ? CONF_BOUND_AT_MOST :
			    CONF_BOUND_BELOW;
		text = trim(span_from(text, has_equal ? 2 : 1));
	}
	if (bound.is == CONF_BOUND_NONE ||
	    units_parse_bytes(text, &bound.bytes) != OK)
		return why_set(why, ERR_SYNTAX, "expected >, >=, < or <= and "
		    "a size, such as \">10MiB\" or \"<=64KiB\"");
	*out = bound;
	return OK;
}

/* RFC 5322 section 2.2: printable ASCII but the colon. */
static bool
is_field_name(struct span name)
{
	for (size_t i = 0; i < name.n; i++)
		if (name.p[i] <= ' ' || name.p[i] >= 0x7f)
			return false;
	return name.n > 0 && name.n <= CONF_HEADER_NAME_MAX;
}

static bool
is_line(struct span text)
{
	for (size_t i = 0; i < text.n; i++)
		if (text.p[i] < ' ' || text.p[i] == 0x7f)
			return false;
	return true;
}

enum err
conf_rule_parse_header(struct span text, const struct conf_scope *scope,
    struct conf_header *out, struct why *why)
{
	const size_t colon = span_find(text, ':');
	const struct span name = span_sub(text, 0, colon);
	const struct span glob = trim(span_from(text, colon + 1));
	struct conf_header header;

	if (colon == text.n || !is_field_name(name) || !is_line(glob))
		return why_set(why, ERR_SYNTAX, "expected a field's name, a "
		    "colon and a pattern, such as \"X-Route: bulk*\"");
	header.name = arena_text(scope->arena, name);
	header.glob = arena_text(scope->arena, glob);
	if (header.name == NULL || header.glob == NULL)
		return ERR_NOMEM;
	*out = header;
	return OK;
}

void
conf_rule_print_bound(const struct conf_bound *bound, struct buf *out)
{
	char text[UNITS_TEXT_SIZE];

	if (bound->is == CONF_BOUND_NONE)
		return;
	units_format_bytes(bound->bytes, text);
	buf_addf(out, "%s%s", signs[bound->is], text);
}

void
conf_rule_print_header(const struct conf_header *header, struct buf *out)
{
	buf_addf(out, "%s: %s", header->name, header->glob);
}
