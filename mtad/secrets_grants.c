#include "mtad/secrets_grants.h"

#include "common/conf/conf.h"
#include "common/ipc/messages.h"
#include "mtad/secrets_file.h"

#include <string.h>

#define CLIENT_SECRET_MAX	((size_t)1024)	/* as in messages.def */
#define REFRESH_MAX		((size_t)4096)

/* As deliverd asks for it (common/route). */
static const char *
name_of(const struct conf_route *route)
{
	return route->auth_refresh_token_file[0] != '\0' ?
	    route->auth_refresh_token_file : route->auth_client_secret_file;
}

static bool
is_same(const struct conf_route *a, const struct conf_route *b)
{
	return strcmp(a->auth_token_url, b->auth_token_url) == 0 &&
	    strcmp(a->auth_client_id, b->auth_client_id) == 0 &&
	    strcmp(a->auth_client_secret_file, b->auth_client_secret_file) ==
	    0 && strcmp(a->auth_scope, b->auth_scope) == 0;
}

/* The rule before I that has its file, or NULL. */
static const struct conf_route *
find_same(const struct conf *conf, size_t i)
{
	for (size_t k = 0; k < i; k++) {
		const struct conf_route *route = &conf->routes.v[k];

		if (route->auth_token_url[0] != '\0' && strcmp(name_of(route),
		    name_of(&conf->routes.v[i])) == 0)
			return route;
	}
	return NULL;
}

static enum err
read_line(const char *path, size_t max, struct buf *file, struct span *out,
    struct why *why)
{
	buf_init(file, 0);
	*out = SPAN_NONE;
	return path[0] == '\0' ? OK :
	    secrets_file_line(path, max, file, out, why);
}

static enum err
add_grant(struct secrets *s, const struct conf_route *route, struct why *why)
{
	struct msg_hop_grant row = {
		.name = span_str(name_of(route)),
		.url = span_str(route->auth_token_url),
		.client_id = span_str(route->auth_client_id),
		.scope = span_str(route->auth_scope),
	};
	struct buf client, refresh;
	enum err e, e2;

	e = read_line(route->auth_client_secret_file, CLIENT_SECRET_MAX,
	    &client, &row.client_secret, why);
	e2 = read_line(route->auth_refresh_token_file, REFRESH_MAX, &refresh,
	    &row.refresh_token, e == OK ? why : NULL);
	if (e == OK)
		e = e2;
	if (e == OK) {
		msg_put_hop_grant(&s->grants, &row);
		s->grant_count++;
		if (buf_failed(&s->grants))
			e = why_set(why, ERR_NOMEM, "no memory for secrets");
	}
	secrets_file_wipe(&client);
	secrets_file_wipe(&refresh);
	return e;
}

static enum err
add_rule(struct secrets *s, const struct conf *conf, size_t i, struct why *why)
{
	const struct conf_route *route = &conf->routes.v[i];
	const struct conf_route *same = find_same(conf, i);

	if (same != NULL && !is_same(same, route))
		return why_set(why, ERR_SYNTAX, "%s: rules that name it must "
		    "have the same auth.token_url, client_id, "
		    "client_secret_file and scope", name_of(route));
	if (same != NULL)
		return OK;
	if (s->grant_count == SECRETS_GRANTS)
		return why_set(why, ERR_RANGE, "routes[].auth.token_url: more "
		    "than %d", SECRETS_GRANTS);
	/* rows that move leave their secrets behind */
	if (s->grant_count == 0 &&
	    buf_reserve(&s->grants, SECRETS_GRANTS_MAX) == NULL)
		return why_set(why, ERR_NOMEM, "no memory for secrets");
	return add_grant(s, route, why);
}

enum err
secrets_grants_read(struct secrets *s, const struct conf *conf, struct why *why)
{
	enum err e = OK;

	for (size_t i = 0; i < conf->routes.n && e == OK; i++)
		if (conf->routes.v[i].auth_token_url[0] != '\0')
			e = add_rule(s, conf, i, why);
	return e;
}

enum err
secrets_grants_renew(struct secrets *s, struct span name,
    struct span refresh_token)
{
	struct msg_list rows = { s->grant_count, buf_span(&s->grants) };
	struct msg_hop_grant row;
	struct buf renewed;

	buf_init(&renewed, SECRETS_GRANTS_MAX);
	if (buf_reserve(&renewed, SECRETS_GRANTS_MAX) == NULL)
		return ERR_NOMEM;
	while (msg_next_hop_grant(&rows, &row)) {
		if (span_equal(row.name, name))
			row.refresh_token = refresh_token;
		msg_put_hop_grant(&renewed, &row);
	}
	if (buf_failed(&renewed)) {
		secrets_file_wipe(&renewed);
		return ERR_NOMEM;
	}
	secrets_file_wipe(&s->grants);
	s->grants = renewed;
	return OK;
}
