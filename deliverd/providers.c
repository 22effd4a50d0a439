#include "deliverd/providers.h"

#include "common/base/arena.h"
#include "common/base/glob.h"

#include <stdlib.h>

struct pattern {
	const char *mx;
	uint32_t mails;
};

struct providers {
	struct arena *arena;
	struct pattern *patterns;
	size_t n;
};

/* Also of those that say nothing: they may stand before others. */
static enum err
add_patterns(struct providers *p, const struct conf_provider *from)
{
	for (size_t i = 0; i < from->mx.n; i++) {
		struct pattern *to = &p->patterns[p->n];

		to->mx = arena_text(p->arena, span_str(from->mx.v[i]));
		if (to->mx == NULL)
			return ERR_NOMEM;
		to->mails = from->messages_per_connection;
		p->n++;
	}
	return OK;
}

enum err
providers_new(const struct conf *conf, struct providers **out)
{
	struct providers *p = calloc(1, sizeof(*p));
	size_t n = 0;
	enum err e = OK;

	if (p == NULL)
		return ERR_NOMEM;
	for (size_t i = 0; i < conf->providers.n; i++)
		n += conf->providers.v[i].mx.n;
	p->arena = arena_new(SIZE_MAX);
	p->patterns = calloc(n > 0 ? n : 1, sizeof(p->patterns[0]));
	if (p->arena == NULL || p->patterns == NULL)
		e = ERR_NOMEM;
	for (size_t i = 0; e == OK && i < conf->providers.n; i++)
		e = add_patterns(p, &conf->providers.v[i]);
	if (e != OK) {
		providers_free(&p);
		return e;
	}
	*out = p;
	return OK;
}

void
providers_free(struct providers **p)
{
	if (*p == NULL)
		return;
	arena_free(&(*p)->arena);
	free((*p)->patterns);
	free(*p);
	*p = NULL;
}

uint32_t
providers_mails(const struct providers *p, struct span host)
{
	for (size_t i = 0; i < p->n; i++)
		if (glob_match(span_str(p->patterns[i].mx), host))
			return p->patterns[i].mails;
	return 0;
}
