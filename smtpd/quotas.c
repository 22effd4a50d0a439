/*
 * Few are full at a time, mostly nobody: then a session asks for one number.
 * While somebody is, each session looks once, and again when another one became
 * full or its client somebody else.
 */
#include "smtpd/quotas.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/map.h"
#include "common/base/mtime.h"
#include "common/os/random.h"
#include "smtpd/server.h"

enum { KEY_HEAD = 5, FULL_MAX = 20000 };

struct full {
	int64_t until_ms;		/* monotonic */
	uint16_t key_n;
	uint8_t key[];			/* kind, id, name */
};

struct quotas {
	struct server *server;
	struct conf_quotas_table *table;
	struct map_span full;
	uint64_t changes;
};

static struct span
key_of(const void *object)
{
	const struct full *full = object;

	return span_of(full->key, full->key_n);
}

static struct span
make_key(unsigned each, uint32_t id, struct span name,
    uint8_t key[KEY_HEAD + CONF_QUOTA_NAME_MAX])
{
	uint32_t le = htole32(id);

	key[0] = (uint8_t)each;
	memcpy(key + 1, &le, sizeof(le));
	memcpy(key + KEY_HEAD, name.p, name.n);
	return span_of(key, KEY_HEAD + name.n);
}

/* ---- life ---- */

enum err
quotas_new(struct server *server, struct quotas **out)
{
	struct quotas *q = calloc(1, sizeof(*q));
	struct siphash_key seed;
	enum err e;

	if (q == NULL)
		return ERR_NOMEM;
	if ((e = random_key(&seed)) != OK) {
		free(q);
		return e;
	}
	q->server = server;
	q->changes = 1;
	map_span_init(&q->full, &seed, key_of);
	*out = q;
	return OK;
}

void
quotas_forget(struct quotas *q)
{
	struct full *full;
	size_t cursor = 0;

	while ((full = map_span_next(&q->full, &cursor)) != NULL) {
		map_span_remove(&q->full, key_of(full));
		free(full);
	}
	q->changes++;
}

void
quotas_free(struct quotas **q)
{
	if (*q == NULL)
		return;
	quotas_forget(*q);
	map_span_clear(&(*q)->full);
	conf_quotas_free(&(*q)->table);
	free(*q);
	*q = NULL;
}

enum err
quotas_reload(struct quotas *q, const struct conf *conf)
{
	struct conf_quotas_table *table;
	enum err e = conf_quotas_new(conf, &table);

	if (e != OK)
		return e;
	conf_quotas_free(&q->table);
	q->table = table;
	quotas_forget(q);
	return OK;
}

/* ---- what queued says ---- */

static void
remove_old(struct quotas *q, int64_t now)
{
	struct full *full;
	size_t cursor = 0;

	while ((full = map_span_next(&q->full, &cursor)) != NULL) {
		if (full->until_ms > now)
			continue;
		map_span_remove(&q->full, key_of(full));
		free(full);
	}
}

/* Without memory, and beyond FULL_MAX, queued refuses the message itself. */
static void
add(struct quotas *q, struct span key, int64_t until_ms)
{
	struct full *full;

	if (map_span_count(&q->full) >= FULL_MAX)
		return;
	if ((full = calloc(1, sizeof(*full) + key.n)) == NULL)
		return;
	full->until_ms = until_ms;
	full->key_n = (uint16_t)key.n;
	memcpy(full->key, key.p, key.n);
	if (map_span_add(&q->full, full) != OK)
		free(full);
}

void
quotas_take(struct quotas *q, const struct msg_quota_full *m)
{
	uint8_t bytes[KEY_HEAD + CONF_QUOTA_NAME_MAX];
	struct span key = make_key(m->each, m->id, m->name, bytes);
	int64_t now = loop_now_ms(q->server->loop);

	remove_old(q, now);
	free(map_span_remove(&q->full, key));
	if (m->wait_ms > 0)
		add(q, key, mtime_add(now, m->wait_ms));
	q->changes++;
}

/* ---- what a session asks ---- */

static int64_t
until_of(const struct quotas *q, enum conf_each each,
    const struct conf_quota_who *who)
{
	uint8_t key[KEY_HEAD + CONF_QUOTA_NAME_MAX];
	struct conf_quota_limit limit;
	const struct full *full;

	if (!conf_quotas_find(q->table, each, who, &limit))
		return 0;
	full = map_span_get(&q->full, make_key(each, limit.id,
	    span_of(limit.name, limit.name_n), key));
	return full != NULL ? full->until_ms : 0;
}

static int64_t
look(const struct quotas *q, const struct session *s)
{
	const struct conf_quota_who who = { .user = rx_user(s->rx),
	    .client = *rx_client(s->rx) };
	int64_t until = 0;

	for (unsigned i = 0; i < CONF_EACH_COUNT; i++)
		until = mtime_max(until, until_of(q, i, &who));
	return until;
}

uint32_t
quotas_wait_s(struct session *s)
{
	struct quotas *q = s->server->quotas;
	size_t user_n = rx_user(s->rx).n;
	int64_t now;

	if (map_span_count(&q->full) == 0)
		return 0;
	/* a client authenticates once, and XCLIENT begins the session anew */
	if (s->quota_changes != q->changes || s->quota_user_n != user_n) {
		s->quota_until_ms = look(q, s);
		s->quota_changes = q->changes;
		s->quota_user_n = user_n;
	}
	now = loop_now_ms(s->server->loop);
	return s->quota_until_ms <= now ? 0 :
	    (uint32_t)((s->quota_until_ms - now - 1) / 1000 + 1);
}
