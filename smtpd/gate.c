/*
 * Rounds of questions: lists and the name of the address first; then where the
 * names lead to; then, of the list that decides, its text.  Each answer may put
 * the next question; when none is left the verdict is there.
 *
 * The allowlists are asked even if no blocklist has answered yet, for what
 * they save is a round.
 */
#include "smtpd/gate.h"

#include "common/base/text.h"
#include "common/conf/conf_name.h"
#include "common/dns/dns_reverse.h"
#include "common/dns/dns_wire.h"
#include "smtpd/gate_lists.h"
#include "smtpd/server.h"

#include <stdio.h>
#include <stdlib.h>

#define NAMES_MAX	4	/* of one address that are looked at */
#define TEXT_MAX	240
#define UNANSWERED_QUIET_MS 10000

enum about { ABOUT_LIST, ABOUT_NAME, ABOUT_LEADS, ABOUT_TEXT };

#define TAG(about, i)	((uint32_t)(about) << 8 | (uint32_t)(i))

struct gate_check {
	struct server *server;
	struct gate_lists *lists;
	struct ipaddr client;
	gate_fn *fn;
	void *ctx;
	struct timer timer;
	unsigned pending;
	unsigned names_pending;		/* of them about the name */
	bool is_begun, is_done;
	bool is_allowed;
	bool has_asked_text;
	bool has_name;			/* verified: names[name] */
	bool is_unanswered;
	bool is_name_unanswered;
	bool is_listed;
	size_t listed;			/* the first of those that list it */
	size_t name, n_names;
	char names[NAMES_MAX][DNS_NAME_SIZE];
	char text[TEXT_MAX];
};

static void	on_answer(void *ctx, uint32_t tag, uint16_t type,
		    const struct msg_dns_answer *a);

static bool
is_about_name(uint32_t tag)
{
	return tag >> 8 == ABOUT_NAME || tag >> 8 == ABOUT_LEADS;
}

static void
put(struct gate_check *c, const char *name, uint16_t type, uint32_t tag)
{
	struct server *sv = c->server;

	if (ask_question(sv->ask, name, type, sv->conf->gate.timeout_ms,
	    on_answer, c, tag) != OK) {
		c->is_unanswered = true;
		return;
	}
	c->pending++;
	if (is_about_name(tag))
		c->names_pending++;
}

/* ---- the verdict ---- */

static void
log_unanswered(struct gate_check *c)
{
	struct server *sv = c->server;
	int64_t now = loop_now_ms(sv->loop);

	if (now < sv->gate_quiet_until_ms ||
	    !log_begin(sv->log, LOG_GATE_UNANSWERED, NULL))
		return;
	sv->gate_quiet_until_ms = now + UNANSWERED_QUIET_MS;
	log_ip(sv->log, "client", &c->client);
	log_end(sv->log);
}

/* What was said of the list is kept behind what we say of it. */
static void
write_text(struct gate_check *c)
{
	char ip[IPADDR_TEXT_SIZE], said[TEXT_MAX];

	memcpy(said, c->text, sizeof(said));
	ipaddr_format(&c->client, ip);
	if (c->is_listed)
		(void)snprintf(c->text, sizeof(c->text),
		    "%s is listed by %s%s%.150s", ip,
		    c->lists->v[c->listed].zone, said[0] != '\0' ? ": " : "",
		    said);
	else
		(void)snprintf(c->text, sizeof(c->text),
		    "%s has no name that leads back to it", ip);
}

static void
finish(struct gate_check *c)
{
	c->is_done = true;
	if (c->is_allowed)
		c->is_listed = false;
	write_text(c);
	if (c->is_unanswered)
		log_unanswered(c);
	gate_stop(c);
	c->fn(c->ctx);
}

/* None is pending: the last round, or the end. */
static void
go_on(struct gate_check *c)
{
	char name[DNS_NAME_SIZE];

	if (c->pending > 0)
		return;
	if (c->is_listed && !c->is_allowed && !c->has_asked_text &&
	    dns_reverse_name(&c->client, c->lists->v[c->listed].zone,
	    name) == OK) {
		c->has_asked_text = true;
		put(c, name, DNS_TYPE_TXT, TAG(ABOUT_TEXT, 0));
	}
	if (c->pending == 0)
		finish(c);
}

/* The time is over, or nothing could be asked at all. */
static void
on_timer(void *ctx)
{
	struct gate_check *c = ctx;

	if (c->pending > 0) {
		ask_cancel(c->server->ask, c);
		c->is_unanswered = true;
		c->is_name_unanswered |= c->names_pending > 0;
		c->pending = 0;
		c->has_asked_text = true;
	}
	go_on(c);
}

/* ---- answers ---- */

static void
on_list(struct gate_check *c, size_t i, const struct msg_dns_answer *a)
{
	enum gate_answer answer = gate_list_read(c->lists, i, a);

	if (answer == GATE_FAILED)
		c->is_unanswered = true;
	if (answer != GATE_YES)
		return;
	if (i >= c->lists->n_block)
		c->is_allowed = true;
	else if (!c->is_listed || i < c->listed) {
		c->is_listed = true;
		c->listed = i;
	}
}

static void
note_failure(struct gate_check *c, uint8_t status)
{
	if (status == DNS_OK || status == DNS_NO_DATA || status == DNS_NO_NAME)
		return;
	c->is_unanswered = c->is_name_unanswered = true;
}

/* A name goes into the trace and the log, so it has to look like one. */
static void
on_name(struct gate_check *c, const struct msg_dns_answer *a)
{
	uint16_t type = c->client.family == IPADDR_4 ? DNS_TYPE_A :
	    DNS_TYPE_AAAA;
	struct msg_list records = a->records;
	struct msg_dns_record r;

	note_failure(c, a->status);
	while (a->status == DNS_OK && c->n_names < NAMES_MAX &&
	    msg_next_dns_record(&records, &r)) {
		char *name = c->names[c->n_names];

		if (r.type != DNS_TYPE_PTR || !conf_name_is_domain(r.data) ||
		    !span_copy(r.data, name, DNS_NAME_SIZE))
			continue;
		put(c, name, type, TAG(ABOUT_LEADS, c->n_names));
		c->n_names++;
	}
}

/* Does it lead back?  Of several that do the first one counts. */
static void
on_leads(struct gate_check *c, size_t i, const struct msg_dns_answer *a)
{
	struct msg_list records = a->records;
	struct msg_dns_record r;

	note_failure(c, a->status);
	while (a->status == DNS_OK && msg_next_dns_record(&records, &r)) {
		struct ipaddr to = { 0 };

		if (r.type == DNS_TYPE_A && r.data.n == 4)
			to = ipaddr_v4(r.data.p);
		else if (r.type == DNS_TYPE_AAAA && r.data.n == 16)
			to = ipaddr_v6(r.data.p);
		if (!ipaddr_equal(&to, &c->client))
			continue;
		if (!c->has_name || i < c->name)
			c->name = i;
		c->has_name = true;
		return;
	}
}

/* Anybody may have written it. */
static void
on_text(struct gate_check *c, const struct msg_dns_answer *a)
{
	struct msg_list records = a->records;
	struct msg_dns_record r;
	size_t n = 0;

	if (a->status != DNS_OK || !msg_next_dns_record(&records, &r) ||
	    r.type != DNS_TYPE_TXT)
		return;
	for (; n < r.data.n && n < sizeof(c->text) - 1; n++)
		c->text[n] = text_is_print(r.data.p[n]) ? (char)r.data.p[n]
		    : '?';
	c->text[n] = '\0';
}

static void
on_answer(void *ctx, uint32_t tag, uint16_t type,
    const struct msg_dns_answer *a)
{
	struct gate_check *c = ctx;

	(void)type;
	c->pending--;
	if (is_about_name(tag))
		c->names_pending--;
	switch ((enum about)(tag >> 8)) {
	case ABOUT_LIST:
		on_list(c, tag & 0xff, a);
		break;
	case ABOUT_NAME:
		on_name(c, a);
		break;
	case ABOUT_LEADS:
		on_leads(c, tag & 0xff, a);
		break;
	case ABOUT_TEXT:
		on_text(c, a);
		break;
	}
	go_on(c);
}

/* ---- life ---- */

bool
gate_is_wanted(const struct server *sv)
{
	return sv->gate_lists->n_block > 0 ||
	    sv->conf->gate.reverse_name != CONF_REVERSE_NONE;
}

struct gate_check *
gate_new(struct server *sv, const struct ipaddr *client, gate_fn *fn,
    void *ctx)
{
	struct gate_check *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->server = sv;
	c->client = *client;
	c->fn = fn;
	c->ctx = ctx;
	if (timer_init(&c->timer, sv->loop, on_timer, c) != OK) {
		free(c);
		return NULL;
	}
	c->lists = gate_lists_ref(sv->gate_lists);
	return c;
}

void
gate_begin(struct gate_check *c)
{
	char name[DNS_NAME_SIZE];

	if (c->is_begun)
		return;
	c->is_begun = true;
	for (size_t i = 0; c->lists->n_block > 0 && i < c->lists->n; i++)
		if (dns_reverse_name(&c->client, c->lists->v[i].zone,
		    name) == OK)
			put(c, name, DNS_TYPE_A, TAG(ABOUT_LIST, i));
	if (c->server->conf->gate.reverse_name != CONF_REVERSE_NONE &&
	    dns_reverse_name(&c->client, dns_reverse_zone(&c->client),
	    name) == OK)
		put(c, name, DNS_TYPE_PTR, TAG(ABOUT_NAME, 0));
	/* also when nothing could be asked: the verdict comes from the loop */
	timer_start(&c->timer, c->pending > 0 ?
	    c->server->conf->gate.timeout_ms : 0);
}

void
gate_stop(struct gate_check *c)
{
	if (c == NULL)
		return;
	if (c->pending > 0)
		ask_cancel(c->server->ask, c);
	timer_stop(&c->timer);
	c->pending = 0;
	c->is_begun = true;
}

void
gate_free(struct gate_check **check)
{
	struct gate_check *c = *check;

	if (c == NULL)
		return;
	gate_stop(c);
	timer_clear(&c->timer);
	gate_lists_drop(&c->lists);
	free(c);
	*check = NULL;
}

/* ---- inspection ---- */

enum rx_gate
gate_verdict(const struct gate_check *c)
{
	if (c == NULL)
		return RX_GATE_OPEN;
	if (!c->is_done)
		return RX_GATE_ASKING;
	if (c->is_listed)
		return RX_GATE_LISTED;
	if (!c->has_name && !c->is_name_unanswered &&
	    c->server->conf->gate.reverse_name == CONF_REVERSE_REFUSE)
		return RX_GATE_NAMELESS;
	return RX_GATE_OPEN;
}

struct span
gate_text(const struct gate_check *c)
{
	return c == NULL ? SPAN_NONE : span_str(c->text);
}

struct span
gate_name(const struct gate_check *c)
{
	if (c == NULL || !c->is_done ||
	    c->server->conf->gate.reverse_name == CONF_REVERSE_NONE)
		return SPAN_NONE;
	return c->has_name ? span_str(c->names[c->name]) :
	    SPAN_LIT("unknown");
}

bool
gate_is_unanswered(const struct gate_check *c)
{
	return c != NULL && c->is_unanswered;
}
