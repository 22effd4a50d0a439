/*
 * What the schema can't say of one value alone: defaults that depend on the
 * host or on another value, and values that contradict each other.  What
 * surely breaks is an error; what is seldom meant is a warning.
 */
#include "common/confload/conf_rules.h"

#include <stdio.h>
#include <unistd.h>

#include "common/base/check.h"
#include "common/base/text.h"
#include "common/base/utf8.h"
#include "common/conf/conf_name.h"
#include "common/conf/conf_wire.h"
#include "common/confload/conf_credential.h"
#include "common/confload/conf_rules_way.h"
#include "common/mail/status.h"

#define NO_PLACE ((struct conf_place){ 0, 0 })

/* Where a key was set; line 0 when it is a default. */
static struct conf_place
place_of(const struct conf_places *places, const char *key)
{
	const struct conf_row *row = conf_schema_find(&conf_schema_main,
	    span_str(key));

	/* the keys asked for are literals in this file */
	MUST(row != NULL);
	return places->v[row - conf_schema_main.rows];
}

/* Written in the file, as opposed to a default. */
static bool
is_set(const struct conf_places *places, const char *key)
{
	return place_of(places, key).line > 0;
}

/* ---- what the host fills in ---- */

/* Without asking DNS, which may hang at start and lie later: a host that does
 * not know its full name gets a warning instead. */
static enum err
fill_hostname(struct conf *conf, const struct conf_places *places,
    struct conf_report *report)
{
	char name[256] = "";

	if (conf->hostname[0] == '\0') {
		if (gethostname(name, sizeof(name) - 1) != 0 ||
		    !conf_name_is_host(span_str(name)))
			snprintf(name, sizeof(name), "localhost");
		conf->hostname = arena_text(conf->arena, span_str(name));
		if (conf->hostname == NULL)
			return ERR_NOMEM;
	}
	if (strchr(conf->hostname, '.') == NULL)
		conf_report_add(report, CONF_WARNING,
		    place_of(places, "hostname"), "the host name '%s' has no "
		    "domain; other servers expect a full one in `hostname`",
		    conf->hostname);
	return OK;
}

/* Adds `@hostname` to a local part alone. */
static enum err
fill_postmaster(struct conf *conf)
{
	const char *local = conf->reports.postmaster;
	char mailbox[CONF_NAME_LOCAL_MAX + CONF_NAME_DOMAIN_MAX + 2];
	int n;

	if (strchr(local, '@') != NULL)
		return OK;
	n = snprintf(mailbox, sizeof(mailbox), "%s@%s",
	    local[0] != '\0' ? local : "postmaster", conf->hostname);
	MUST(n > 0 && (size_t)n < sizeof(mailbox));
	conf->reports.postmaster = arena_text(conf->arena,
	    span_str(mailbox));
	return conf->reports.postmaster != NULL ? OK : ERR_NOMEM;
}

/* Half of the cores: the other half is for the kernel, queued and the peers. */
static uint32_t
default_workers(void)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);

	return cores < 4 ? 1 : cores > 128 ? 64 : (uint32_t)cores / 2;
}

/* One of the two retry times alone drags the other along. */
static void
fill_retry(struct conf *conf, const struct conf_places *places)
{
	if (conf->queue.first_retry_ms <= conf->queue.max_retry_ms)
		return;
	if (!is_set(places, "queue.max_retry"))
		conf->queue.max_retry_ms = conf->queue.first_retry_ms;
	else if (!is_set(places, "queue.first_retry"))
		conf->queue.first_retry_ms = conf->queue.max_retry_ms;
}

/* Before the checks, which look at what will be in force. */
enum err
conf_rules_fill(struct conf *conf, const struct conf_places *places,
    struct conf_report *report)
{
	enum err e;

	if ((e = fill_hostname(conf, places, report)) != OK ||
	    (e = fill_postmaster(conf)) != OK)
		return e;
	if (conf->deliver.helo[0] == '\0')
		conf->deliver.helo = conf->hostname;
	if (conf->workers.smtpd == 0)
		conf->workers.smtpd = default_workers();
	if (conf->workers.deliverd == 0)
		conf->workers.deliverd = default_workers();
	fill_retry(conf, places);
	return OK;
}

/* ---- what holds between values ---- */

/* The node of a top-level key, or NULL. */
static const struct yaml_node *
top(const struct yaml_node *root, const char *key)
{
	const struct yaml_node *node = root != NULL ? root->first : NULL;

	while (node != NULL && !span_equal(node->key, span_str(key)))
		node = node->next;
	return node;
}

/* The place of each element in turn; of the list when it is one text. */
static struct conf_place
next_place(const struct yaml_node *list, const struct yaml_node **element)
{
	if (list == NULL)
		return NO_PLACE;
	if (list->kind != YAML_LIST)
		return list->place;
	*element = *element == NULL ? list->first : (*element)->next;
	return *element != NULL ? (*element)->place : list->place;
}

/* Only what was written is judged: a short `expire` for a test or a fax gateway
 * must not need three other keys. */
static void
check_times(const struct conf *conf, const struct conf_places *places,
    struct conf_report *report)
{
	if (conf->queue.first_retry_ms > conf->queue.max_retry_ms)
		conf_report_add(report, CONF_ERROR,
		    place_of(places, "queue.first_retry"),
		    "queue.first_retry is longer than queue.max_retry");
	if (is_set(places, "queue.warn") && conf->queue.warn_ms != 0 &&
	    conf->queue.warn_ms >= conf->queue.expire_ms)
		conf_report_add(report, CONF_WARNING,
		    place_of(places, "queue.warn"),
		    "queue.warn is not before queue.expire: nobody will be "
		    "told of a delay");
}

/* `*:25` beside 192.0.2.1:25 is another matter: the system decides on it. */
static bool
is_same_address(const struct conf_address *a, const struct conf_address *b)
{
	if (a->kind != b->kind)
		return false;
	if (a->kind == CONF_ADDRESS_UNIX)
		return strcmp(a->path, b->path) == 0;
	if (a->kind == CONF_ADDRESS_ANY)
		return a->endpoint.port == b->endpoint.port;
	return endpoint_equal(&a->endpoint, &b->endpoint);
}

static bool
is_everybody(const struct conf_networks *networks)
{
	for (size_t i = 0; i < networks->n; i++)
		if (networks->v[i].bits == 0)
			return true;
	return false;
}

/* Whoever may say that he is one of ours may do what those may. */
static void
check_claims(const struct conf_listener *listener, struct conf_place place,
    struct conf_report *report)
{
	if (is_everybody(&listener->proxy) || is_everybody(&listener->xclient))
		conf_report_add(report, CONF_WARNING, place,
		    "everybody may say that he is anybody: this is an open "
		    "relay");
}

/* Better told with the place in the file than by a bind() that fails. */
/* It takes nothing without TLS and AUTH; with one of them missing nobody could
 * hand in anything. */
static void
check_submission(const struct conf *conf, const struct conf_listener *row,
    struct conf_place place, struct conf_report *report)
{
	if (conf->tls.certificate.n == 0 ||
	    row->tls == CONF_LISTENER_TLS_NONE)
		conf_report_add(report, CONF_ERROR, place,
		    "service: submission needs TLS: tls.certificate and "
		    "tls.key, and starttls or implicit here");
	if (conf->auth.passwords[0] == '\0' &&
	    conf->auth.dovecot[0] == '\0' &&
	    conf->auth.client_ca[0] == '\0')
		conf_report_add(report, CONF_ERROR, place,
		    "service: submission needs users: auth.passwords, "
		    "auth.dovecot or auth.client_ca");
}

static void
check_listeners(const struct conf *conf, const struct yaml_node *root,
    struct conf_report *report)
{
	const struct yaml_node *list = top(root, "listeners"), *at = NULL;

	if (conf->listeners.n == 0)
		conf_report_add(report, CONF_WARNING,
		    list != NULL ? list->place : NO_PLACE,
		    "no listener: nobody can hand mail in");
	for (size_t i = 0; i < conf->listeners.n; i++) {
		struct conf_place place = next_place(list, &at);

		check_claims(&conf->listeners.v[i], place, report);
		for (size_t j = 0; j < i; j++)
			if (is_same_address(&conf->listeners.v[i].address,
			    &conf->listeners.v[j].address))
				conf_report_add(report, CONF_ERROR, place,
				    "this address is already the one of "
				    "listener %zu", j + 1);
		if (conf->listeners.v[i].tls == CONF_LISTENER_TLS_IMPLICIT &&
		    conf->tls.certificate.n == 0)
			conf_report_add(report, CONF_ERROR, place,
			    "tls: implicit needs tls.certificate and tls.key");
		if (conf->listeners.v[i].service == CONF_SERVICE_SUBMISSION)
			check_submission(conf, &conf->listeners.v[i], place,
			    report);
	}
}

/* Not an error: closed networks exist.  But nobody does it unawares. */
static void
check_networks(const struct conf *conf, const struct conf_places *places,
    struct conf_report *report)
{
	if (is_everybody(&conf->relay.networks))
		conf_report_add(report, CONF_WARNING,
		    place_of(places, "relay.networks"),
		    "everybody may send to everybody: this is an open relay");
}

/* An allowlist alone lets nobody in whom a blocklist would not keep out. */
static void
check_gate(const struct conf *conf, const struct conf_places *places,
    struct conf_report *report)
{
	if (conf->gate.allowlists.n > 0 && conf->gate.blocklists.n == 0)
		conf_report_add(report, CONF_WARNING,
		    place_of(places, "gate.allowlists"),
		    "gate.allowlists does nothing without gate.blocklists");
}

/* Whether it takes all whose addresses match. */
static bool
asks_no_more(const struct conf_route *route)
{
	return route->client.n == 0 && route->user.n == 0 &&
	    route->header.n == 0 && route->size.is == CONF_BOUND_NONE;
}

/* Names of fields are noted for all rules together, and those are few. */
static void
check_headers(const struct conf_route *route, struct conf_place place,
    struct conf_texts *names, struct conf_report *report)
{
	for (size_t i = 0; i < route->header.n; i++) {
		const char *name = route->header.v[i].name;
		size_t at = 0;

		while (at < names->n && strcasecmp(names->v[at], name) != 0)
			at++;
		if (at < names->n)
			continue;
		if (at < CONF_HEADER_NAMES_MAX)
			names->v[names->n++] = name;
		else
			conf_report_add(report, CONF_ERROR, place, "rules ask "
			    "for more than %d header fields",
			    CONF_HEADER_NAMES_MAX);
	}
}

/* A `*` among others makes the others moot. */
static bool
is_catch_all(const struct conf_texts *patterns)
{
	for (size_t i = 0; i < patterns->n; i++)
		if (strcmp(patterns->v[i], "*") == 0)
			return true;
	return false;
}

/* These are no hosts, which could share a route. */
static bool
stands_alone(const struct conf_target *target)
{
	return target->scheme == CONF_SCHEME_MX ||
	    target->scheme >= CONF_SCHEME_DISCARD;
}

/* The code at its beginning is optional, but then of a refusal for good. */
static void
check_text(const struct conf_route *route, struct conf_place place,
    struct conf_report *report)
{
	const struct span text = span_str(route->text);
	struct status status;

	if (text.n == 0)
		return;
	if (route->via.v[0].scheme != CONF_SCHEME_REFUSE)
		conf_report_add(report, CONF_ERROR, place,
		    "text is for `via: refuse`");
	if (!utf8_is_ascii(text))
		conf_report_add(report, CONF_ERROR, place,
		    "text goes into replies: no letters beyond ASCII");
	if (text_is_digit(text.p[0]) && status_take(text, 550, &status) == 0)
		conf_report_add(report, CONF_ERROR, place, "text begins with "
		    "a code that is none, or not of a refusal (5.x.y)");
}

/* Mistakes inside one rule. */
static void
check_route(const struct conf *conf, const struct conf_route *route,
    struct conf_place place, struct conf_report *report)
{
	static const char *const words[] = {
		[CONF_SCHEME_MX] = "mx", [CONF_SCHEME_DISCARD] = "discard",
		[CONF_SCHEME_REFUSE] = "refuse", [CONF_SCHEME_HOLD] = "hold",
	};

	for (size_t i = 0; route->via.n > 1 && i < route->via.n; i++)
		if (stands_alone(&route->via.v[i]))
			conf_report_add(report, CONF_ERROR, place,
			    "%s stands alone in `via`: it can't share a "
			    "route with hosts",
			    words[route->via.v[i].scheme]);
	if (route->retry_max_ms >= 0 &&
	    route->retry_first_ms > route->retry_max_ms)
		conf_report_add(report, CONF_ERROR, place,
		    "retry.first is longer than retry.max");
	check_text(route, place, report);
	conf_rules_way(conf, route, place, report);
	conf_credential_check(route, place, report);
}

/* Also that the pairs which route_table makes of the patterns stay few. */
static void
check_routes(const struct conf *conf, const struct yaml_node *root,
    struct conf_report *report)
{
	const struct yaml_node *list = top(root, "routes"), *at = NULL;
	const char *fields[CONF_HEADER_NAMES_MAX];
	struct conf_texts names = { fields, 0 };
	size_t last = SIZE_MAX, pairs = 0;

	for (size_t i = 0; i < conf->routes.n; i++) {
		const struct conf_route *route = &conf->routes.v[i];
		struct conf_place place = next_place(list, &at);

		/* lists are bounded by the schema, so neither product nor sum
		 * can wrap */
		pairs += route->to.n * route->from.n;
		if (pairs > CONF_ROUTE_PAIRS_MAX) {
			conf_report_add(report, CONF_ERROR, place,
			    "too many pairs of `to` and `from`: more than %d",
			    CONF_ROUTE_PAIRS_MAX);
			return;
		}
		check_route(conf, route, place, report);
		check_headers(route, place, &names, report);
		/* told once: all behind it are in the same case */
		if (last != SIZE_MAX) {
			conf_report_add(report, CONF_WARNING, place,
			    "never reached: route %zu takes all mail",
			    last + 1);
			return;
		}
		if (is_catch_all(&route->to) &&
		    is_catch_all(&route->from) && asks_no_more(route) &&
		    route->via.v[0].scheme != CONF_SCHEME_HOLD)
			last = i;
	}
}

/* Users are known where they authenticate; a rule without a number is one that
 * exempts whom it names. */
static void
check_quotas(const struct conf *conf, const struct yaml_node *root,
    struct conf_report *report)
{
	const struct yaml_node *list = top(root, "quotas"), *at = NULL;

	for (size_t i = 0; i < conf->quotas.n; i++) {
		const struct conf_quota *quota = &conf->quotas.v[i];
		struct conf_place place = next_place(list, &at);

		if (quota->each == CONF_EACH_NETWORK &&
		    quota->networks.n == 0)
			conf_report_add(report, CONF_ERROR, place,
			    "each: network needs `networks`, which are "
			    "counted together");
	}
}

/* What a rule says has to be of use for what it does. */
static void
check_shaping(const struct conf *conf, const struct yaml_node *root,
    struct conf_report *report)
{
	const struct yaml_node *list = top(root, "shaping"), *at = NULL;

	for (size_t i = 0; i < conf->shaping.n; i++) {
		const struct conf_shaping *rule = &conf->shaping.v[i];
		struct conf_place place = next_place(list, &at);
		bool has_limit = rule->rate.count > 0 || rule->window > 0;

		if (rule->action == CONF_SHAPE_SLOW && !has_limit)
			conf_report_add(report, CONF_ERROR, place,
			    "action: slow needs a `rate` or a `window`");
		if (rule->action != CONF_SHAPE_SLOW && has_limit)
			conf_report_add(report, CONF_WARNING, place,
			    "`rate` and `window` are for action: slow");
	}
}

/* One without exchangers has no domain. */
static void
check_providers(const struct conf *conf, const struct yaml_node *root,
    struct conf_report *report)
{
	const struct yaml_node *list = top(root, "providers"), *at = NULL;

	for (size_t i = 0; i < conf->providers.n; i++) {
		struct conf_place place = next_place(list, &at);

		if (conf->providers.v[i].mx.n == 0)
			conf_report_add(report, CONF_ERROR, place,
			    "providers[].mx is missing");
	}
}

/* Half a pair would leave a listener without the TLS that was asked for. */
static void
check_tls(const struct conf *conf, const struct conf_places *places,
    struct conf_report *report)
{
	const size_t n = conf->tls.certificate.n;

	if (n != conf->tls.key.n)
		conf_report_add(report, CONF_ERROR,
		    place_of(places, n > 0 ? "tls.certificate" : "tls.key"),
		    "tls.certificate and tls.key go together: a key for each "
		    "certificate");
	if (conf->tls.ocsp.n != 0 && conf->tls.ocsp.n != n)
		conf_report_add(report, CONF_ERROR,
		    place_of(places, "tls.ocsp"), "tls.ocsp needs a file for "
		    "each certificate, in the same order");
}

/* Who is right about a user that both know could only be guessed. */
static void
check_auth(const struct conf *conf, const struct conf_places *places,
    struct conf_report *report)
{
	if (conf->auth.passwords[0] != '\0' && conf->auth.dovecot[0] != '\0')
		conf_report_add(report, CONF_ERROR,
		    place_of(places, "auth.dovecot"),
		    "auth.passwords or auth.dovecot, not both: users are in "
		    "the file, or Dovecot knows them");
}

/* Better here, with the file at hand, than when the processes are told. */
static void
check_size(const struct conf *conf, struct conf_report *report)
{
	struct buf bytes;

	buf_init(&bytes, CONF_WIRE_MAX);
	conf_wire_encode(conf, CONF_ALL, &bytes);
	if (buf_failed(&bytes))
		conf_report_add(report, CONF_ERROR, NO_PLACE,
		    "more than can be handed to the other processes (%d "
		    "bytes)", CONF_WIRE_MAX);
	buf_clear(&bytes);
}

/* Each for itself: a person gets all that is wrong at once. */
void
conf_rules_check(const struct conf *conf, const struct yaml_node *root,
    const struct conf_places *places, struct conf_report *report)
{
	check_times(conf, places, report);
	check_listeners(conf, root, report);
	check_networks(conf, places, report);
	check_gate(conf, places, report);
	check_routes(conf, root, report);
	conf_rules_sources("deliver.source", &conf->deliver.source,
	    conf->deliver.address_family, place_of(places, "deliver.source"),
	    report);
	check_quotas(conf, root, report);
	check_providers(conf, root, report);
	check_shaping(conf, root, report);
	check_tls(conf, places, report);
	check_auth(conf, places, report);
	check_size(conf, report);
}
