/*
 * Plays a client against the engine, in memory: bytes in, replies and
 * messages out.  Shared by the tests and the fuzz target of smtpd/engine.
 */
#ifndef MTAD_TESTS_SMTPD_PLAY_H
#define MTAD_TESTS_SMTPD_PLAY_H

#include "common/base/buf.h"
#include "common/conf/conf.h"
#include "common/conf/conf_match.h"
#include "smtpd/engine/rx_pace.h"
#include "smtpd/engine/rx_view.h"
#include "smtpd/engine/rx_table.h"

#define PLAY_ID "0000000000001"

#define PLAY_WALL_MS INT64_C(1795313862000)	/* 2026-11-22T02:17:42Z */

struct play {
	struct conf *conf;
	struct conf_match *match;
	struct rx_site site;
	struct rx *rx;
	struct buf in;
	struct buf out;			/* replies since the last reset */
	struct buf body;
	struct buf list;		/* recipients that were taken away */
	struct buf messages;		/* one text line a message, below */
	enum rx_result result;		/* for the next messages */
	bool is_holding;		/* don't answer RX_SUBMIT */
	bool is_closed;
	bool is_shaking;		/* RX_STARTTLS came */
	struct rx_door door;		/* of the next connections */
	bool is_keeping;		/* takes no recipients at RX_LIST */
	unsigned clients;		/* RX_CLIENT came */
	unsigned asks;			/* RX_ASK */
	unsigned calls;
	unsigned lists;
	unsigned submits;
	unsigned drops;
	unsigned refusals;
	bool is_pausing;		/* and not over at once */
	unsigned pauses;		/* that were asked for */
	int64_t paused_ms;
};

/* The site: host mx.example, relay.domains example.org and .sub.example,
 * relay.networks 127.0.0.0/8 and ::1. */
void play_init(struct play *p);
void play_clear(struct play *p);

/* After changes to p->conf's relay section. */
void play_rematch(struct play *p);

/* A new session from CLIENT ("192.0.2.1"), greeted. */
void play_connect(struct play *p, const char *client);
void play_connect_as(struct play *p, const char *client,
    enum rx_greeting how);

/* Feeds bytes and does what the engine asks for, until it wants more. */
void play_feed(struct play *p, struct span bytes);
void play_say(struct play *p, const char *text);

/* Feeds TEXT, returns the code of the only reply that came; 0 when there was
 * not exactly one. */
unsigned play_code(struct play *p, const char *text);

/* Answers a held message. */
void play_submitted(struct play *p, enum rx_result result);

/* How many replies (not lines) p->out holds; checks the form of each line
 * (RFC 5321 4.2): -1 when one is malformed. */
int play_count_replies(const struct play *p);

/* messages holds `from=<a> to=<b>,<c> body=…\r\n` lines, body escaped. */

#endif
