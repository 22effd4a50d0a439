/*
 * `MTADSTS\n`, version 4 (1), count 4, then of each: until when 8, domain span,
 * record span; behind all of them the sum 4 (crc32c).
 */
#include "queued/policies.h"

#include <stdlib.h>

#include "common/base/crc32c.h"
#include "common/base/list.h"
#include "common/base/mtime.h"
#include "common/base/text.h"
#include "common/base/wire.h"
#include "common/log/log.h"
#include "common/os/file.h"
#include "common/os/random.h"

/* proc has made the spool the working directory. */
#define SPOOL	AT_FDCWD
#define NAME	"policies"
#define MAGIC	SPAN_LIT("MTADSTS\n")
#define VERSION	1u

enum { SAVE_MS = 3000, SAVE_BYTES_A_MS = 100 };
enum { DOMAIN_BYTES_MAX = 255, RECORD_MAX = 9216 };	/* as in messages.def */

struct kept {
	struct list node;		/* the oldest first */
	uint64_t until_at;
	size_t domain_n, record_n;
	uint8_t bytes[];		/* domain, record */
};

struct policies {
	struct channel *fetchd;		/* NULL while it is away */
	struct map_span by_domain;
	struct list order;
	size_t bytes;			/* of domains and records */
	int64_t save_at_ms;
	bool has_changed;
	bool has_failed;		/* to be saved; was told */
};

static struct span
domain_of(const void *object)
{
	const struct kept *k = object;

	return span_of(k->bytes, k->domain_n);
}

static struct span
record_of(const struct kept *k)
{
	return span_of(k->bytes + k->domain_n, k->record_n);
}

static void
log_trouble(struct queued *q, const char *what, enum err e)
{
	if (!log_begin(q->log, LOG_SPOOL_FAILED, NULL))
		return;
	log_str(q->log, "what", what);
	log_str(q->log, "file", NAME);
	log_str(q->log, "why", err_text(e));
	log_end(q->log);
}

/* ---- the table ---- */

static void
drop(struct policies *p, struct kept *k)
{
	(void)map_span_remove(&p->by_domain, domain_of(k));
	list_remove(&k->node);
	p->bytes -= k->domain_n + k->record_n;
	free(k);
}

static void
drop_all(struct policies *p)
{
	struct list *node;

	while ((node = list_first(&p->order)) != NULL)
		drop(p, CONTAINER_OF(node, struct kept, node));
}

/* What does not fit goes at the cost of the oldest. */
static void
make_room(struct policies *p, size_t bytes)
{
	struct list *node;

	while ((node = list_first(&p->order)) != NULL &&
	    (map_span_count(&p->by_domain) >= POLICIES_MAX ||
	    p->bytes + bytes + map_span_count(&p->by_domain) * 16 + 64 >
	    POLICIES_FILE_MAX))
		drop(p, CONTAINER_OF(node, struct kept, node));
}

static enum err
add(struct policies *p, struct span domain, struct span record,
    uint64_t until_at)
{
	struct kept *k = malloc(sizeof(*k) + domain.n + record.n);

	if (k == NULL)
		return ERR_NOMEM;
	k->until_at = until_at;
	k->domain_n = domain.n;
	k->record_n = record.n;
	memcpy(k->bytes, domain.p, domain.n);
	memcpy(k->bytes + domain.n, record.p, record.n);
	make_room(p, domain.n + record.n + 16);
	if (map_span_add(&p->by_domain, k) != OK) {
		free(k);
		return ERR_NOMEM;
	}
	list_add_last(&p->order, &k->node);
	p->bytes += domain.n + record.n;
	return OK;
}

void
policies_keep(struct queued *q, const struct msg_policy_keep *m)
{
	struct policies *p = q->policies;
	struct kept *old = map_span_get(&p->by_domain, m->domain);

	if (m->domain.n == 0 || m->record.n == 0 || (old != NULL &&
	    span_equal(record_of(old), m->record)))
		return;
	if (old != NULL)
		drop(p, old);
	/* without memory it is not known after the next restart */
	if (add(p, m->domain, m->record, m->until_at) == OK)
		p->has_changed = true;
}

void
policies_tell(struct queued *q, struct channel *c)
{
	struct msg m = { .type = MSG_policy_kept };

	q->policies->fetchd = c;
	for (struct list *n = list_first(&q->policies->order); n != NULL;
	    n = list_next(&q->policies->order, n)) {
		m.policy_kept.record =
		    record_of(CONTAINER_OF(n, struct kept, node));
		channel_send_or_end(c, &m);
	}
	m = (struct msg){ .type = MSG_policies_told };
	channel_send_or_end(c, &m);
}

void
policies_leave(struct queued *q, const struct channel *c)
{
	if (q->policies->fetchd == c)
		q->policies->fetchd = NULL;
}

/* ---- for operators ---- */

static struct kept *
find(const struct queued *q, struct span domain)
{
	uint8_t lower[DOMAIN_BYTES_MAX];

	if (domain.n > sizeof(lower))
		return NULL;
	text_lower(domain, lower);
	return map_span_get(&q->policies->by_domain,
	    span_of(lower, domain.n));
}

struct span
policies_find(const struct queued *q, struct span domain)
{
	const struct kept *k = find(q, domain);

	return k == NULL ? SPAN_NONE : record_of(k);
}

struct span
policies_next(const struct queued *q, size_t *cursor)
{
	const struct kept *k = map_span_next(&q->policies->by_domain, cursor);

	return k == NULL ? SPAN_NONE : record_of(k);
}

bool
policies_forget(struct queued *q, struct span domain)
{
	struct policies *p = q->policies;
	struct msg m = { .type = MSG_policy_forget };
	struct kept *k = find(q, domain);

	if (k == NULL)
		return false;
	m.policy_forget.domain = domain_of(k);
	if (p->fetchd != NULL)
		channel_send_or_end(p->fetchd, &m);
	drop(p, k);
	p->has_changed = true;
	return true;
}

/* ---- the file ---- */

/* Those that are over are left out. */
static void
put_all(struct queued *q, struct buf *file)
{
	const struct policies *p = q->policies;
	const size_t count_at = MAGIC.n + 4;
	uint32_t count = 0;

	buf_add_span(file, MAGIC);
	wire_put_u32(file, VERSION);
	wire_put_u32(file, 0);
	for (struct list *n = list_first(&p->order); n != NULL;
	    n = list_next(&p->order, n)) {
		const struct kept *k = CONTAINER_OF(n, struct kept, node);

		if (k->until_at <= queued_wall(q))
			continue;
		wire_put_u64(file, k->until_at);
		wire_put_span(file, domain_of(k));
		wire_put_span(file, record_of(k));
		count++;
	}
	if (buf_failed(file))
		return;
	wire_patch_u32(file, count_at, count);
	wire_put_u32(file, crc32c(0, file->p, file->n));
}

static void
save(struct queued *q, enum err replace(int, const char *, mode_t,
    struct span))
{
	struct policies *p = q->policies;
	struct buf file;
	enum err e;

	buf_init(&file, POLICIES_FILE_MAX);
	put_all(q, &file);
	e = buf_failed(&file) ? ERR_NOMEM :
	    replace(SPOOL, NAME, 0600, buf_span(&file));
	if (e != OK && !p->has_failed)
		log_trouble(q, "policies can't be kept", e);
	p->has_failed = e != OK;
	p->has_changed = e != OK;
	p->save_at_ms = mtime_add(queued_now(q), SAVE_MS +
	    (int64_t)(file.n / SAVE_BYTES_A_MS));
	buf_clear(&file);
}

static enum err
read_rows(struct queued *q, struct wire *w)
{
	struct policies *p = q->policies;
	uint32_t count = wire_u32(w);

	if (count > POLICIES_MAX)
		return ERR_CORRUPT;
	for (uint32_t i = 0; i < count; i++) {
		uint64_t until_at = wire_u64(w);
		struct span domain = wire_span(w, DOMAIN_BYTES_MAX);
		struct span record = wire_span(w, RECORD_MAX);

		if (w->is_failed || domain.n == 0 || record.n == 0)
			return ERR_CORRUPT;
		if (until_at > queued_wall(q) &&
		    map_span_get(&p->by_domain, domain) == NULL &&
		    add(p, domain, record, until_at) != OK)
			return ERR_NOMEM;
	}
	return wire_done(w) == OK ? OK : ERR_CORRUPT;
}

static enum err
read_all(struct queued *q, struct span file)
{
	struct wire w;
	size_t n = file.n - 4;

	if (file.n < MAGIC.n + 12)
		return ERR_CORRUPT;
	wire_init(&w, span_from(file, n));
	if (wire_u32(&w) != crc32c(0, file.p, n))
		return ERR_CORRUPT;
	wire_init(&w, span_sub(file, 0, n));
	if (!span_equal(wire_raw(&w, MAGIC.n), MAGIC))
		return ERR_CORRUPT;
	if (wire_u32(&w) != VERSION)
		return ERR_VERSION;
	return read_rows(q, &w);
}

static void
load(struct queued *q)
{
	struct buf file;
	enum err e;

	buf_init(&file, POLICIES_FILE_MAX);
	e = file_read(SPOOL, NAME, POLICIES_FILE_MAX, &file, NULL);
	if (e == OK)
		e = read_all(q, buf_span(&file));
	if (e != OK && e != ERR_NOT_FOUND) {
		log_trouble(q, "policies can't be read: they are dropped, and "
		    "found anew", e);
		drop_all(q->policies);
	}
	buf_clear(&file);
}

void
policies_keep_house(struct queued *q)
{
	if (q->policies->has_changed &&
	    queued_now(q) >= q->policies->save_at_ms)
		save(q, file_replace_soon);
}

/* ---- life ---- */

enum err
policies_open(struct queued *q)
{
	struct siphash_key seed;
	enum err e = random_key(&seed);

	if (e != OK)
		return e;
	if ((q->policies = calloc(1, sizeof(*q->policies))) == NULL)
		return ERR_NOMEM;
	map_span_init(&q->policies->by_domain, &seed, domain_of);
	list_init(&q->policies->order);
	load(q);
	return OK;
}

void
policies_close(struct queued *q)
{
	if (q->policies == NULL)
		return;
	if (q->policies->has_changed)
		save(q, file_replace);
	drop_all(q->policies);
	map_span_clear(&q->policies->by_domain);
	free(q->policies);
	q->policies = NULL;
}
