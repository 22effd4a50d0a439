#include "mtactl/route_text.h"

#include "common/base/units.h"
#include "mtactl/route_words.h"

enum { LABEL_WIDTH = 14, HOST_WIDTH = 32, ADDRESS_WIDTH = 24 };

static void
put_label(struct output *o, const char *label)
{
	output_coloured(o, OUTPUT_BOLD, label, LABEL_WIDTH);
}

void
route_text_question(struct output *o, const struct msg_ctl_route *m)
{
	char client[IPADDR_TEXT_SIZE];

	route_client_format(m->client, client);
	put_label(o, "mail");
	buf_add_str(&o->b, "from <");
	output_text(o, m->sender);
	buf_add_str(&o->b, "> to <");
	output_text(o, m->recipient);
	buf_add_str(&o->b, ">, of ");
	output_size(o, m->size, 0);
	if (client[0] != '\0')
		buf_addf(&o->b, ", by client %s", client);
	if (m->user.n > 0) {
		buf_add_str(&o->b, ", by user ");
		output_text(o, m->user);
	}
	if (m->requires_tls != 0)
		buf_add_str(&o->b, ", with REQUIRETLS");
	if (m->is_released != 0)
		buf_add_str(&o->b, ", released by an operator");
	buf_add_byte(&o->b, '\n');
}

/* "mtad.yaml:14: rule 3" */
static void
put_place(struct output *o, struct span file, uint32_t line, uint32_t number)
{
	if (file.n > 0 && line > 0) {
		output_text(o, file);
		buf_addf(&o->b, ":%u: ", (unsigned)line);
	}
	buf_addf(&o->b, "rule %u", (unsigned)number);
}

void
route_text_rule(struct route_view *v, const struct msg_ctl_route_rule *m)
{
	struct output *o = v->out;

	put_label(o, v->rules == 1 ? "not" : "");
	if (v->rules == 1 && m->index > 0) {
		buf_addf(&o->b, "%u rule%s before those that follow; --all "
		    "shows all\n", (unsigned)m->index,
		    m->index == 1 ? "" : "s");
		put_label(o, "");
	}
	put_place(o, m->file, m->line, m->index + 1);
	buf_addf(&o->b, ": %s: ", route_miss_words(m->miss)->text);
	output_text(o, m->pattern);
	buf_add_byte(&o->b, '\n');
}

static void
put_condition(struct output *o, const char *name, struct span pattern)
{
	if (pattern.n == 0)
		return;
	buf_addf(&o->b, ", %s ", name);
	output_text(o, pattern);
}

static void
put_matched(struct output *o, const struct msg_ctl_route_found *m)
{
	put_label(o, "rule");
	if (m->index >= m->rules) {
		buf_addf(&o->b, "none of %u: by MX\n", (unsigned)m->rules);
		return;
	}
	put_place(o, m->file, m->line, m->index + 1);
	buf_addf(&o->b, " of %u", (unsigned)m->rules);
	put_condition(o, "to", m->to);
	put_condition(o, "from", m->from);
	put_condition(o, "client", m->clients);
	put_condition(o, "user", m->users);
	put_condition(o, "size", m->sizes);
	put_condition(o, "header", m->headers);
	buf_add_byte(&o->b, '\n');
	put_label(o, "via");
	output_text(o, m->via);
	buf_add_byte(&o->b, '\n');
}

/* What rules have asked of the mail, and nobody has said. */
static void
put_unsaid(struct output *o, unsigned unsaid)
{
	const char *names[ROUTE_MISS_COUNT];
	size_t n = route_decisive_names(unsaid, names);

	if (n == 0)
		return;
	put_label(o, "not said");
	for (size_t i = 0; i < n; i++)
		buf_addf(&o->b, "%s--%s", i > 0 ? ", " : "", names[i]);
	buf_addf(&o->b, ": rules up to here ask for %s\n", n == 1 ? "it" :
	    "them");
}

static void
put_deed(struct output *o, const struct msg_ctl_route_found *m)
{
	put_label(o, "done");
	buf_add_str(&o->b, route_deed_words(m->deed)->text);
	if (m->status.n > 0) {
		buf_add_str(&o->b, ": 550 ");
		output_text(o, m->status);
		buf_add_byte(&o->b, ' ');
		output_text(o, m->text);
	}
	buf_add_byte(&o->b, '\n');
}

static void
put_ms(struct output *o, const char *words, uint64_t ms)
{
	char text[UNITS_TEXT_SIZE];

	(void)units_glance_ms((int64_t)ms, text);
	buf_addf(&o->b, "%s%s", words, text);
}

static void
put_policy(struct output *o, const struct msg_ctl_route_found *m)
{
	put_label(o, "retry");
	put_ms(o, "after ", m->first_retry_ms);
	put_ms(o, ", at most every ", m->max_retry_ms);
	if (m->warn_ms > 0)
		put_ms(o, "; the sender hears of a delay after ", m->warn_ms);
	put_ms(o, "; given up after ", m->expire_ms);
	buf_add_byte(&o->b, '\n');
	put_label(o, "limits");
	output_count(o, m->connections, "connection");
	buf_add_str(&o->b, ", ");
	output_count(o, m->window, "message");
	buf_add_str(&o->b, " under way");
	if (m->rate_count > 0) {
		buf_addf(&o->b, ", %u", (unsigned)m->rate_count);
		put_ms(o, " in ", m->rate_ms);
	}
	buf_addf(&o->b, "\n");
}

static void
put_state(struct output *o, uint64_t now, const struct msg_ctl_route_found *m)
{
	if (m->failures == 0)
		return;
	put_label(o, "now");
	buf_addf(&o->b, "failed %u time%s", (unsigned)m->failures,
	    m->failures == 1 ? "" : "s");
	if (m->blocked_at > now) {
		buf_add_str(&o->b, ", backs off for ");
		output_age(o, now, m->blocked_at, 0);
	}
	buf_add_str(&o->b, ": ");
	output_text(o, m->reason);
	buf_add_byte(&o->b, '\n');
}

void
route_text_found(struct route_view *v, const struct msg_ctl_route_found *m)
{
	struct output *o = v->out;

	put_matched(o, m);
	put_unsaid(o, m->decisive & ~v->said);
	if (m->deed != ROUTE_DEED_SEND) {
		put_deed(o, m);
		return;
	}
	put_label(o, "destination");
	output_text(o, m->destination);
	buf_add_byte(&o->b, '\n');
	put_policy(o, m);
	put_label(o, "tls");
	output_text(o, m->tls);
	buf_add_byte(&o->b, '\n');
	put_state(o, v->now, m);
}

/* Behind an address, in a row. */
static void
put_flags(struct output *o, const struct msg_route_hop *hop)
{
	const char *const protocol = hop->flags & ROUTE_HOP_LMTP ? "lmtp" :
	    hop->flags & ROUTE_HOP_TLS ? "smtps" : "smtp";

	buf_addf(&o->b, " %s", protocol);
	if (hop->flags & ROUTE_HOP_MX)
		buf_addf(&o->b, ", preference %u",
		    (unsigned)hop->preference);
	if (hop->flags & ROUTE_HOP_DRAWN)
		buf_add_str(&o->b, ", by lot");
	if (hop->flags & ROUTE_HOP_BEYOND)
		buf_add_str(&o->b, ", not in the first round");
	if (hop->flags & ROUTE_HOP_SKIPPED)
		output_coloured(o, OUTPUT_RED, ", not connected to", 0);
}

static void
put_hop(struct output *o, unsigned number, const struct msg_route_hop *hop)
{
	buf_addf(&o->b, "%3u. ", number);
	output_padded(o, hop->host, HOST_WIDTH);
	buf_add_byte(&o->b, ' ');
	output_padded(o, hop->address, ADDRESS_WIDTH);
	put_flags(o, hop);
	buf_add_str(&o->b, "\n     TLS ");
	output_text(o, hop->tls);
	buf_add_str(&o->b, ": ");
	output_text(o, hop->tls_why);
	if (hop->user.n > 0) {
		buf_add_str(&o->b, "; as user ");
		output_text(o, hop->user);
	}
	buf_add_byte(&o->b, '\n');
}

static void
put_note(struct output *o, const struct msg_route_note *note)
{
	buf_add_str(&o->b, "     ");
	output_text(o, note->host);
	if (note->host.n > 0 && note->address.n > 0)
		buf_add_byte(&o->b, ' ');
	output_text(o, note->address);
	if (note->host.n > 0 || note->address.n > 0)
		buf_add_str(&o->b, ": ");
	output_text(o, note->text);
	buf_add_byte(&o->b, '\n');
}

static void
put_none(struct output *o, const struct msg_route_hops *m)
{
	put_label(o, "hosts");
	output_coloured(o, OUTPUT_RED, m->is_permanent != 0 ?
	    "none: such mail is returned: " :
	    "none now: such mail waits: ", 0);
	output_text(o, m->status);
	buf_add_byte(&o->b, ' ');
	output_text(o, m->text);
	buf_add_byte(&o->b, '\n');
}

void
route_text_hops(struct output *o, const struct msg_route_hops *m)
{
	struct msg_list hops = m->hops, notes = m->notes;
	struct msg_route_hop hop;
	struct msg_route_note note;
	unsigned n = 0;

	if (m->text.n > 0) {
		put_none(o, m);
	} else if (m->hops.n > 0) {
		put_label(o, "hosts");
		buf_add_str(&o->b, "in their order, greeted as ");
		output_text(o, m->helo);
		buf_add_byte(&o->b, '\n');
	}
	while (msg_next_route_hop(&hops, &hop))
		put_hop(o, ++n, &hop);
	if (m->result != ROUTE_RESULT_DONE)
		output_line(o, "     … and what could not be found out in "
		    "time");
	if (notes.n > 0) {
		put_label(o, "left out");
		buf_add_byte(&o->b, '\n');
	}
	while (msg_next_route_note(&notes, &note))
		put_note(o, &note);
}

void
route_text_other(struct output *o, const struct route_other *other,
    bool is_same)
{
	put_label(o, "what if");
	output_text(o, span_str(other->file));
	if (other->number == 0)
		buf_add_str(&o->b, ": by MX");
	else
		buf_addf(&o->b, ":%u: rule %u", (unsigned)other->line,
		    (unsigned)other->number);
	buf_add_str(&o->b, is_same ? ", the same destination: " :
	    ", another destination: ");
	output_text(o, other->destination);
	buf_add_byte(&o->b, '\n');
}
