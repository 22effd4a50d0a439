#include "common/route/route_way.h"

#include "common/base/text.h"
#include "common/conf/conf_schema.h"
#include "common/conf/conf_value.h"

/* Each is one address: conf_load refuses other networks. */
static enum err
set_sources(struct arena *arena, const struct conf_networks *from,
    struct route_way *way)
{
	struct ipaddr *sources = arena_alloc(arena, from->n, sizeof(*sources));

	if (sources == NULL)
		return ERR_NOMEM;
	for (size_t i = 0; i < from->n; i++)
		sources[i] = from->v[i].addr;
	way->sources = sources;
	way->n_sources = from->n;
	return OK;
}

static enum err
set_sender(struct arena *arena, const struct conf_route *rule,
    struct route_way *way)
{
	const char **masks;

	if (rule == NULL)
		return OK;
	masks = arena_alloc(arena, rule->masquerade.n, sizeof(*masks));
	if (masks == NULL)
		return ERR_NOMEM;
	for (size_t i = 0; i < rule->masquerade.n; i++)
		if ((masks[i] = arena_text(arena,
		    span_str(rule->masquerade.v[i]))) == NULL)
			return ERR_NOMEM;
	way->masquerade = masks;
	way->n_masquerade = rule->masquerade.n;
	way->srs = arena_text(arena, span_str(rule->srs));
	return way->srs != NULL ? OK : ERR_NOMEM;
}

enum err
route_way_make(struct arena *arena, const struct conf *conf,
    const struct conf_route *rule, const struct route_way **out)
{
	struct route_way *way = arena_alloc(arena, 1, sizeof(*way));

	if (way == NULL)
		return ERR_NOMEM;
	*way = (struct route_way){
		.helo = "", .srs = "", .share = 1, .family = conf->deliver.address_family,
		.has_sources = rule != NULL && rule->source.n > 0,
		.has_family = rule != NULL &&
		    rule->address_family != CONF_FAMILY_ANY,
	};
	if (way->has_family)
		way->family = rule->address_family;
	if (rule != NULL && rule->share > 0)
		way->share = rule->share;
	if (rule != NULL &&
	    (way->helo = arena_text(arena, span_str(rule->helo))) == NULL)
		return ERR_NOMEM;
	if (set_sender(arena, rule, way) != OK)
		return ERR_NOMEM;
	*out = way;
	return set_sources(arena, way->has_sources ? &rule->source :
	    &conf->deliver.source, way);
}

void
route_way_manner(const struct route_way *way, struct buf *out)
{
	char text[IPADDR_TEXT_SIZE];

	if (way->share > 1)
		buf_addf(out, ";share=%u", (unsigned)way->share);
	if (way->helo[0] != '\0')
		buf_addf(out, ";helo=%s", way->helo);
	for (size_t i = 0; way->has_sources && i < way->n_sources; i++) {
		ipaddr_format(&way->sources[i], text);
		buf_addf(out, "%s%s", i == 0 ? ";source=" : ",", text);
	}
	if (way->has_family) {
		buf_add_str(out, ";family=");
		conf_value_print(CONF_TYPE_FAMILY, &way->family, out);
	}
}
