/*
 * The small numbers that messages carry: roles, results, outcomes, states.
 *
 * Values are part of the frames (messages.def) and, where said, of the spool:
 * append, never renumber.
 */
#ifndef MTAD_IPC_IPC_WORDS_H
#define MTAD_IPC_IPC_WORDS_H

#include "common/ipc/ctl_words.h"

enum ipc_role {
	ROLE_PARENT, ROLE_SMTPD, ROLE_QUEUED, ROLE_DELIVERD, ROLE_DNSD,
	ROLE_KEYD, ROLE_CTL, ROLE_FETCHD, ROLE_COUNT
};

#define R_PARENT	(1U << ROLE_PARENT)
#define R_SMTPD		(1U << ROLE_SMTPD)
#define R_QUEUED	(1U << ROLE_QUEUED)
#define R_DELIVERD	(1U << ROLE_DELIVERD)
#define R_DNSD		(1U << ROLE_DNSD)
#define R_KEYD		(1U << ROLE_KEYD)
#define R_CTL		(1U << ROLE_CTL)
#define R_FETCHD	(1U << ROLE_FETCHD)
#define R_ANY		((1U << ROLE_COUNT) - 1)
#define R_CHILD		(R_SMTPD | R_QUEUED | R_DELIVERD | R_DNSD | R_KEYD | \
			    R_FETCHD)

/* What became of a submission; smtpd turns it into a reply. */
enum submit_result {
	SUBMIT_ACCEPTED,	/* durable: 250 2.0.0 <queue id> */
	SUBMIT_UNKNOWN,		/* token never seen: 451 4.3.0 */
	SUBMIT_NO_ROOM,		/* 452 4.3.1 */
	SUBMIT_IO,		/* 451 4.3.0, nothing kept */
	SUBMIT_MALFORMED,	/* 451 4.3.0; our own mistake, logged */
	SUBMIT_OVER_QUOTA,	/* 450 4.7.1 */
	SUBMIT_BEYOND_QUOTA,	/* 550 5.7.1: it has too many recipients */
	SUBMIT_RESULT_COUNT
};

/* What became of one recipient (also in the spool's verdict records). */
enum outcome {
	OUTCOME_DELIVERED,
	OUTCOME_DEFERRED,	/* 4yz, or no answer */
	OUTCOME_FAILED,		/* 5yz: a report is due */
	OUTCOME_UNTRIED,	/* give the lease out again at once, no try */
	OUTCOME_IN_DOUBT,	/* final reply never seen */
	OUTCOME_EXPIRED,	/* queued's: too old */
	OUTCOME_DISCARDED,	/* queued's: by an operator, or null sender */
	OUTCOME_BEGUN,		/* of a list: it is in parts now */
	OUTCOME_COUNT
};

/* How far a failure reaches. */
enum verdict_scope {
	SCOPE_RECIPIENTS,	/* as each result says */
	SCOPE_DESTINATION,	/* no host of it would talk: all of it backs off */
};

enum attempt_stage {
	STAGE_RESOLVE, STAGE_CONNECT, STAGE_GREETING, STAGE_HELLO, STAGE_TLS,
	STAGE_AUTH, STAGE_MAIL, STAGE_RCPT, STAGE_DATA, STAGE_CONTENT,
	STAGE_FINAL, STAGE_COUNT
};

enum content_flags {
	CONTENT_8BIT = 1,	/* some octet > 127 */
	CONTENT_DOTS = 2,	/* some line begins with a dot */
	CONTENT_NO_EOL = 4,	/* the last line lacks its CRLF */
	CONTENT_BINARY = 8,	/* BINARYMIME: lines mean nothing */
	CONTENT_TIMED = 16,	/* queued's: its envelope says when */
};

enum dns_status {
	DNS_OK, DNS_NO_DATA, DNS_NO_NAME, DNS_TEMPORARY, DNS_REFUSED,
	DNS_STATUS_COUNT
};

/* Of MTA-STS, RFC 8461 3.2. */
enum policy_mode {
	POLICY_MODE_NONE, POLICY_MODE_TESTING, POLICY_MODE_ENFORCE,
	POLICY_MODE_COUNT
};

/* What hindered the look for one: the record, the fetch, the certificate of its
 * host, its text.  RFC 8460 4.3.2.2. */
enum policy_trouble {
	POLICY_TROUBLE_NONE, POLICY_TROUBLE_RECORD, POLICY_TROUBLE_FETCH,
	POLICY_TROUBLE_CERTIFICATE, POLICY_TROUBLE_TEXT, POLICY_TROUBLE_COUNT
};

/* 235; 535, and nobody hears why; 454 */
enum auth_result { AUTH_GOOD, AUTH_BAD, AUTH_LATER, AUTH_RESULT_COUNT };

#endif
