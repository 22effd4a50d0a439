/*
 * What a reader of the RFCs expects of an SMTP server: a model of the
 * dialogue, for tests to hold the real one against.
 *
 * It was written from RFC 5321, 2920, 1870, 2852, 3030, 3207, 3461, 4865, 4954,
 * 5802, 6531, 6710 and 8689, from Postfix's XCLIENT_README, and from
 * mtad.yaml(5), not from the engine, and shares nothing
 * with it: it parses no command.  Who says something tells it what that means
 * (struct said), and it gives the replies that are right, and the messages that
 * are taken.  An event that no client makes has a function of its own.
 *
 * Replies gather as patterns: "250", or "503|554" where either is right; one
 * for each reply, each with a blank behind it.
 */
#ifndef MTAD_TESTS_MODEL_H
#define MTAD_TESTS_MODEL_H

#include "common/base/buf.h"

enum place {
	AT_START,		/* greeted, or behind a handshake */
	AT_READY,
	AT_MAIL,		/* a sender, no recipient */
	AT_RCPT,
	AT_CONTENT,		/* behind 354 */
	AT_CHUNKS,		/* between two chunks */
	AT_HANDSHAKE,		/* behind 220 to STARTTLS */
	AT_AUTH,		/* behind 334 */
	AT_UNWANTED,		/* greeted with 554 */
	AT_END,
	PLACES
};

enum what {
	SAY_EHLO, SAY_HELO, SAY_MAIL, SAY_RCPT, SAY_DATA, SAY_BDAT, SAY_RSET,
	SAY_NOOP, SAY_VRFY, SAY_HELP, SAY_QUIT, SAY_STARTTLS, SAY_AUTH,
	SAY_XCLIENT,
	SAY_ABSENT,		/* a verb that is not offered: EXPN */
	SAY_NONSENSE,		/* a verb of nobody's */
	SAY_UNENDED,		/* a line with a CR or LF alone in it */
	SAY_TOO_LONG,		/* a line */
	SAY_HTTP,
	SAYS
};

/* What is the matter with it. */
enum flaw {
	FINE,
	NO_ARGUMENT,		/* where it needs one */
	AN_ARGUMENT,		/* where it takes none */
	MALFORMED,		/* address, size of a chunk, value: 501 */
	CONTROL,		/* a control character */
	BAD_NAME,		/* of a host */
	UNKNOWN_PARAMETER,	/* or one of another verb */
	NOT_YOURS,		/* of trusted clients alone */
	OF_USERS,		/* fine of users who submit mail */
	BAD_OF_USERS,		/* the same parameters, malformed */
	NOT_BASE64,		/* in AUTH */
	CANCELLED,
	IN_CLEAR,		/* fine in TLS */
	NOT_ASCII,		/* without SMTPUTF8 */
	DECLARED_LARGE,
	NO_DOMAIN,		/* fine for trusted clients */
	RELAY,			/* fine for trusted clients: 550 */
	FLAWS
};

/* RFC 4954 4: whose next word an exchange waits for. */
enum step {
	STEP_NONE, STEP_PLAIN, STEP_USER, STEP_PASSWORD, STEP_SCRAM_FIRST,
	STEP_SCRAM_FINAL,
	STEP_LAST,		/* RFC 4954 4: the empty one behind SCRAM */
	STEPS
};

struct said {
	enum what what;
	enum flaw flaw;
	bool has_parameters;	/* nothing for those that said HELO */
	bool is_utf8;		/* MAIL: SMTPUTF8 */
	bool is_binary;		/* MAIL: BODY=BINARYMIME */
	uint64_t declared;	/* SIZE= */
	uint64_t hold_s;	/* HOLDFOR=, as a report tells it: */
	const char *asked;
	const char *by;		/* BY=: "MS/MODE"; NULL: none */
	enum step step;		/* AUTH: what comes first */
	bool has_initial;	/* ... and has come */
	bool is_of_trusted, has_address;	/* XCLIENT */
	struct span address;	/* as it should be kept, of MAIL and RCPT */
	struct span chunk;
	bool is_last;
	bool is_endless;	/* BDAT of more than anybody reads */
	bool is_followed;	/* STARTTLS: in clear, in the same breath */
};

/* What was found between 354 and the dot. */
struct content {
	struct span text;	/* without the stuffing */
	bool is_endless;
};

enum fate { STORED, NO_ROOM, FAILED };

struct model {
	/* the server */
	const char *host;
	bool is_trusted;
	bool normalises;	/* content.bare_newline */
	unsigned errors_max, rcpts_max, rcpts_known, hops_max;
	unsigned own_hops_max;
	uint64_t size_max;
	bool is_full, is_gone;	/* the spool */
	uint64_t room;
	bool offers_tls, needs_tls, has_key, offers_auth, offers_scram;
	bool is_submission, may_xclient;
	bool is_peer_trusted;	/* whoever connected */
	/* the session */
	enum place at;
	bool is_esmtp, is_tls, is_draining, is_known;
	bool is_client_trusted;	/* by the address it has now */
	enum step step;
	unsigned errors, idle;
	/* the transaction */
	bool is_utf8, is_binary;
	bool was_refused;	/* a recipient */
	enum fate kept;		/* of recipients or content so far */
	uint64_t hold_s;
	const char *asked, *by;
	unsigned rcpts;
	struct buf sender, list, content;
	/* the outcome */
	struct buf replies;	/* patterns */
	struct buf messages;	/* from=<…> to=<…>,<…> body=…, escaped */
	unsigned whole;		/* messages that wait for model_stored() */
	bool asks;		/* a password waits for model_answered() */
};

void model_init(struct model *m);
void model_clear(struct model *m);

/* A new session; the spool and the limits stay. */
void model_greet(struct model *m, bool is_wanted);

void model_say(struct model *m, const struct said *s);
void model_content(struct model *m, const struct content *c);
bool model_likes(struct model *m, const struct content *c);
void model_stored(struct model *m, enum fate fate);

/* What is said behind 334. */
void model_reply(struct model *m, enum flaw flaw);

enum verdict { YES, NO, LATER };
void model_answered(struct model *m, enum verdict verdict);

void model_secured(struct model *m);
void model_drain(struct model *m);
void model_hang_up(struct model *m);		/* 421, whatever it is at */
void model_lost(struct model *m, enum fate why); /* what it keeps so far */

#endif
