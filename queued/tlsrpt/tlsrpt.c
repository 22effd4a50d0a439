/*
 * Everything is looked up in short lists: a domain has one policy a day as a
 * rule, and few ways to fail.
 */
#include "queued/tlsrpt/tlsrpt_impl.h"

#include <stdlib.h>

#include "common/base/text.h"
#include "common/base/wire.h"

#define SPREAD_MS (INT64_C(4) * 3600000)	/* RFC 8460 4.1 */

static struct span
key_of(const void *object)
{
	const struct tlsrpt_day *day = object;

	return span_of(day->key, day->key_n);
}

/* ---- life ---- */

enum err
tlsrpt_new(const struct siphash_key *seed, struct tlsrpt **out)
{
	struct tlsrpt *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return ERR_NOMEM;
	t->seed = *seed;
	map_span_init(&t->days, seed, key_of);
	*out = t;
	return OK;
}

static void
free_policy(struct tlsrpt_policy *policy)
{
	struct list *node;

	while ((node = list_take_first(&policy->details)) != NULL)
		free(CONTAINER_OF(node, struct tlsrpt_detail, node));
	free(policy);
}

void
tlsrpt_forget(struct tlsrpt *t, struct tlsrpt_day **day)
{
	struct list *node;

	(void)map_span_remove(&t->days, key_of(*day));
	while ((node = list_take_first(&(*day)->policies)) != NULL)
		free_policy(CONTAINER_OF(node, struct tlsrpt_policy, node));
	free(*day);
	*day = NULL;
	t->has_changed = true;
}

void
tlsrpt_forget_all(struct tlsrpt *t)
{
	struct tlsrpt_day *day;
	size_t cursor = 0;

	while ((day = map_span_next(&t->days, &cursor)) != NULL)
		tlsrpt_forget(t, &day);
}

void
tlsrpt_free(struct tlsrpt **t)
{
	if (*t == NULL)
		return;
	tlsrpt_forget_all(*t);
	map_span_clear(&(*t)->days);
	free(*t);
	*t = NULL;
}

/* ---- a domain in a day ---- */

/* Times before 1970 and behind 2^32 days are that. */
static uint32_t
number_of(int64_t at)
{
	if (at < 0)
		return 0;
	at /= TLSRPT_DAY_MS;
	return at > UINT32_MAX ? UINT32_MAX : (uint32_t)at;
}

uint32_t
tlsrpt_day_number(const struct tlsrpt_day *day)
{
	struct wire w;

	wire_init(&w, span_of(day->key, TLSRPT_KEY_HEAD));
	return wire_u32(&w);
}

int64_t
tlsrpt_day_begin(const struct tlsrpt_day *day)
{
	return (int64_t)tlsrpt_day_number(day) * TLSRPT_DAY_MS;
}

struct span
tlsrpt_day_domain(const struct tlsrpt_day *day)
{
	return span_of(day->key + TLSRPT_KEY_HEAD,
	    (size_t)day->key_n - TLSRPT_KEY_HEAD);
}

static size_t
make_key(uint32_t number, struct span domain,
    uint8_t out[TLSRPT_KEY_HEAD + TLSRPT_DOMAIN_MAX])
{
	uint32_t le = htole32(number);

	memcpy(out, &le, TLSRPT_KEY_HEAD);
	text_lower(domain, out + TLSRPT_KEY_HEAD);
	return TLSRPT_KEY_HEAD + domain.n;
}

/* The same time every day for a domain, another one for each. */
static int64_t
due_at(const struct tlsrpt *t, uint32_t number, struct span domain)
{
	return ((int64_t)number + 1) * TLSRPT_DAY_MS + 60000 +
	    (int64_t)(siphash(&t->seed, domain) % (uint64_t)SPREAD_MS);
}

static struct tlsrpt_day *
add_day(struct tlsrpt *t, struct span key)
{
	struct tlsrpt_day *day;

	if (map_span_count(&t->days) >= TLSRPT_DOMAINS_MAX ||
	    (day = calloc(1, sizeof(*day) + key.n)) == NULL)
		return NULL;
	list_init(&day->policies);
	day->key_n = (uint16_t)key.n;
	memcpy(day->key, key.p, key.n);
	day->due_at = due_at(t, tlsrpt_day_number(day),
	    tlsrpt_day_domain(day));
	if (map_span_add(&t->days, day) != OK) {
		free(day);
		return NULL;
	}
	return day;
}

/* It comes to stand in a header and in a file's name. */
static bool
is_name(struct span domain)
{
	for (size_t i = 0; i < domain.n; i++)
		if (!text_is_alpha(domain.p[i]) &&
		    !text_is_digit(domain.p[i]) && domain.p[i] != '.' &&
		    domain.p[i] != '-' && domain.p[i] != '_')
			return false;
	return domain.n > 0 && domain.n <= TLSRPT_DOMAIN_MAX;
}

struct tlsrpt_day *
tlsrpt_day_at(struct tlsrpt *t, uint32_t number, struct span domain)
{
	uint8_t key[TLSRPT_KEY_HEAD + TLSRPT_DOMAIN_MAX];
	struct tlsrpt_day *day;
	struct span s;

	if (!is_name(domain))
		return NULL;
	s = span_of(key, make_key(number, domain, key));
	day = map_span_get(&t->days, s);
	return day != NULL ? day : add_day(t, s);
}

struct tlsrpt_day *
tlsrpt_find(const struct tlsrpt *t, struct span domain, int64_t at)
{
	uint8_t key[TLSRPT_KEY_HEAD + TLSRPT_DOMAIN_MAX];

	if (domain.n > TLSRPT_DOMAIN_MAX)
		return NULL;
	return map_span_get(&t->days, span_of(key, make_key(number_of(at),
	    domain, key)));
}

/* ---- policies and failures ---- */

/* Whole lines only: half of one is another one. */
static struct span
cut_lines(struct span s)
{
	if (s.n <= TLSRPT_POLICY_MAX)
		return s;
	for (size_t i = TLSRPT_POLICY_MAX; i > 0; i--)
		if (s.p[i] == '\n')
			return span_sub(s, 0, i);
	return SPAN_NONE;
}

static bool
is_policy(const struct tlsrpt_policy *p, enum tlsrpt_kind kind,
    struct span policy, struct span patterns)
{
	return p->kind == kind &&
	    span_equal(span_of(p->bytes, p->n_policy), policy) &&
	    span_equal(span_of(p->bytes + p->n_policy, p->n_patterns),
	    patterns);
}

static void
put_bytes(uint8_t *to, struct span s)
{
	if (s.n > 0)
		memcpy(to, s.p, s.n);
}

static struct tlsrpt_policy *
add_policy(struct tlsrpt_day *day, enum tlsrpt_kind kind, struct span policy,
    struct span patterns)
{
	struct tlsrpt_policy *p;

	if (day->n_policies >= TLSRPT_POLICIES_MAX || (p = calloc(1,
	    sizeof(*p) + policy.n + patterns.n)) == NULL)
		return NULL;
	p->kind = kind;
	list_init(&p->details);
	p->n_policy = (uint16_t)policy.n;
	p->n_patterns = (uint16_t)patterns.n;
	put_bytes(p->bytes, policy);
	put_bytes(p->bytes + policy.n, patterns);
	list_add_last(&day->policies, &p->node);
	day->n_policies++;
	return p;
}

struct tlsrpt_policy *
tlsrpt_policy_at(struct tlsrpt_day *day, enum tlsrpt_kind kind,
    struct span policy, struct span patterns)
{
	struct list *node;

	policy = cut_lines(policy);
	patterns = cut_lines(patterns);
	for (node = list_first(&day->policies); node != NULL;
	    node = list_next(&day->policies, node)) {
		struct tlsrpt_policy *p = CONTAINER_OF(node,
		    struct tlsrpt_policy, node);

		if (is_policy(p, kind, policy, patterns))
			return p;
	}
	return add_policy(day, kind, policy, patterns);
}

struct span
tlsrpt_detail_text(const struct tlsrpt_detail *d, enum tlsrpt_text which)
{
	size_t at = 0;

	for (int i = 0; i < (int)which; i++)
		at += d->n[i];
	return span_of(d->bytes + at, d->n[which]);
}

static bool
is_detail(const struct tlsrpt_detail *d, enum tlsrpt_result result,
    const struct span texts[TLSRPT_TEXTS])
{
	if (d->result != result)
		return false;
	for (int i = 0; i < TLSRPT_TEXTS; i++)
		if (!span_equal(tlsrpt_detail_text(d, (enum tlsrpt_text)i),
		    texts[i]))
			return false;
	return true;
}

static struct tlsrpt_detail *
find_detail(const struct tlsrpt_policy *p, enum tlsrpt_result result,
    const struct span texts[TLSRPT_TEXTS])
{
	struct list *node;

	for (node = list_first(&p->details); node != NULL;
	    node = list_next(&p->details, node)) {
		struct tlsrpt_detail *d = CONTAINER_OF(node,
		    struct tlsrpt_detail, node);

		if (is_detail(d, result, texts))
			return d;
	}
	return NULL;
}

static struct tlsrpt_detail *
add_detail(struct tlsrpt_policy *p, enum tlsrpt_result result,
    const struct span texts[TLSRPT_TEXTS])
{
	struct tlsrpt_detail *d;
	size_t n = 0;

	for (int i = 0; i < TLSRPT_TEXTS; i++)
		n += texts[i].n;
	if ((d = calloc(1, sizeof(*d) + n)) == NULL)
		return NULL;
	d->result = result;
	n = 0;
	for (int i = 0; i < TLSRPT_TEXTS; i++) {
		d->n[i] = (uint16_t)texts[i].n;
		put_bytes(d->bytes + n, texts[i]);
		n += texts[i].n;
	}
	list_add_last(&p->details, &d->node);
	p->n_details++;
	return d;
}

/* When there are too many, without its place: so the counts still add up, by
 * at most one row more for each result. */
struct tlsrpt_detail *
tlsrpt_detail_at(struct tlsrpt_policy *p, enum tlsrpt_result result,
    const struct span texts[TLSRPT_TEXTS])
{
	static const struct span none[TLSRPT_TEXTS];
	struct span cut[TLSRPT_TEXTS];
	struct tlsrpt_detail *d;

	for (int i = 0; i < TLSRPT_TEXTS; i++)
		cut[i] = span_sub(texts[i], 0, TLSRPT_TEXT_MAX);
	if ((d = find_detail(p, result, cut)) != NULL)
		return d;
	if (p->n_details < TLSRPT_DETAILS_MAX)
		return add_detail(p, result, cut);
	d = find_detail(p, result, none);
	return d != NULL ? d : add_detail(p, result, none);
}

/* ---- counting ---- */

static bool
count(struct tlsrpt *t, const struct tlsrpt_event *e, int64_t now)
{
	const struct span texts[TLSRPT_TEXTS] = {
		[TLSRPT_HOST] = e->host, [TLSRPT_TO] = e->to,
		[TLSRPT_FROM] = e->from, [TLSRPT_WHY] = e->why,
	};
	struct tlsrpt_day *day = tlsrpt_day_at(t, number_of(now), e->domain);
	struct tlsrpt_policy *policy = day == NULL ? NULL :
	    tlsrpt_policy_at(day, e->kind, e->policy, e->patterns);
	struct tlsrpt_detail *detail;

	if (policy == NULL)
		return false;
	if (e->result == TLSRPT_SUCCESS) {
		policy->successes++;
		return true;
	}
	if ((detail = tlsrpt_detail_at(policy, e->result, texts)) == NULL)
		return false;
	detail->count++;
	policy->failures++;
	return true;
}

void
tlsrpt_count(struct tlsrpt *t, const struct tlsrpt_event *e, int64_t now)
{
	if (!count(t, e, now))
		t->lost++;
	t->has_changed = true;
}

uint64_t
tlsrpt_lost(const struct tlsrpt *t)
{
	return t->lost;
}

size_t
tlsrpt_domains(const struct tlsrpt *t)
{
	return map_span_count(&t->days);
}

/* ---- what is due ---- */

struct tlsrpt_day *
tlsrpt_due(struct tlsrpt *t, int64_t now)
{
	struct tlsrpt_day *day;
	size_t cursor = 0;

	while ((day = map_span_next(&t->days, &cursor)) != NULL) {
		int64_t over_at = tlsrpt_day_begin(day) + TLSRPT_DAY_MS;

		if (now - TLSRPT_LIFE_MS > over_at)
			tlsrpt_forget(t, &day);
		else if (now >= over_at && now >= day->due_at)
			return day;
	}
	return NULL;
}

void
tlsrpt_put_off(struct tlsrpt *t, struct tlsrpt_day *day, int64_t until)
{
	day->due_at = until;
	t->has_changed = true;
}

bool
tlsrpt_has_changed(const struct tlsrpt *t)
{
	return t->has_changed;
}
