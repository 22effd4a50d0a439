/* Over the wire and back: the same values, or an error, never a crash. */
#include <criterion/criterion.h>

#include <stdlib.h>
#include <string.h>

#include "common/base/arena.h"
#include "common/base/check.h"
#include "common/conf/conf_object.h"
#include "common/conf/conf_wire.h"

static struct conf_change changes[CONF_CHANGES_MAX];

static struct conf_route *
add_route(struct conf *conf, const char *to, const char *via)
{
	const struct conf_scope scope = { conf->arena, NULL };
	struct conf_route *v = arena_alloc(conf->arena, conf->routes.n + 1,
	    sizeof(*v));
	struct conf_route *route = v + conf->routes.n;

	cr_assert_not_null(v);
	if (conf->routes.n > 0)
		memcpy(v, conf->routes.v, conf->routes.n * sizeof(*v));
	cr_assert_eq(conf_object_init(&conf_schema_route, &scope, route), OK);
	route->to.v[0] = to;
	cr_assert_eq(conf_value_parse(&conf_schema_route.rows[2],
	    CONF_TYPE_TARGET, span_str(via), &scope, &route->via.v[0], NULL),
	    OK);
	conf->routes.v = v;
	conf->routes.n++;
	return route;
}

static struct conf *
sample(void)
{
	static struct conf_header header = { "X-Route", "bulk*" };
	struct conf *conf;

	cr_assert_eq(conf_new(&conf), OK);
	conf->hostname = "a.example";
	conf->file = "/etc/mtad.yaml";
	conf->limits.hops = 7;
	conf->limits.message_bytes = 123457;
	conf->queue.expire_ms = 1;
	conf->queue.path = "/spool";
	conf->log.level = CONF_LEVEL_DEBUG;
	conf->workers.smtpd = 3;
	conf->relay.networks.n = 1;
	conf->listeners.v[1].address.kind = CONF_ADDRESS_ANY;
	add_route(conf, "b.example", "smtp://[::1]:26");
	add_route(conf, "*", "mx")->tls = CONF_ROUTE_TLS_NONE;
	conf->routes.v[0].line = 3;
	conf->routes.v[1].line = 70000;
	conf->routes.v[1].retry_warn_ms = 0;
	conf->routes.v[0].size = (struct conf_bound){ CONF_BOUND_AT_MOST, 7 };
	conf->routes.v[0].header.v = &header;
	conf->routes.v[0].header.n = 1;
	conf->routes.v[1].limits_rate = (struct conf_rate){ 0, 1 };
	return conf;
}

static struct buf
encoded(const struct conf *conf, unsigned who)
{
	struct buf out;

	buf_init(&out, CONF_WIRE_MAX);
	conf_wire_encode(conf, who, &out);
	cr_assert_not(buf_failed(&out));
	return out;
}

Test(conf_wire, everything_arrives)
{
	struct conf *conf = sample(), *copy = NULL;
	struct buf bytes = encoded(conf, CONF_ALL);

	cr_assert_eq(conf_wire_decode(buf_span(&bytes), &copy), OK);
	cr_assert_eq(conf_compare(conf, copy, CONF_ALL, changes), 0, "%s",
	    changes[0].key);
	cr_assert_str_eq(copy->hostname, "a.example");
	cr_assert_eq(copy->limits.message_bytes, 123457);
	cr_assert_eq(copy->queue.expire_ms, 1);
	cr_assert_eq(copy->routes.n, 2);
	cr_assert_str_eq(copy->file, "/etc/mtad.yaml");
	cr_assert_eq(copy->routes.v[0].line, 3);
	cr_assert_eq(copy->routes.v[1].line, 70000);
	cr_assert_str_eq(copy->routes.v[0].to.v[0], "b.example");
	cr_assert_str_eq(copy->routes.v[0].from.v[0], "*");
	cr_assert_eq(copy->routes.v[0].via.v[0].port, 26);
	cr_assert_eq(copy->routes.v[1].tls, CONF_ROUTE_TLS_NONE);
	cr_assert_eq(copy->routes.v[1].retry_warn_ms, 0);
	cr_assert_eq(copy->routes.v[1].limits_rate.period_ms, 1);
	cr_assert_eq(copy->routes.v[0].retry_warn_ms, -1);
	cr_assert_eq(copy->routes.v[0].size.is, CONF_BOUND_AT_MOST);
	cr_assert_eq(copy->routes.v[0].size.bytes, 7);
	cr_assert_str_eq(copy->routes.v[0].header.v[0].glob, "bulk*");
	cr_assert_eq(copy->routes.v[1].size.is, CONF_BOUND_NONE);
	cr_assert_eq(copy->routes.v[0].limits_rate.period_ms, 0);
	cr_assert_eq(copy->listeners.n, 2);
	cr_assert_eq(copy->listeners.v[1].address.kind, CONF_ADDRESS_ANY);
	conf_free(&conf);
	conf_free(&copy);
	buf_clear(&bytes);
}

Test(conf_wire, defaults_cost_next_to_nothing)
{
	struct conf *conf;
	struct buf bytes;

	cr_assert_eq(conf_new(&conf), OK);
	bytes = encoded(conf, CONF_ALL);
	cr_assert_lt(bytes.n, 64);
	buf_clear(&bytes);
	conf_free(&conf);
}

/* A process is told what it reads, and nothing else. */
Test(conf_wire, others_values_stay_at_home)
{
	struct conf *conf = sample(), *copy = NULL;
	struct buf bytes = encoded(conf, CONF_SMTPD);

	cr_assert_eq(conf_wire_decode(buf_span(&bytes), &copy), OK);
	cr_assert_str_eq(copy->hostname, "a.example");
	cr_assert_eq(copy->limits.hops, 7);
	cr_assert_eq(copy->queue.expire_ms, 5 * 86400000);
	cr_assert_str_eq(copy->queue.path, "/var/spool/mtad");
	cr_assert_eq(conf_compare(conf, copy, CONF_SMTPD, changes), 0, "%s",
	    changes[0].key);
	conf_free(&conf);
	conf_free(&copy);
	buf_clear(&bytes);
}

/* Whole, cut at each byte, with each bit flipped, with bytes behind. */
Test(conf_wire, damaged_bytes_are_refused_or_mean_something)
{
	struct conf *conf = sample(), *copy;
	struct buf bytes = encoded(conf, CONF_ALL);
	uint8_t *damaged = malloc(bytes.n + 1);

	cr_assert_not_null(damaged);
	for (size_t n = 0; n < bytes.n; n++) {
		memcpy(damaged, bytes.p, n);
		copy = NULL;
		cr_assert_neq(conf_wire_decode(span_of(damaged, n), &copy),
		    OK);
		cr_assert_null(copy);
	}
	for (size_t bit = 0; bit < bytes.n * 8; bit++) {
		memcpy(damaged, bytes.p, bytes.n);
		damaged[bit / 8] ^= (uint8_t)(1 << bit % 8);
		copy = NULL;
		if (conf_wire_decode(span_of(damaged, bytes.n), &copy) == OK)
			conf_free(&copy);
	}
	memcpy(damaged, bytes.p, bytes.n);
	damaged[bytes.n] = 0;
	cr_assert_eq(conf_wire_decode(span_of(damaged, bytes.n + 1), &copy),
	    ERR_SYNTAX);
	free(damaged);
	buf_clear(&bytes);
	conf_free(&conf);
}

/* A count can't reserve more than the bytes that follow can fill. */
Test(conf_wire, counts_are_not_believed)
{
	static const uint8_t liar[] = {
		1,				/* one member: */
		1,				/* listeners, */
		0xff, 0xff, 0xff, 0x7f,		/* two thousand million */
		0, 0
	};
	struct conf *copy = NULL;

	cr_assert_eq(conf_wire_decode(span_of(liar, sizeof(liar)), &copy),
	    ERR_SYNTAX);
	cr_assert_null(copy);
}

Test(conf, comparing_tells_keys_readers_and_restarts)
{
	struct conf *a, *b;
	size_t n;

	cr_assert_eq(conf_new(&a), OK);
	cr_assert_eq(conf_new(&b), OK);
	cr_assert_eq(conf_compare(a, b, CONF_ALL, changes), 0);
	b->limits.hops = 3;
	b->queue.path = "/elsewhere";
	n = conf_compare(a, b, CONF_ALL, changes);
	cr_assert_eq(n, 2);
	cr_assert_str_eq(changes[0].key, "queue.path");
	cr_assert(changes[0].needs_restart);
	cr_assert_eq(changes[0].readers, CONF_PARENT | CONF_QUEUED);
	cr_assert_str_eq(changes[1].key, "limits.hops");
	cr_assert_not(changes[1].needs_restart);
	cr_assert_eq(conf_compare(a, b, CONF_DNSD, changes), 0);
	conf_free(&a);
	conf_free(&b);
}
