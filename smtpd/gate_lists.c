/*
 * A list that is given up by its owners may answer everything, with any
 * address; one that is asked too much, or by way of a large resolver, answers
 * everything with a code of its own.  Either would refuse the whole world's
 * mail, so neither is believed.
 */
#include "smtpd/gate_lists.h"

#include "common/base/check.h"
#include "common/dns/dns_reverse.h"
#include "common/dns/dns_wire.h"
#include "common/os/random.h"
#include "smtpd/server.h"

#include <stdio.h>
#include <stdlib.h>

#define REFUSED_FIRST	UINT32_C(0x7fffff00)	/* 127.255.255.0/24 */

static void
copy_list(const struct conf_dnslist *from, struct gate_list *to)
{
	(void)span_copy(span_str(from->zone), to->zone, sizeof(to->zone));
	to->match = *from;
	to->match.zone = to->zone;
}

enum err
gate_lists_new(struct server *sv, const struct conf *conf,
    struct gate_lists **out)
{
	const struct conf_dnslists *block = &conf->gate.blocklists;
	const struct conf_dnslists *allow = &conf->gate.allowlists;
	size_t n = block->n + allow->n;
	struct gate_lists *g;

	MUST(n <= GATE_LISTS_MAX);
	g = calloc(1, sizeof(*g) + n * sizeof(g->v[0]));
	if (g == NULL)
		return ERR_NOMEM;
	g->server = sv;
	g->refs = 1;
	g->n_block = block->n;
	g->n = n;
	for (size_t i = 0; i < block->n; i++)
		copy_list(&block->v[i], &g->v[i]);
	for (size_t i = 0; i < allow->n; i++)
		copy_list(&allow->v[i], &g->v[block->n + i]);
	*out = g;
	return OK;
}

struct gate_lists *
gate_lists_ref(struct gate_lists *g)
{
	g->refs++;
	return g;
}

void
gate_lists_drop(struct gate_lists **g)
{
	if (*g != NULL && --(*g)->refs == 0) {
		ask_cancel((*g)->server->ask, *g);
		free(*g);
	}
	*g = NULL;
}

/* ---- what a list says ---- */

static void
log_list(struct gate_lists *g, size_t i, enum log_id id, const char *why)
{
	struct log *log = g->server->log;

	if (!log_begin(log, id, NULL))
		return;
	log_str(log, "list", g->v[i].zone);
	if (why != NULL)
		log_str(log, "why", why);
	log_end(log);
}

/* Of answers that come again and again one line is enough. */
static void
complain(struct gate_lists *g, size_t i, const char *what,
    const uint8_t addr[4])
{
	int64_t now = loop_now_ms(g->server->loop);
	char text[128], ip[IPADDR_TEXT_SIZE];
	struct ipaddr a = ipaddr_v4(addr);

	if (now < g->v[i].quiet_until_ms)
		return;
	g->v[i].quiet_until_ms = now + GATE_QUIET_MS;
	ipaddr_format(&a, ip);
	(void)snprintf(text, sizeof(text), "%s %s", what, ip);
	log_list(g, i, LOG_LIST_BROKEN, text);
}

static enum gate_answer
read_one(struct gate_lists *g, size_t i, const uint8_t addr[4])
{
	uint32_t v = (uint32_t)addr[0] << 24 | (uint32_t)addr[1] << 16 |
	    (uint32_t)addr[2] << 8 | addr[3];

	if (addr[0] != 127) {
		complain(g, i, "it answers with an address of somebody:",
		    addr);
		return GATE_FAILED;
	}
	if (v >= REFUSED_FIRST && v <= REFUSED_FIRST + 255) {
		complain(g, i, "it refuses our questions:", addr);
		return GATE_FAILED;
	}
	return conf_dnslist_counts(&g->v[i].match, v) ? GATE_YES : GATE_NO;
}

enum gate_answer
gate_list_read(struct gate_lists *g, size_t i, const struct msg_dns_answer *a)
{
	struct msg_list records = a->records;
	enum gate_answer answer = GATE_NO;
	struct msg_dns_record r;

	if (a->status == DNS_NO_DATA || a->status == DNS_NO_NAME)
		return GATE_NO;
	if (a->status != DNS_OK)
		return GATE_FAILED;
	while (msg_next_dns_record(&records, &r)) {
		enum gate_answer one;

		if (r.type != DNS_TYPE_A || r.data.n != 4)
			continue;
		one = read_one(g, i, r.data.p);
		if (one == GATE_YES)
			return g->v[i].is_broken ? GATE_FAILED : GATE_YES;
		if (one == GATE_FAILED)
			answer = GATE_FAILED;
	}
	return answer;
}

/* ---- the test of a list ---- */

/* Told once, and again when it becomes another. */
static void
judge(struct gate_lists *g, size_t i, bool is_broken)
{
	struct gate_list *l = &g->v[i];
	bool is_news = !l->is_told || l->is_broken != is_broken;

	l->is_broken = is_broken;
	l->is_told = true;
	if (!is_news)
		return;
	if (is_broken)
		log_list(g, i, LOG_LIST_BROKEN, "it lists 127.0.0.1, as it "
		    "would everybody, and is not believed");
	else
		log_list(g, i, LOG_LIST_TESTED, NULL);
}

/* TAG: the list, and which of the two was asked for.  One that is listed by a
 * code which does not count is listed all the same. */
static void
on_test(void *ctx, uint32_t tag, uint16_t type,
    const struct msg_dns_answer *a)
{
	struct gate_lists *g = ctx;
	size_t i = tag / 2;

	(void)type;
	if (tag % 2 == 0) {
		if (a->status == DNS_NO_NAME || a->status == DNS_NO_DATA)
			log_list(g, i, LOG_LIST_BROKEN, "it does not list "
			    "127.0.0.2, as each list should");
		return;
	}
	/* what is not known changes nothing */
	if (a->status == DNS_NO_NAME || a->status == DNS_NO_DATA)
		judge(g, i, false);
	else if (a->status == DNS_OK)
		judge(g, i, true);
}

void
gate_lists_test(struct gate_lists *g)
{
	static const uint8_t addrs[2][4] = { { 127, 0, 0, 2 },
		{ 127, 0, 0, 1 } };
	struct server *sv = g->server;
	char name[DNS_NAME_SIZE];

	for (uint32_t tag = 0; tag < 2 * g->n; tag++) {
		struct ipaddr a = ipaddr_v4(addrs[tag % 2]);

		/* a zone is short enough for any address; without memory it
		 * is not tested now */
		if (dns_reverse_name(&a, g->v[tag / 2].zone, name) == OK)
			(void)ask_question(sv->ask, name, DNS_TYPE_A,
			    sv->conf->gate.timeout_ms, on_test, g, tag);
	}
}

/* ---- the server's ---- */

static void
on_gate_timer(void *ctx)
{
	struct server *sv = ctx;

	gate_lists_test(sv->gate_lists);
	timer_start(&sv->gate_timer, GATE_TEST_EVERY_MS);
}

enum err
gate_open(struct server *sv)
{
	struct siphash_key seed;
	enum err e = random_key(&seed);

	if (e == OK)
		e = ask_new(sv->loop, &seed, &sv->ask);
	if (e == OK)
		e = timer_init(&sv->gate_timer, sv->loop, on_gate_timer, sv);
	return e;
}

/* The test comes a turn later, with CONF in force. */
enum err
gate_reload(struct server *sv, const struct conf *conf)
{
	struct gate_lists *lists;
	enum err e = gate_lists_new(sv, conf, &lists);

	if (e != OK)
		return e;
	gate_lists_drop(&sv->gate_lists);
	sv->gate_lists = lists;
	if (lists->n > 0)
		timer_start(&sv->gate_timer, 0);
	else
		timer_stop(&sv->gate_timer);
	return OK;
}

void
gate_close(struct server *sv)
{
	gate_lists_drop(&sv->gate_lists);
	timer_clear(&sv->gate_timer);
	ask_free(&sv->ask);
}
