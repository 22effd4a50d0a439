/*
 * Something to say to an SMTP server, by chance: octets for the wire, and what
 * they mean for the model.
 */
#ifndef MTAD_TESTS_TALK_H
#define MTAD_TESTS_TALK_H

#include "common/base/rng.h"
#include "tests/model/model.h"

struct talk {
	struct rng rng;
	unsigned names;			/* given to recipients so far */
	struct buf line;
	struct buf text;		/* behind it: a chunk, or content */
	struct buf plain;		/* content without the stuffing */
	struct buf address;
};

void talk_init(struct talk *t);
void talk_clear(struct talk *t);
bool talk_one_in(struct talk *t, uint64_t n);

/* One command: its line, CRLF included, is in t->line and its chunk in
 * t->text.  SAID borrows both. */
void talk_command(struct talk *t, const struct model *m, enum what what,
    struct said *said);

/* RCPT for nobody else than this one, with a long name. */
void talk_recipient(struct talk *t, struct said *said);

/* A word behind 334, and its line in t->line. */
enum flaw talk_reply(struct talk *t, const struct model *m);

/* What the server adds to a nonce, in base64. */
#define TALK_NONCE "eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4"

/* Content as it stands behind 354, with its end, in t->text. */
void talk_content(struct talk *t, const struct model *m,
    struct content *content);

/* A command that is likely to go on from here, or any. */
enum what talk_choose(struct talk *t, const struct model *m);

#endif
