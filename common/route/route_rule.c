#include "common/route/route_rule.h"

#include "common/mail/status.h"

#define MANNER_MAX (64 * 1024)	/* before it is cut to a key's size */

#define PORT_SMTPS 465
#define PORT_LMTP 24		/* RFC 2033 section 5: any but 25 */

/* RFC 8314 section 7.3 gave 465 to submission over TLS. */
static uint16_t
port_of(const struct conf_target *target, const struct conf *conf)
{
	if (target->port != 0)
		return target->port;
	switch (target->scheme) {
	case CONF_SCHEME_SMTPS:
		return PORT_SMTPS;
	case CONF_SCHEME_LMTP:
		return PORT_LMTP;
	default:
		return (uint16_t)conf->deliver.port;
	}
}

static enum err
copy_text(struct arena *arena, const char *text, const char **out)
{
	*out = arena_text(arena, span_str(text));
	return *out != NULL ? OK : ERR_NOMEM;
}

/* With the port that will be used, so that nobody else has to know
 * defaults. */
static enum err
set_targets(struct arena *arena, const struct conf *conf,
    const struct conf_targets *via, struct route *route)
{
	struct route_target *targets = arena_alloc(arena, via->n,
	    sizeof(*targets));

	if (targets == NULL)
		return ERR_NOMEM;
	for (size_t i = 0; i < via->n; i++) {
		const struct conf_target *from = &via->v[i];

		targets[i].scheme = from->scheme;
		targets[i].is_address = from->is_address;
		targets[i].ip = from->ip;
		targets[i].port = port_of(from, conf);
		if (copy_text(arena, from->user, &targets[i].user) != OK ||
		    copy_text(arena, from->host, &targets[i].host) != OK)
			return ERR_NOMEM;
	}
	route->targets = targets;
	route->n_targets = via->n;
	return OK;
}

/* Once here, and not for each recipient. */
static enum err
set_manner(struct arena *arena, struct route *route)
{
	struct buf manner;

	buf_init(&manner, MANNER_MAX);
	route_manner(route, &manner);
	route->manner = buf_failed(&manner) ? NULL :
	    arena_text(arena, buf_span(&manner));
	buf_clear(&manner);
	return route->manner != NULL ? OK : ERR_NOMEM;
}

/* Of the two retry times the one that a rule gives drags the other along. */
static void
set_retry(const struct conf *conf, const struct conf_route *rule,
    struct route_policy *p)
{
	p->first_retry_ms = conf->queue.first_retry_ms;
	p->max_retry_ms = conf->queue.max_retry_ms;
	p->warn_ms = conf->queue.warn_ms;
	p->expire_ms = conf->queue.expire_ms;
	if (rule == NULL)
		return;
	if (rule->retry_first_ms >= 0)
		p->first_retry_ms = rule->retry_first_ms;
	if (rule->retry_max_ms >= 0)
		p->max_retry_ms = rule->retry_max_ms;
	if (rule->retry_warn_ms >= 0)
		p->warn_ms = rule->retry_warn_ms;
	if (rule->retry_expire_ms >= 0)
		p->expire_ms = rule->retry_expire_ms;
	if (p->first_retry_ms <= p->max_retry_ms)
		return;
	if (rule->retry_max_ms >= 0)
		p->first_retry_ms = p->max_retry_ms;
	else
		p->max_retry_ms = p->first_retry_ms;
}

static enum conf_eight_bit
eight_bit_of(const struct conf *conf, const struct conf_route *rule)
{
	switch (rule == NULL ? CONF_ROUTE_EIGHT_BIT_DELIVER : rule->eight_bit) {
	case CONF_ROUTE_EIGHT_BIT_CONVERT:
		return CONF_EIGHT_BIT_CONVERT;
	case CONF_ROUTE_EIGHT_BIT_CONVERT_UNSIGNED:
		return CONF_EIGHT_BIT_CONVERT_UNSIGNED;
	case CONF_ROUTE_EIGHT_BIT_RETURN:
		return CONF_EIGHT_BIT_RETURN;
	case CONF_ROUTE_EIGHT_BIT_PASS:
		return CONF_EIGHT_BIT_PASS;
	case CONF_ROUTE_EIGHT_BIT_DELIVER:
		break;
	}
	return conf->deliver.eight_bit;
}

static enum conf_doubt
doubt_of(const struct conf *conf, const struct conf_route *rule)
{
	if (rule == NULL || rule->in_doubt == CONF_ROUTE_DOUBT_QUEUE)
		return conf->queue.in_doubt;
	return rule->in_doubt == CONF_ROUTE_DOUBT_HOLD ? CONF_DOUBT_HOLD :
	    CONF_DOUBT_RETRY;
}

static enum err
set_policy(struct arena *arena, const struct conf *conf,
    const struct conf_route *rule, struct route *route)
{
	struct route_policy *p = arena_alloc(arena, 1, sizeof(*p));

	if (p == NULL)
		return ERR_NOMEM;
	set_retry(conf, rule, p);
	p->eight_bit = eight_bit_of(conf, rule);
	p->in_doubt = doubt_of(conf, rule);
	p->connections = conf->deliver.connections;
	p->mails = conf->deliver.messages_per_connection;
	p->window = conf->deliver.window;
	p->rate = conf->deliver.rate;
	if (rule != NULL && rule->limits_connections > 0)
		p->connections = rule->limits_connections;
	if (rule != NULL && rule->limits_messages_per_connection > 0)
		p->mails = rule->limits_messages_per_connection;
	if (rule != NULL && rule->limits_window > 0)
		p->window = rule->limits_window;
	if (rule != NULL && rule->limits_rate.period_ms > 0)
		p->rate = rule->limits_rate;
	route->policy = p;
	return OK;
}

/* RFC 3463: 5.7.1 is "not by this policy". */
static enum err
set_text(struct arena *arena, const struct conf_route *rule,
    struct route *route)
{
	struct status status = STATUS(5, 7, 1);
	const size_t n = status_take(span_str(rule->text), 550, &status);

	if (rule->via.v[0].scheme != CONF_SCHEME_REFUSE)
		return OK;
	status_format(status, route->status);
	return copy_text(arena, rule->text[n] != '\0' ? rule->text + n :
	    "mail is refused by a rule of this server", &route->text);
}

/* As the parent tells keyd. */
static const char *
secret_name(const struct conf_route *rule)
{
	if (rule->auth_token_url[0] == '\0')
		return rule->auth_password_file;
	return rule->auth_refresh_token_file[0] != '\0' ?
	    rule->auth_refresh_token_file : rule->auth_client_secret_file;
}

static enum err
set_credential(struct arena *arena, const struct conf_route *rule,
    struct route *route)
{
	enum err e = copy_text(arena, rule->auth_user, &route->auth_user);

	route->auth_mechanism = rule->auth_mechanism;
	route->has_token = rule->auth_token_url[0] != '\0';
	if (e == OK)
		e = copy_text(arena, secret_name(rule), &route->auth_secret);
	return e == OK ? copy_text(arena, rule->tls_certificate,
	    &route->certificate) : e;
}

enum err
route_rule_make(struct arena *arena, const struct conf *conf,
    const struct conf_route *rule, uint32_t index, struct route *out)
{
	struct conf_target mx = { .user = "", .host = "" };
	const struct conf_targets by_mx = { &mx, 1 };
	struct route route = {
		.index = index,
		.tls = CONF_ROUTE_TLS_OPPORTUNISTIC_DANE_STS,
		.auth_user = "", .auth_secret = "", .certificate = "",
		.text = "",
		.to = rule == NULL ? "*" : "", .from = rule == NULL ? "*" : "",
	};
	enum err e = OK;

	if (rule != NULL) {
		if (rule->to.n == 0 || rule->from.n == 0 || rule->via.n == 0)
			return ERR_SYNTAX;
		route.tls = rule->tls;
		if ((e = set_text(arena, rule, &route)) != OK)
			return e;
		e = set_credential(arena, rule, &route);
	}
	if (e != OK || (e = set_targets(arena, conf, rule != NULL ?
	    &rule->via : &by_mx, &route)) != OK ||
	    (e = set_policy(arena, conf, rule, &route)) != OK ||
	    (e = route_way_make(arena, conf, rule, &route.way)) != OK ||
	    (e = set_manner(arena, &route)) != OK)
		return e;
	*out = route;
	return OK;
}
