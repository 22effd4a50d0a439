#include "mtactl/route_json.h"

#include "mtactl/route_words.h"

static void
json_number(struct json *j, const char *key, uint64_t n)
{
	json_key(j, key);
	json_u64(j, n);
}

static void
json_words(struct json *j, const char *key, struct span words)
{
	json_key(j, key);
	json_string(j, words);
}

static void
json_words_or_null(struct json *j, const char *key, struct span words)
{
	json_key(j, key);
	if (words.n == 0)
		json_null(j);
	else
		json_string(j, words);
}

static void
json_flag(struct json *j, const char *key, bool is_set)
{
	json_key(j, key);
	json_bool(j, is_set);
}

/* Each line of TEXT. */
static void
json_lines(struct json *j, const char *key, struct span text)
{
	json_key(j, key);
	json_array(j);
	while (text.n > 0) {
		size_t end = span_find(text, '\r');

		json_string(j, span_sub(text, 0, end));
		text = span_from(text, end + 2);
	}
	json_array_end(j);
}

void
route_json_question(struct json *j, const struct msg_ctl_route *m)
{
	char client[IPADDR_TEXT_SIZE];

	route_client_format(m->client, client);
	json_object(j);
	json_number(j, "v", 1);
	json_words(j, "recipient", m->recipient);
	json_words(j, "sender", m->sender);
	json_words_or_null(j, "client", span_str(client));
	json_words_or_null(j, "user", m->user);
	json_number(j, "size", m->size);
	json_lines(j, "headers", m->header);
	json_flag(j, "requiretls", m->requires_tls != 0);
	json_flag(j, "released", m->is_released != 0);
	json_key(j, "before");
	json_array(j);
}

void
route_json_rule(struct json *j, const struct msg_ctl_route_rule *m)
{
	json_object(j);
	json_number(j, "number", (uint64_t)m->index + 1);
	json_number(j, "line", m->line);
	json_words(j, "miss", span_str(route_miss_words(m->miss)->name));
	json_words(j, "pattern", m->pattern);
	json_object_end(j);
}

static void
json_matched(struct json *j, const struct msg_ctl_route_found *m)
{
	json_key(j, "rule");
	if (m->index >= m->rules) {
		json_null(j);
		return;
	}
	json_object(j);
	json_number(j, "number", (uint64_t)m->index + 1);
	json_number(j, "line", m->line);
	json_words(j, "to", m->to);
	json_words(j, "from", m->from);
	json_words_or_null(j, "client", m->clients);
	json_words_or_null(j, "user", m->users);
	json_words_or_null(j, "size", m->sizes);
	json_words_or_null(j, "header", m->headers);
	json_words(j, "via", m->via);
	json_object_end(j);
}

/* What is done, and which of the mail's facts have decided. */
static void
json_deed(struct json *j, const struct msg_ctl_route_found *m)
{
	const char *names[ROUTE_MISS_COUNT];
	size_t n = route_decisive_names(m->decisive, names);

	json_key(j, "decisive");
	json_array(j);
	for (size_t i = 0; i < n; i++)
		json_str(j, names[i]);
	json_array_end(j);
	json_words(j, "action", span_str(route_deed_words(m->deed)->name));
	json_key(j, "refusal");
	if (m->status.n == 0) {
		json_null(j);
		return;
	}
	json_object(j);
	json_words(j, "status", m->status);
	json_words(j, "text", m->text);
	json_object_end(j);
}

static void
json_policy(struct json *j, const struct msg_ctl_route_found *m)
{
	json_key(j, "policy");
	json_object(j);
	json_words(j, "tls", m->tls);
	json_number(j, "first_retry_ms", m->first_retry_ms);
	json_number(j, "max_retry_ms", m->max_retry_ms);
	json_number(j, "warn_ms", m->warn_ms);
	json_number(j, "expire_ms", m->expire_ms);
	json_number(j, "connections", m->connections);
	json_number(j, "window", m->window);
	json_number(j, "rate_count", m->rate_count);
	json_number(j, "rate_ms", m->rate_ms);
	json_object_end(j);
}

void
route_json_found(struct json *j, const struct msg_ctl_route_found *m)
{
	json_array_end(j);
	json_words_or_null(j, "file", m->file);
	json_number(j, "rules", m->rules);
	json_matched(j, m);
	json_deed(j, m);
	json_words(j, "destination", m->destination);
	json_policy(j, m);
	json_key(j, "state");
	json_object(j);
	json_number(j, "failures", m->failures);
	output_json_time(j, "failed_at", m->failed_at);
	output_json_time(j, "blocked_until", m->blocked_at);
	json_words_or_null(j, "reason", m->reason);
	json_object_end(j);
}

static void
json_hop(struct json *j, const struct msg_route_hop *hop)
{
	json_object(j);
	json_words(j, "host", hop->host);
	json_words_or_null(j, "address", hop->address);
	json_words(j, "protocol", span_str(hop->flags & ROUTE_HOP_LMTP ?
	    "lmtp" : hop->flags & ROUTE_HOP_TLS ? "smtps" : "smtp"));
	json_key(j, "preference");
	if (hop->flags & ROUTE_HOP_MX)
		json_u64(j, hop->preference);
	else
		json_null(j);
	json_words_or_null(j, "user", hop->user);
	json_words(j, "tls", hop->tls);
	json_words(j, "tls_why", hop->tls_why);
	json_flag(j, "by_lot", (hop->flags & ROUTE_HOP_DRAWN) != 0);
	json_flag(j, "beyond_round", (hop->flags & ROUTE_HOP_BEYOND) != 0);
	json_flag(j, "skipped", (hop->flags & ROUTE_HOP_SKIPPED) != 0);
	json_object_end(j);
}

void
route_json_hops(struct json *j, const struct msg_route_hops *m)
{
	struct msg_list hops = m->hops, notes = m->notes;
	struct msg_route_hop hop;
	struct msg_route_note note;

	json_words(j, "helo", m->helo);
	json_flag(j, "complete", m->result == ROUTE_RESULT_DONE);
	json_key(j, "hosts");
	json_array(j);
	while (msg_next_route_hop(&hops, &hop))
		json_hop(j, &hop);
	json_array_end(j);
	json_key(j, "left_out");
	json_array(j);
	while (msg_next_route_note(&notes, &note)) {
		json_object(j);
		json_words_or_null(j, "host", note.host);
		json_words_or_null(j, "address", note.address);
		json_words(j, "text", note.text);
		json_object_end(j);
	}
	json_array_end(j);
	json_key(j, "no_host");
	if (m->text.n == 0) {
		json_null(j);
		return;
	}
	json_object(j);
	json_flag(j, "permanent", m->is_permanent != 0);
	json_words(j, "status", m->status);
	json_words(j, "text", m->text);
	json_object_end(j);
}

void
route_json_other(struct json *j, const struct route_other *other,
    bool is_same)
{
	json_key(j, "what_if");
	json_object(j);
	json_words(j, "file", span_str(other->file));
	json_key(j, "rule");
	if (other->number == 0) {
		json_null(j);
	} else {
		json_object(j);
		json_number(j, "number", other->number);
		json_number(j, "line", other->line);
		json_object_end(j);
	}
	json_words(j, "destination", other->destination);
	json_flag(j, "moves", !is_same);
	json_object_end(j);
}
