/*
 * A message that came from a row or a moved record: itself, the pointers to its
 * units, and the envelope, in one allocation.  Its units come one by one.
 */
#include "queued/store/store_object.h"

#include <stdlib.h>
#include <string.h>

enum err
store_object_message(const struct message *probe, struct message **out)
{
	size_t units = probe->pub.unit_count * sizeof(struct unit *);
	struct span envelope = probe->pub.envelope;
	struct span sender = probe->pub.sender;
	struct message *m;
	uint8_t *p = calloc(1, sizeof(*m) + units + envelope.n);

	if (p == NULL)
		return ERR_NOMEM;
	m = (struct message *)(void *)p;
	*m = *probe;
	m->units = (struct unit **)(void *)(p + sizeof(*m));
	p += sizeof(*m) + units;
	if (envelope.n > 0)
		memcpy(p, envelope.p, envelope.n);
	if (sender.n > 0)
		m->pub.sender = span_of(p + (sender.p - envelope.p), sender.n);
	m->pub.envelope = span_of(p, envelope.n);
	list_init(&m->dirty);
	list_init(&m->frozen);
	list_init(&m->born);
	list_init(&m->fresh);
	list_init(&m->held);
	*out = m;
	return OK;
}
