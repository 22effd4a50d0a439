/*
 * A client dialogue played without a network: mails to deliver on one side,
 * the host's bytes on the other.
 */
#ifndef MTAD_TESTS_DELIVERD_TX_PLAY_H
#define MTAD_TESTS_DELIVERD_TX_PLAY_H

#include "deliverd/engine/tx.h"

#define PLAY_MAILS 8
#define PLAY_RCPTS 64

struct play_mail {
	char name[16];
	char addresses[PLAY_RCPTS][64];
	struct tx_rcpt rcpts[PLAY_RCPTS];
	char sender[64];
	char body[4096];
	size_t body_n;
	size_t given;		/* octets of the body handed over */
	struct tx_mail mail;
	bool is_begun;
	bool is_over;
	bool is_untried;
};

struct play {
	struct tx_setup setup;
	struct tx *t;
	struct buf out;
	struct play_mail mails[PLAY_MAILS];
	size_t n_mails;
	uint8_t eight_bit;	/* of mails to come */
	size_t chunk;		/* octets of content at a time */
	size_t feed;		/* octets of input at a time */
	struct tx_mail *content_of;	/* the last that was all sent */
	bool is_closed;
	enum tx_tls_need need;
	bool is_shaking;	/* TX_START_TLS was said */
	bool was_secured;	/* for the fuzz target */
	unsigned asks;		/* TX_ASK was said */
	bool is_held;		/* content is not given for now */
	bool is_readless;	/* it can't be read */
};

void play_open(struct play *p, size_t feed, size_t chunk);
void play_open_tls(struct play *p, enum tx_tls_need need, size_t feed,
    size_t chunk);
void play_close(struct play *p);

/* A mail to be begun when the dialogue is ready for it. */
struct play_mail *play_mail(struct play *p, const char *name,
    const char *sender, const char *body, size_t body_n, unsigned flags);
void play_rcpt(struct play_mail *m, const char *address);

/* Events; each does what the engine then asks for. */
void play_input(struct play *p, const void *bytes, size_t n);
void play_say(struct play *p, const char *bytes);
void play_pump(struct play *p);

struct play_mail *play_find(struct play *p, const char *name);

extern const char *const play_outcomes[TX_OUTCOME_COUNT];

#endif
