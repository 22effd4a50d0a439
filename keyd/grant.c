#include "keyd/grant.h"

#include <string.h>

static void
wipe(struct buf *b)
{
	if (b->p != NULL)
		explicit_bzero(b->p, b->size);
	buf_clear(b);
}

/* In one piece: what grows leaves its beginning behind. */
static void
keep(struct buf *b, struct span bytes)
{
	wipe(b);
	buf_init(b, bytes.n + 1);
	if (buf_reserve(b, bytes.n + 1) != NULL)
		buf_add_span(b, bytes);
}

static bool
is_same(const struct buf *b, struct span bytes)
{
	return span_equal(buf_span(b), bytes);
}

/* ---- life ---- */

enum err
grant_init(struct grant *g, const struct msg_hop_grant *row, int64_t now_ms)
{
	enum err e;

	*g = (struct grant){ .number = 0 };
	keep(&g->name, row->name);
	keep(&g->url, row->url);
	keep(&g->client_id, row->client_id);
	keep(&g->client_secret, row->client_secret);
	keep(&g->scope, row->scope);
	keep(&g->given, row->refresh_token);
	keep(&g->refresh, row->refresh_token);
	e = bucket_init(&g->bucket, 1, GRANT_PAUSE_MS, GRANT_BURST, now_ms);
	if (buf_failed(&g->name) || buf_failed(&g->url) ||
	    buf_failed(&g->client_id) || buf_failed(&g->client_secret) ||
	    buf_failed(&g->scope) || buf_failed(&g->given) ||
	    buf_failed(&g->refresh))
		e = ERR_NOMEM;
	if (e != OK)
		grant_clear(g);
	return e;
}

void
grant_clear(struct grant *g)
{
	wipe(&g->name);
	wipe(&g->url);
	wipe(&g->client_id);
	wipe(&g->client_secret);
	wipe(&g->scope);
	wipe(&g->given);
	wipe(&g->before);
	wipe(&g->refresh);
	wipe(&g->token);
	g->number = 0;
}

/* The file may have the refresh token that it had at first, the one that came
 * last, or the one before that, whose successor is on its way there. */
bool
grant_keep(struct grant *g, const struct msg_hop_grant *row)
{
	if (!is_same(&g->name, row->name) || !is_same(&g->url, row->url) ||
	    !is_same(&g->client_id, row->client_id) ||
	    !is_same(&g->client_secret, row->client_secret) ||
	    !is_same(&g->scope, row->scope))
		return false;
	if (is_same(&g->given, row->refresh_token) || (g->before.n > 0 &&
	    is_same(&g->before, row->refresh_token)))
		return true;
	if (!is_same(&g->refresh, row->refresh_token))
		return false;
	keep(&g->given, row->refresh_token);
	return !buf_failed(&g->given);
}

/* ---- tokens ---- */

static void
drop_token(struct grant *g)
{
	wipe(&g->token);
	g->number = 0;
}

enum grant_next
grant_want(struct grant *g, uint64_t refused, int64_t now_ms)
{
	if (g->number != 0 && (g->number == refused || now_ms >= g->until_ms))
		drop_token(g);
	if (g->number != 0)
		return GRANT_TELL;
	return bucket_take(&g->bucket, 1, now_ms) ? GRANT_FETCH : GRANT_LATER;
}

void
grant_request(const struct grant *g, struct msg_token_fetch *out)
{
	*out = (struct msg_token_fetch){
		.url = buf_span(&g->url), .client_id = buf_span(&g->client_id),
		.client_secret = buf_span(&g->client_secret),
		.refresh_token = buf_span(&g->refresh),
		.scope = buf_span(&g->scope),
	};
}

/* RFC 6749 section 6: the old refresh token is of no more use then. */
static enum err
take_refresh(struct grant *g, struct span refresh)
{
	struct buf fresh = { .p = NULL };

	if (refresh.n == 0 || g->refresh.n == 0 || is_same(&g->refresh, refresh))
		return OK;
	keep(&fresh, refresh);
	if (buf_failed(&fresh)) {
		wipe(&fresh);
		return ERR_NOMEM;
	}
	wipe(&g->before);
	g->before = g->refresh;
	g->refresh = fresh;
	g->has_changed = true;
	return OK;
}

enum err
grant_take(struct grant *g, const struct msg_token_fetched *m, uint64_t number,
    int64_t now_ms)
{
	const int64_t life_ms = (int64_t)m->life_s * 1000;
	const int64_t margin_ms = life_ms / 2 < GRANT_MARGIN_MS ? life_ms / 2 :
	    GRANT_MARGIN_MS;
	enum err e = take_refresh(g, m->refresh_token);

	drop_token(g);
	keep(&g->token, m->token);
	if (e == OK && buf_failed(&g->token))
		e = ERR_NOMEM;
	if (e != OK) {
		drop_token(g);
		return e;
	}
	g->number = number;
	g->until_ms = now_ms + life_ms - margin_ms;
	return OK;
}

static bool
holds(struct span text, const struct buf *secret)
{
	const struct span s = buf_span(secret);

	for (size_t at = 0; s.n > 0 && at + s.n <= text.n; at++)
		if (span_equal(span_sub(text, at, s.n), s))
			return true;
	return false;
}

bool
grant_is_told(const struct grant *g, struct span text)
{
	return holds(text, &g->client_secret) || holds(text, &g->given) ||
	    holds(text, &g->before) || holds(text, &g->refresh) ||
	    holds(text, &g->token);
}
