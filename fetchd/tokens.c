#include "fetchd/tokens.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/list.h"
#include "common/ipc/channel.h"
#include "common/oauth/oauth.h"
#include "fetchd/fetch.h"
#include "fetchd/web.h"

#define ANSWER_MAX	((size_t)64 * 1024)

struct tokens {
	struct fetch *fetch;
	struct channel *keyd;
	struct list asked;		/* struct question */
};

struct question {
	struct list node;
	struct tokens *tokens;
	uint32_t number;
};

/* ---- answers ---- */

static void
tell(struct tokens *t, uint32_t number, const struct oauth_answer *a, enum err e)
{
	struct msg m = { .type = MSG_token_fetched };

	m.token_fetched.question = number;
	if (e == OK) {
		m.token_fetched.token = buf_span(&a->token);
		m.token_fetched.refresh_token = buf_span(&a->refresh);
		m.token_fetched.life_s = a->life_s;
	} else {
		m.token_fetched.text = a->text.n > 0 ? buf_span(&a->text) :
		    span_str(err_text(e));
	}
	if (t->keyd != NULL)
		channel_send_or_end(t->keyd, &m);
}

static void
tell_trouble(struct tokens *t, uint32_t number, const char *why)
{
	struct oauth_answer a;

	oauth_answer_init(&a);
	buf_add_span(&a.text, span_sub(span_str(why), 0, OAUTH_TEXT_MAX));
	tell(t, number, &a, ERR_PEER);
	oauth_answer_wipe(&a);
}

static void
free_question(struct question *q)
{
	list_remove(&q->node);
	free(q);
}

static void
on_answer(void *ctx, const struct fetch_answer *answer)
{
	struct question *q = ctx;
	struct oauth_answer a;

	if (answer->status == 0) {
		tell_trouble(q->tokens, q->number, answer->text);
	} else {
		oauth_answer_init(&a);
		tell(q->tokens, q->number, &a, oauth_read(answer->status,
		    answer->body, &a));
		oauth_answer_wipe(&a);
	}
	free_question(q);
}

/* ---- questions ---- */

static enum err
begin(struct question *q, const struct msg_token_fetch *m)
{
	const struct oauth_request request = {
		.client_id = m->client_id, .client_secret = m->client_secret,
		.refresh_token = m->refresh_token, .scope = m->scope,
	};
	char url[WEB_URL_MAX + 1];
	struct fetch_request r = {
		.url = url, .content_type = OAUTH_TYPE,
		.bytes_max = ANSWER_MAX, .timeout_ms = TOKENS_TIMEOUT_MS,
		.is_ours = true,
	};
	struct buf body;
	enum err e;

	if (!span_copy(m->url, url, sizeof(url)))
		return ERR_RANGE;
	buf_init(&body, OAUTH_REQUEST_MAX);
	oauth_put_request(&request, &body);
	r.body = buf_span(&body);
	e = buf_failed(&body) ? ERR_NOMEM :
	    fetch_start(q->tokens->fetch, &r, on_answer, q);
	if (body.p != NULL)
		explicit_bzero(body.p, body.size);
	buf_clear(&body);
	return e;
}

void
tokens_ask(struct tokens *t, const struct msg_token_fetch *m)
{
	struct question *q = calloc(1, sizeof(*q));
	enum err e = ERR_NOMEM;

	if (q != NULL) {
		q->tokens = t;
		q->number = m->question;
		list_add_last(&t->asked, &q->node);
		e = begin(q, m);
		if (e != OK)
			free_question(q);
	}
	if (e == ERR_SYNTAX)
		tell_trouble(t, m->question, "it is no URL of https");
	else if (e != OK)
		tell_trouble(t, m->question, err_text(e));
}

static void
cancel_all(struct tokens *t)
{
	struct list *node;

	while ((node = list_first(&t->asked)) != NULL) {
		struct question *q = CONTAINER_OF(node, struct question,
		    node);

		fetch_cancel(t->fetch, q);
		free_question(q);
	}
}

void
tokens_set_keyd(struct tokens *t, struct channel *keyd)
{
	cancel_all(t);
	t->keyd = keyd;
	if (keyd != NULL)
		channel_keep_secret(keyd);
}

/* ---- life ---- */

enum err
tokens_new(struct fetch *fetch, struct tokens **out)
{
	struct tokens *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return ERR_NOMEM;
	t->fetch = fetch;
	list_init(&t->asked);
	*out = t;
	return OK;
}

void
tokens_free(struct tokens **tokens)
{
	if (*tokens == NULL)
		return;
	cancel_all(*tokens);
	free(*tokens);
	*tokens = NULL;
}
