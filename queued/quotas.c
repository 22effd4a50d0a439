/*
 * The file is written some seconds after a change, the larger the later, without
 * waiting for the disk; and when the process ends.
 */
#include "queued/quotas.h"

#include <stdlib.h>

#include "common/base/mtime.h"
#include "common/log/log.h"
#include "common/mail/envelope.h"
#include "common/os/file.h"
#include "common/os/random.h"
#include "queued/quota/quota.h"

/* proc has made the spool the working directory. */
#define SPOOL	AT_FDCWD
#define NAME	"quotas"

enum { SAVE_MS = 3000, SAVE_BYTES_A_MS = 100, SWEEP_MS = 600000 };

struct quotas {
	struct quota *quota;
	int64_t save_at_ms, sweep_at_ms;
	bool has_failed;		/* to be saved; was told */
};

static void
log_trouble(struct queued *q, const char *what, enum err e)
{
	if (!log_begin(q->log, LOG_SPOOL_FAILED, NULL))
		return;
	log_str(q->log, "what", what);
	log_str(q->log, "why", err_text(e));
	log_end(q->log);
}

/* ---- smtpds ---- */

static void
send_full(struct queued_peer *peer, const struct quota_view *view)
{
	struct msg m = { .type = MSG_quota_full };

	m.quota_full.each = (uint8_t)view->each;
	m.quota_full.id = view->id;
	m.quota_full.name = view->name;
	m.quota_full.wait_ms = (uint32_t)mtime_min(view->wait_ms, UINT32_MAX);
	if (peer->channel != NULL)
		channel_send_or_end(peer->channel, &m);
}

static void
send_to_all(struct queued *q, const struct quota_view *view)
{
	for (size_t i = 0; i < QUEUED_WORKERS_MAX; i++)
		send_full(&q->smtpds[i], view);
}

void
quotas_tell(struct queued_peer *peer)
{
	const struct queued *q = peer->q;
	struct quota_view view;
	uint64_t cursor = 0;

	while (quota_next(q->quotas->quota, &cursor, (int64_t)queued_wall(q),
	    &view))
		if (view.wait_ms > 0)
			send_full(peer, &view);
}

static void
on_full(void *ctx, const struct quota_view *view)
{
	struct queued *q = ctx;

	send_to_all(q, view);
	if (!log_begin(q->log, LOG_QUOTA_REACHED, NULL))
		return;
	log_text(q->log, conf_each_name(view->each), view->name);
	log_u64(q->log, "messages", view->use[QUOTA_MESSAGES].used);
	log_u64(q->log, "recipients", view->use[QUOTA_RECIPIENTS].used);
	log_ms(q->log, "again_in", view->wait_ms);
	log_end(q->log);
}

/* ---- the file ---- */

static void
save(struct queued *q, enum err replace(int, const char *, mode_t,
    struct span))
{
	struct quotas *qs = q->quotas;
	struct buf file;
	enum err e;

	buf_init(&file, QUOTA_FILE_MAX);
	quota_put(qs->quota, &file);
	e = buf_failed(&file) ? ERR_NOMEM :
	    replace(SPOOL, NAME, 0600, buf_span(&file));
	if (e != OK && !qs->has_failed)
		log_trouble(q, "quotas can't be kept", e);
	qs->has_failed = e != OK;
	qs->save_at_ms = mtime_add(queued_now(q), SAVE_MS +
	    (int64_t)(file.n / SAVE_BYTES_A_MS));
	buf_clear(&file);
}

static void
load(struct queued *q)
{
	struct buf file;
	enum err e;

	buf_init(&file, QUOTA_FILE_MAX);
	e = file_read(SPOOL, NAME, QUOTA_FILE_MAX, &file, NULL);
	if (e == OK)
		e = quota_read(q->quotas->quota, buf_span(&file));
	if (e != OK && e != ERR_NOT_FOUND)
		log_trouble(q, "quotas can't be read: counting begins anew",
		    e);
	buf_clear(&file);
}

void
quotas_keep_house(struct queued *q)
{
	struct quotas *qs = q->quotas;
	int64_t now = queued_now(q);

	if (now >= qs->sweep_at_ms) {
		quota_sweep(qs->quota, (int64_t)queued_wall(q));
		qs->sweep_at_ms = now + SWEEP_MS;
	}
	if (quota_has_changed(qs->quota) && now >= qs->save_at_ms)
		save(q, file_replace_soon);
}

/* ---- life ---- */

enum err
quotas_open(struct queued *q)
{
	static const struct quota_ops ops = { .on_full = on_full };
	struct siphash_key seed;
	enum err e = random_key(&seed);

	if (e != OK)
		return e;
	if ((q->quotas = calloc(1, sizeof(*q->quotas))) == NULL)
		return ERR_NOMEM;
	if ((e = quota_new(&seed, &ops, q, &q->quotas->quota)) != OK)
		return e;
	load(q);
	return OK;
}

void
quotas_close(struct queued *q)
{
	if (q->quotas == NULL)
		return;
	if (q->quotas->quota != NULL && quota_has_changed(q->quotas->quota))
		save(q, file_replace);
	quota_free(&q->quotas->quota);
	free(q->quotas);
	q->quotas = NULL;
}

enum err
quotas_reload(struct queued *q)
{
	return quota_take_conf(q->quotas->quota, q->conf);
}

/* ---- counting ---- */

static struct ipaddr
client_of(const struct envelope *envelope)
{
	if (envelope->client.n == 4)
		return ipaddr_v4(envelope->client.p);
	if (envelope->client.n == 16)
		return ipaddr_v6(envelope->client.p);
	return (struct ipaddr){ .family = IPADDR_NONE };
}

enum err
quotas_count(struct queued *q, const struct envelope *envelope,
    uint32_t recipients)
{
	const struct conf_quota_who who = {
		.user = envelope->user, .client = client_of(envelope),
	};

	switch (quota_take(q->quotas->quota, &who, recipients,
	    (int64_t)queued_wall(q))) {
	case QUOTA_USED_UP:
		return ERR_AGAIN;
	case QUOTA_TOO_MUCH:
		return ERR_DENIED;
	case QUOTA_FITS:
		break;
	}
	return OK;
}

/* ---- operators ---- */

const struct quota *
quotas_counts(const struct queued *q)
{
	return q->quotas->quota;
}

/* Told first: its name goes with it. */
static void
tell_reset(struct queued *q, enum conf_each each, struct span name)
{
	struct quota_view view;
	uint64_t cursor = 0;

	while (quota_next(q->quotas->quota, &cursor, (int64_t)queued_wall(q),
	    &view)) {
		if (view.each != each || !span_equal(view.name, name))
			continue;
		view.wait_ms = 0;
		send_to_all(q, &view);
	}
}

uint32_t
quotas_reset(struct queued *q, enum conf_each each, struct span name)
{
	tell_reset(q, each, name);
	return quota_reset(q->quotas->quota, each, name);
}
