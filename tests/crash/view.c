#include "tests/crash/view.h"

#include <inttypes.h>
#include <string.h>

#include "common/base/check.h"

/* Words at a time, for it sums all bytes of all bodies of all states. */
uint64_t
view_sum(const void *p, size_t n)
{
	const uint8_t *bytes = p;
	uint64_t sum = n + 1, word;

	while (n >= sizeof(word)) {
		memcpy(&word, bytes, sizeof(word));
		sum = (sum ^ word) * UINT64_C(0x9e3779b97f4a7c15);
		sum ^= sum >> 32;
		bytes += sizeof(word);
		n -= sizeof(word);
	}
	word = 0;
	if (n > 0)
		memcpy(&word, bytes, n);
	sum = (sum ^ word) * UINT64_C(0x9e3779b97f4a7c15);
	sum ^= sum >> 29;
	return sum != 0 ? sum : 1;
}

uint64_t
view_digest(const struct view *v)
{
	return view_sum(v, sizeof(*v));
}

uint64_t
view_bones(const struct view *v)
{
	struct view bones;

	memcpy(&bones, v, sizeof(bones));
	for (size_t i = 0; i < VIEW_UNITS; i++) {
		struct view_unit *u = &bones.unit[i];

		u->tries = 0;
		u->due_at = u->lease = 0;
		for (size_t k = 0; k < VIEW_RCPTS; k++) {
			u->rcpts[k].outcome = 0;
			u->rcpts[k].code = 0;
			u->rcpts[k].text = 0;
		}
	}
	return view_digest(&bones);
}

void
view_print(const struct view *v, FILE *out)
{
	fprintf(out, "%016" PRIx64 " left %u (%u of %u)%s%s%s content %"
	    PRIu64 "/%" PRIx64 "\n", v->id, v->left, v->begun, v->total,
	    v->is_report ? " report" : "",
	    v->is_held ? " held" : "", v->is_warned ? " warned" : "",
	    v->content_n, v->content);
	for (uint32_t i = 0; i < v->units && i < VIEW_UNITS; i++) {
		const struct view_unit *u = &v->unit[i];

		if (!u->is_here)
			continue;
		fprintf(out, "  unit %u due %" PRIu64 " tries %u lease %"
		    PRIu64 ":", i, u->due_at, u->tries, u->lease);
		for (uint32_t k = 0; k < u->count; k++)
			fprintf(out, " %s/%u/%u/%x", u->rcpts[k].is_settled ?
			    "settled" : "open", u->rcpts[k].outcome,
			    u->rcpts[k].code, u->rcpts[k].text);
		fprintf(out, "\n");
	}
}

static void
fill_unit(struct view *v, const struct store_unit *u)
{
	struct view_unit *to = &v->unit[u->number];

	to->is_here = true;
	to->count = u->count;
	to->tries = u->tries;
	to->due_at = u->due_at;
	/* what a replay takes for one is no record of the history */
	to->lease = u->noted_lease >= STORE_LEASED_UNINDEXED ? 0 :
	    u->noted_lease;
	for (uint32_t i = 0; i < u->count && i < VIEW_RCPTS; i++) {
		const struct store_recipient *r = &u->recipients[i];

		to->rcpts[i].is_settled = r->is_settled;
		to->rcpts[i].outcome = r->outcome;
		to->rcpts[i].code = r->code;
		to->rcpts[i].text = r->text.n == 0 ? 0 :
		    (uint32_t)view_sum(r->text.p, r->text.n);
	}
}

/* In pieces for a body in a file, as deliverd gets it. */
static void
fill_content(struct view *v, struct store *s, const struct store_message *m)
{
	struct buf b;

	buf_init(&b, 16 << 20);
	if (store_content(s, m, 0, (size_t)store_message_size(m), &b) == OK) {
		v->content = view_sum(b.p, b.n);
		v->content_n = b.n;
	}
	buf_clear(&b);
}

void
view_fill(struct view *v, struct store *s, const struct store_message *m,
    struct store_unit *const *units)
{
	memset(v, 0, sizeof(*v));
	v->id = m->id;
	v->is_report = m->is_report;
	v->is_held = m->is_held;
	v->is_warned = m->is_warned;
	v->units = m->unit_count;
	v->left = m->left;
	v->list = m->list.id;
	v->total = m->list.total;
	v->begun = m->list.count;
	for (; *units != NULL; units++) {
		MUST((*units)->number < VIEW_UNITS);
		fill_unit(v, *units);
	}
	fill_content(v, s, m);
}
