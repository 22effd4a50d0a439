#include "keyd/hops.h"

#include "common/base/check.h"
#include "common/ipc/channel.h"

#include <stdlib.h>
#include <time.h>

#define ROWS_MAX	((size_t)8 * 1024 * 1024)

struct peer {
	struct list node;
	struct channel *channel;
};

void
hops_init(struct hops *h)
{
	*h = (struct hops){ .pairs.n = 0 };
	list_init(&h->peers);
}

static void
drop(struct peer *peer)
{
	list_remove(&peer->node);
	free(peer);
}

void
hops_clear(struct hops *h)
{
	struct list *node;

	while ((node = list_first(&h->peers)) != NULL)
		drop(CONTAINER_OF(node, struct peer, node));
	pairs_clear(&h->pairs);
}

static void
put_chain(const struct pair *pair, struct buf *rows)
{
	const struct msg_hop_chain row = {
		.name = buf_span(&pair->name),
		.key_id = span_of(pair->key_id, SIGN_ID_BYTES),
		.chain = buf_span(&pair->chain),
	};

	msg_put_hop_chain(rows, &row);
}

static void
tell(const struct hops *h, struct channel *c)
{
	struct msg m = { .type = MSG_hop_chains };
	struct buf rows;

	buf_init(&rows, ROWS_MAX);
	for (size_t i = 0; i < h->pairs.n; i++)
		put_chain(&h->pairs.v[i], &rows);
	m.hop_chains.rows.n = (uint32_t)h->pairs.n;
	m.hop_chains.rows.bytes = buf_span(&rows);
	if (!buf_failed(&rows))
		channel_send_or_end(c, &m);
	buf_clear(&rows);
}

enum err
hops_take(struct hops *h, const struct msg_list *rows, struct buf *text)
{
	struct pairs pairs;
	struct list *node;
	enum err e = pairs_load(rows, PAIRS_CLIENT, (int64_t)time(NULL),
	    &pairs, text);

	if (e != OK)
		return e;
	pairs_clear(&h->pairs);
	h->pairs = pairs;
	for (node = list_first(&h->peers); node != NULL;
	    node = list_next(&h->peers, node))
		tell(h, CONTAINER_OF(node, struct peer, node)->channel);
	return OK;
}

enum err
hops_join(struct hops *h, struct channel *c)
{
	struct peer *peer = calloc(1, sizeof(*peer));

	if (peer == NULL)
		return ERR_NOMEM;
	peer->channel = c;
	list_add_last(&h->peers, &peer->node);
	tell(h, c);
	return OK;
}

void
hops_leave(struct hops *h, const struct channel *c)
{
	struct list *node;

	for (node = list_first(&h->peers); node != NULL;
	    node = list_next(&h->peers, node)) {
		struct peer *peer = CONTAINER_OF(node, struct peer, node);

		if (peer->channel == c) {
			drop(peer);
			return;
		}
	}
}
