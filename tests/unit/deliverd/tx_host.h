/*
 * A host for the client dialogue, without a network and in virtual time: it reads
 * what the engine sends, answers as a good one would, and does one fault at one
 * stage.  It notes what it took, and stops the test when the engine breaks what it
 * owes to any host.
 */
#ifndef MTAD_TESTS_DELIVERD_TX_HOST_H
#define MTAD_TESTS_DELIVERD_TX_HOST_H

#include "tx_play.h"

enum host_stage {
	HOST_GREETING, HOST_EHLO, HOST_HELO, HOST_STARTTLS, HOST_HANDSHAKE,
	HOST_EHLO_AGAIN, HOST_AUTH, HOST_MAIL, HOST_RCPT_FIRST, HOST_RCPT_LAST,
	HOST_DATA, HOST_CONTENT, HOST_DOT, HOST_RSET, HOST_NEXT_MAIL,
	HOST_QUIT, HOST_IDLE,
	HOST_STAGE_COUNT
};

/* What the host does when it has said what the fault says. */
enum host_then {
	HOST_GOES_ON,
	HOST_RESETS,		/* all that we sent has arrived */
	HOST_RESETS_EARLY,	/* nothing of what we sent last has */
	HOST_HANGS,		/* takes nothing, says nothing, for ever */
	HOST_SLOWLY,		/* an octet a second, and goes on */
	HOST_DRIPS,		/* the words again and again, one a second */
	HOST_POURS,		/* the same at once */
};

struct host_fault {
	const char *name;
	bool is_behind;		/* the right reply comes first */
	struct span words;	/* empty and not behind: the right reply */
	enum host_then then;
};

struct host {
	struct play play;
	const struct host_fault *fault;
	enum host_stage stage;	/* where it happens */
	bool is_done;		/* it has */
	bool is_hanging;
	bool is_pipelined;
	size_t seen;		/* of the output, read */
	int64_t now_ms, since_ms;
	uint32_t progress;
	unsigned mails, rcpts;	/* of the dialogue; of its mail */
	unsigned accepted;
	bool is_taken[2];	/* the end of the mail was answered with 2yz */
	bool is_clean;		/* and by nothing else */
	uint64_t fed;		/* octets said */
};

/* A whole dialogue about two mails to three recipients, of whom the second does
 * not exist.  VERDICT: a letter for each recipient of the mail that the stage is
 * about: delivered, temporary (deferred), failed, x (in doubt), untried. */
void host_run(struct host *h, const struct host_fault *fault,
    enum host_stage stage, bool is_pipelined, char verdict[4]);

extern const char *const host_stages[HOST_STAGE_COUNT];

#endif
