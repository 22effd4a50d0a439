/*
 * In the order in which a delivery decides: what the mail is, the rules that
 * pass it by, the one that takes it, how that sends, and the hosts in turn
 * with what is demanded of each.
 */
#include "mtactl/route_view.h"

#include "mtactl/route_json.h"
#include "mtactl/route_text.h"

/* Bits by enum route_miss. */
static unsigned
said_by(const struct msg_ctl_route *m)
{
	unsigned said = 0;

	said |= m->client.n > 0 ? 1U << ROUTE_MISS_CLIENT : 0;
	said |= m->user.n > 0 ? 1U << ROUTE_MISS_USER : 0;
	said |= m->size > 0 ? 1U << ROUTE_MISS_SIZE : 0;
	said |= m->header.n > 0 ? 1U << ROUTE_MISS_HEADER : 0;
	return said;
}

void
route_view_init(struct route_view *v, struct output *out, uint64_t now,
    const struct msg_ctl_route *question)
{
	*v = (struct route_view){ .out = out, .now = now,
	    .said = said_by(question) };
	buf_init(&v->destination, 4096);
	json_init(&v->json, &out->b);
	if (out->is_json)
		route_json_question(&v->json, question);
	else
		route_text_question(out, question);
}

void
route_view_clear(struct route_view *v)
{
	buf_clear(&v->destination);
}

void
route_view_rule(struct route_view *v, const struct msg_ctl_route_rule *m)
{
	v->rules++;
	if (v->out->is_json)
		route_json_rule(&v->json, m);
	else
		route_text_rule(v, m);
}

void
route_view_found(struct route_view *v, const struct msg_ctl_route_found *m)
{
	v->has_found = true;
	/* what is done here needs none */
	v->has_host = m->deed != ROUTE_DEED_SEND;
	buf_reset(&v->destination);
	buf_add_span(&v->destination, m->destination);
	if (v->out->is_json)
		route_json_found(&v->json, m);
	else
		route_text_found(v, m);
}

void
route_view_hops(struct route_view *v, const struct msg_route_hops *m)
{
	v->has_hops = true;
	v->has_host = m->hops.n > 0 && m->text.n == 0;
	if (v->out->is_json)
		route_json_hops(&v->json, m);
	else
		route_text_hops(v->out, m);
}

/* Without hosts, for nobody could be asked, there is `null` for them. */
void
route_view_end(struct route_view *v, const struct route_other *other)
{
	bool is_same = other != NULL && span_equal(other->destination,
	    buf_span(&v->destination));

	if (!v->out->is_json) {
		if (other != NULL)
			route_text_other(v->out, other, is_same);
		return;
	}
	if (!v->has_found)
		json_array_end(&v->json);
	if (!v->has_hops) {
		json_key(&v->json, "hosts");
		if (v->has_host) {
			json_array(&v->json);
			json_array_end(&v->json);
		} else {
			json_null(&v->json);
		}
	}
	if (other != NULL)
		route_json_other(&v->json, other, is_same);
	json_object_end(&v->json);
	buf_add_byte(&v->out->b, '\n');
}
