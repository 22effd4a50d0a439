/*
 * The rooms of a round call hops_note() where they leave something out.  It
 * does nothing for a usual delivery.
 */
#include "deliverd/hops/hops_note.h"

#include "common/base/check.h"
#include "deliverd/hops/hops_state.h"

static const char *const texts[HOPS_WHY_COUNT] = {
	[HOPS_WHY_LOCALHOST] = "an exchanger named localhost: none",
	[HOPS_WHY_OUR_NAME] = "that is this host, by its name",
	[HOPS_WHY_OUR_ADDRESS] = "refused: this host listens there",
	[HOPS_WHY_BEHIND_US] = "preferred no more than this host",
	[HOPS_WHY_NOBODYS] = "refused: loopback, link-local, multicast or "
	    "unspecified is no exchanger's address",
	[HOPS_WHY_PRIVATE] = "refused: in a private network, where no mail "
	    "is sent by MX from here (deliver.private_addresses)",
	[HOPS_WHY_NO_IPV6] = "there is no way into the IPv6 world from here "
	    "now",
	[HOPS_WHY_NO_NAME] = "the name does not exist",
	[HOPS_WHY_NO_ADDRESS] = "it has no address",
	[HOPS_WHY_TEMPORARY] = "can't be looked up now",
};

const char *
hops_why_text(enum hops_why why)
{
	MUST(why < HOPS_WHY_COUNT);
	return texts[why];
}

/* The same is said once: a name has two questions. */
static bool
is_there(const struct hops *h, const struct hops_note *note)
{
	for (size_t i = 0; i < h->n_notes; i++) {
		const struct hops_note *n = &h->notes[i];

		if (n->why == note->why && n->host == note->host &&
		    ipaddr_equal(&n->ip, &note->ip))
			return true;
	}
	return false;
}

/* Host and address may be NULL. */
void
hops_note(struct hops *h, enum hops_why why, const struct hops_host *host,
    const struct ipaddr *ip, struct span text)
{
	struct hops_note note = {
		.why = why, .host = host != NULL ? host->name : "",
	};

	if (h->notes == NULL || h->n_notes >= HOPS_NOTES_MAX)
		return;
	if (ip != NULL)
		note.ip = *ip;
	if (is_there(h, &note))
		return;
	(void)span_copy(span_sub(text, 0, sizeof(note.text) - 1), note.text,
	    sizeof(note.text));
	h->notes[h->n_notes++] = note;
}

/* Something was said of it. */
bool
hops_is_noted(const struct hops *h, const struct hops_host *host)
{
	for (size_t i = 0; i < h->n_notes; i++)
		if (h->notes[i].host == host->name)
			return true;
	return false;
}

size_t
hops_notes(const struct hops *h, const struct hops_note **out)
{
	*out = h->notes;
	return h->n_notes;
}
