/*
 * The accounts: what clients, next hops and the operator saw of each message.
 * It knows nothing of queued but its frames and its log, and says when a
 * promise of docs/INVARIANTS.md is broken.
 */
#ifndef MTAD_TESTS_SIM_SIM_MAIL_H
#define MTAD_TESTS_SIM_SIM_MAIL_H

#include "common/base/buf.h"
#include "common/mail/envelope.h"
#include "tests/sim/sim_clock.h"

enum {
	SIM_DOMAINS = 6,
	SIM_RCPTS = 64,
	SIM_BLOCK = 7,			/* of a list that is begun at once */
	SIM_LIST_IDS = 1000,		/* behind that of a list: its parts' */
	SIM_ADDRESS = 48,
	SIM_MARK = 32,
};

enum sim_fate {
	SIM_OPEN,		/* submitted, no answer yet */
	SIM_KEPT,		/* acknowledged */
	SIM_TURNED_AWAY,	/* refused: it must not go anywhere */
	SIM_ORPHAN,		/* its smtpd died: either is right */
};

struct sim_rcpt {
	char address[SIM_ADDRESS];
	uint8_t notify;
	unsigned deliveries;		/* its next hop took it so often */
	unsigned reports;		/* of its failure, that were seen */
	unsigned told;			/* deliveries, by the history */
	bool is_told_done;		/* a verdict said delivered … */
	bool is_told_failed;		/* … or failed */
	bool is_expired;		/* queued's log says so */
	bool is_unreported;		/* … that nobody is told of it */
	bool is_settled;		/* such a verdict was confirmed, … */
	int64_t settled_at;		/* … then (monotonic), … */
	uint64_t settled_order;		/* … by that frame, … */
	uint64_t settled_group;		/* … and by no later group */
	bool may_repeat;		/* a crash explains a second delivery, … */
	unsigned may_deliver;		/* … so many all together, … */
	unsigned late;			/* … one more for each who hung, and … */
	unsigned doubts;		/* … so often that was logged, unless … */
	bool is_unmarked;		/* … nobody could know of it */
	int64_t leased_at;		/* monotonic */
	bool may_vanish;		/* the operator has asked for it … */
	bool was_out;			/* … when, or before, it was done */
	bool is_deleted;		/* … and was told that it is done; … */
	bool may_linger;		/* … others of its unit were out */
	unsigned leases;		/* deliverds that are at it */
	unsigned unconfirmed;		/* … or have told what came of it */
};

struct sim_mail {
	uint32_t number;
	enum sim_fate fate;
	uint64_t token, id;		/* id 0: not known */
	uint16_t smtpd;
	char sender[SIM_ADDRESS];	/* "": null */
	struct sim_rcpt *rcpts;
	uint32_t rcpt_count;
	struct buf body;		/* of a report: the whole content */
	char mark[SIM_MARK];		/* stands in its body, nowhere else */
	struct sim_moment since;	/* it came then at the earliest, … */
	struct sim_moment kept;		/* … at the latest; mono 0: open */
	bool is_report;
	bool is_delay;
	uint32_t about;			/* of a report: its message's number */
	bool is_about_unseen;		/* a report that nobody got to see */
	bool is_meant;			/* by the operator's question */
	bool is_held;
	uint64_t held_since;		/* order of the answer that said so */
	bool is_damaged;
	bool has_vanished_report;	/* one was deleted before it was seen */
	unsigned failure_reports, delay_reports;
	/* a body that is streamed */
	bool is_streamed, is_sent, is_asked;
	size_t sent, credit;
	/* a list: its recipients come before the body */
	bool is_list;
	uint32_t listed;		/* so many were sent, … */
	size_t listed_bytes;
	uint32_t begun;			/* as queued's log says */
};

struct sim_mails {
	struct sim_mail **v;
	uint32_t n;
};

extern struct sim_mails mails;

void sim_mails_free(void);

/* A new one of a client, by the dice. */
struct sim_mail *sim_mail_new(void);
/* One of queued's own, as it is first seen: ADDRESSEE, CONTENT. */
struct sim_mail *sim_mail_report(uint64_t id, struct span addressee,
    struct span content);

/* A report failed before anybody saw it, and perhaps the one about it, too:
 * what they are about is reported by that; false: it is none. */
bool sim_mail_unseen(uint64_t id);

/* A part's id is its list's, too. */
struct sim_mail *sim_mail_by_id(uint64_t id);
struct sim_mail *sim_mail_by_token(uint64_t token);
/* By the address of one of its recipients; *RCPT is that. */
struct sim_mail *sim_mail_by_rcpt(struct span address,
    struct sim_rcpt **rcpt);
unsigned sim_domain_of(const char *address);

/* The id under which row ROW of M is given out, if ID is one of M's; a list's
 * parts have ids that follow its own. */
uint64_t sim_mail_id_of_row(const struct sim_mail *m, size_t row);

/* What a client heard. */
void sim_mail_answered(struct sim_mail *m, bool is_kept, uint64_t id);

/* Whether CONTENT is what was handed over, with its trace field. */
void sim_mail_check_content(const struct sim_mail *m, struct span content);

/* A next hop has taken it. */
void sim_mail_delivered(struct sim_mail *m, struct sim_rcpt *r);

/* A crash explains one delivery more. */
void sim_rcpt_excuse(struct sim_rcpt *r);

int64_t sim_mail_life(const struct sim_mail *m);

/* sim_log.c: when queued made this report, about which id, and the number of
 * that if it is a client's; false: it did not say so. */
bool sim_log_reported(uint64_t id, struct sim_moment *at, uint64_t *about,
    uint32_t *number);
void sim_log_clear(void);
/* A part of a list was begun since this was asked last. */
bool sim_log_was_begun(void);
/* Some of the history was told as lost. */
bool sim_log_has_lost(void);
/* Mail was refused for want of room. */
bool sim_log_has_been_full(void);

/* Before the power goes: results and notes of the last second may be lost. */
void sim_mails_power_cut(void);
/* queued has ended, in whatever way. */
void sim_mails_alone(void);
/* Which leases are in doubt could not be written: the next one may not know. */
void sim_mails_unkept(void);
/* How far the index was is not known any more. */
void sim_mails_index_lost(void);

/* Compares with all that the queue holds now. */
void sim_mails_audit(void);

/* At the end, when the queue is empty. */
void sim_mails_close(void);
/* And what the history tells of it all; IS_WHOLE: nothing was too old. */
void sim_mails_history(bool is_whole);

/* Has it come to one of its ends, as far as can be seen? */
bool sim_rcpt_is_over(const struct sim_mail *m, const struct sim_rcpt *r);

#endif
