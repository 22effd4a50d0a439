#include "tx_play.h"

#include <stdio.h>
#include <stdlib.h>

const char *const play_outcomes[TX_OUTCOME_COUNT] = {
	[TX_OPEN] = "open", [TX_DELIVERED] = "delivered",
	[TX_DEFERRED] = "deferred", [TX_FAILED] = "failed",
	[TX_IN_DOUBT] = "in-doubt",
};

void
play_open(struct play *p, size_t feed, size_t chunk)
{
	play_open_tls(p, TX_TLS_NEVER, feed, chunk);
}

void
play_open_tls(struct play *p, enum tx_tls_need need, size_t feed,
    size_t chunk)
{
	memset(p, 0, sizeof(*p));
	p->setup = tx_setup_default;
	p->setup.helo = "client.example";
	p->need = need;
	p->feed = feed;
	p->chunk = chunk;
	buf_init(&p->out, 1 << 24);
	if (tx_new(&p->setup, p->need, &p->out, &p->t) != OK)
		abort();
}

void
play_close(struct play *p)
{
	if (!p->is_closed) {
		tx_lost(p->t, "closed by the test", 0);
		play_pump(p);
	}
	tx_free(&p->t);
	buf_clear(&p->out);
	for (size_t i = 0; i < p->n_mails; i++) {
		buf_clear(&p->mails[i].mail.texts);
		tx_mail_forget(&p->mails[i].mail);
	}
}

struct play_mail *
play_mail(struct play *p, const char *name, const char *sender,
    const char *body, size_t body_n, unsigned flags)
{
	struct play_mail *m = &p->mails[p->n_mails++];

	if (p->n_mails > PLAY_MAILS || body_n > sizeof(m->body))
		abort();
	(void)snprintf(m->name, sizeof(m->name), "%s", name);
	(void)snprintf(m->sender, sizeof(m->sender), "%s", sender);
	if (body_n > 0)
		memcpy(m->body, body, body_n);
	m->body_n = body_n;
	m->mail.sender = span_str(m->sender);
	m->mail.size = body_n;
	m->mail.flags = (uint8_t)flags;
	m->mail.rcpts = m->rcpts;
	m->mail.eight_bit = p->eight_bit;
	buf_init(&m->mail.texts, TX_TEXTS_MAX);
	return m;
}

void
play_rcpt(struct play_mail *m, const char *address)
{
	uint32_t i = m->mail.rcpt_count++;

	if (i >= PLAY_RCPTS)
		abort();
	(void)snprintf(m->addresses[i], sizeof(m->addresses[i]), "%s",
	    address);
	m->rcpts[i].address = span_str(m->addresses[i]);
}

static struct play_mail *
owner(struct play *p, struct tx_mail *mail)
{
	for (size_t i = 0; i < p->n_mails; i++)
		if (&p->mails[i].mail == mail)
			return &p->mails[i];
	abort();
}

static bool
begin_next(struct play *p)
{
	for (size_t i = 0; i < p->n_mails && !tx_is_full(p->t); i++) {
		struct play_mail *m = &p->mails[i];

		if (m->is_begun)
			continue;
		if (m->mail.open == 0)
			tx_mail_reset(&m->mail);
		m->is_begun = true;
		m->given = 0;
		tx_begin(p->t, &m->mail);
		return true;
	}
	return false;
}

static void
give_content(struct play *p, struct tx_mail *mail)
{
	struct play_mail *m = owner(p, mail);
	struct span all = span_of(m->body, m->body_n);
	struct span next = span_sub(all, m->given, p->chunk);
	bool is_last;

	m->given += next.n;
	is_last = m->given == m->body_n;
	if (is_last) {
		m->given = 0;
		p->content_of = mail;
	}
	tx_content(p->t, next, is_last);
}

static void
take_back(struct play *p, struct tx_mail *mail)
{
	struct play_mail *m = owner(p, mail);

	if (mail->rest == TX_REST_MORE)
		m->is_begun = false;
	else if (mail->rest == TX_REST_UNTRIED)
		m->is_untried = true;
	else
		m->is_over = true;
}

void
play_pump(struct play *p)
{
	for (;;) {
		struct tx_mail *mail = NULL;

		switch (tx_next(p->t, &mail)) {
		case TX_WAIT:
			return;
		case TX_READY:
			if (!begin_next(p))
				return;
			break;
		case TX_WANT_CONTENT:
			if (p->is_held)
				return;
			if (p->is_readless)
				tx_content_failed(p->t);
			else
				give_content(p, mail);
			break;
		case TX_MAIL_OVER:
			take_back(p, mail);
			break;
		case TX_START_TLS:
			p->is_shaking = true;
			break;
		case TX_ASK:
			p->asks++;
			break;
		case TX_CLOSE:
			p->is_closed = true;
			return;
		}
	}
}

/* Each piece in memory of its own length, so that ASan sees a read past it. */
void
play_input(struct play *p, const void *bytes, size_t n)
{
	const uint8_t *at = bytes;

	while (n > 0 && !p->is_closed) {
		size_t piece = n < p->feed ? n : p->feed;
		uint8_t *copy = malloc(piece);

		if (copy == NULL)
			abort();
		memcpy(copy, at, piece);
		tx_input(p->t, span_of(copy, piece));
		free(copy);
		play_pump(p);
		at += piece;
		n -= piece;
	}
}

void
play_say(struct play *p, const char *bytes)
{
	play_input(p, bytes, strlen(bytes));
}

struct play_mail *
play_find(struct play *p, const char *name)
{
	for (size_t i = 0; i < p->n_mails; i++)
		if (strcmp(p->mails[i].name, name) == 0)
			return &p->mails[i];
	abort();
}
