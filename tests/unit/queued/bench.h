/*
 * queued without a parent: its rooms on a loop with a spool in a directory of
 * its own, and scripted smtpd, deliverd and mtactl at the other ends of real
 * channels.  Clocks go forward by order; syncs of the log can be held up or
 * made to fail; queued can be killed at any moment, with what it had written.
 */
#ifndef MTAD_TESTS_QUEUED_BENCH_H
#define MTAD_TESTS_QUEUED_BENCH_H

#include "common/ipc/channel.h"
#include "common/mail/envelope.h"
#include "queued/queued.h"

#include <criterion/criterion.h>

enum {
	BENCH_PEERS = 3,
	BENCH_LEASES = 4096,
	BENCH_ANSWERS = 4096,
	BENCH_CLIENTS = 40,
	BENCH_PATH = 64,
};

struct bench;

/* A worker of smtpd or deliverd. */
struct bench_peer {
	struct bench *b;
	enum ipc_role role;
	uint16_t index;
	uint64_t instance;
	struct channel *ours;		/* queued's end; NULL: not connected */
	struct channel *theirs;
	bool is_cut;			/* queued closed it */
	/* of a smtpd */
	uint64_t credit;
	uint64_t body_credit;
	unsigned body_failed;
	uint8_t body_why;
	struct msg_room room;
	/* of a deliverd */
	unsigned confirms;
	bool is_known;			/* it was told so */
	uint64_t confirmed;		/* the last one */
	unsigned contents;
	uint8_t content_failed;
	struct buf content;		/* of the last `content` */
	unsigned asks;			/* for a TXT record … */
	uint32_t cookie;		/* … of the last one */
	char domain[256];
};

/* The answer to a submission, or to a question about a token. */
struct bench_answer {
	uint64_t token;
	uint64_t id;
	uint64_t synced;		/* syncs of the log until then */
	uint8_t result;
	uint16_t peer;
};

struct bench_lease {
	struct msg_lease m;		/* its spans are not valid */
	uint16_t peer;
	bool is_told;			/* a verdict was sent */
	bool is_confirmed;
	uint8_t scope;			/* of that verdict … */
	uint16_t attempt_code;		/* … 250 unless set before */
	uint32_t n_results;
	struct buf results;
	uint32_t rcpts;
	struct buf to;			/* "a@b c@d" */
	struct buf sender;
	struct buf destination;
	struct buf rows;
	struct buf content;
	int8_t priority;
};

/* A mtactl and what came for its last question. */
struct bench_client {
	struct bench *b;
	struct channel *c;
	bool is_cut;
	unsigned ends;			/* of answers, but `busy` */
	unsigned busy;
	uint8_t result;
	uint64_t count;
	char text[512];
	unsigned rows;
	struct msg_ctl_row row;		/* the last; spans are not valid */
	char why[512];			/* of its first recipient */
	unsigned heads;
	unsigned figures;
	struct msg_ctl_forecast_all forecast;
	unsigned forecast_rows;
};

struct bench {
	struct loop *loop;
	struct proc *proc;
	struct conf *conf;
	struct queued *q;
	char dir[BENCH_PATH];
	char sock[BENCH_PATH + 8];		/* the control socket */
	uint64_t instance;
	uint64_t next_token;
	bool is_down;			/* queued is dead */
	bool is_failed;			/* it gave up (proc_fail) */
	struct bench_peer smtpds[BENCH_PEERS];
	struct bench_peer deliverds[BENCH_PEERS];
	struct bench_answer answers[BENCH_ANSWERS];
	unsigned n_answers;
	struct bench_lease leases[BENCH_LEASES];
	unsigned n_leases;
	struct bench_client clients[BENCH_CLIENTS];
	struct channel *parent;		/* the parent's end */
	struct channel *to_parent;
	unsigned reload_asked;
	uint64_t reload_cookie;
	unsigned levels_set;
	int log_fd;
	void (*in_peer)(bool begins);	/* around what peers do; or NULL */
};

/* MORE is YAML behind the usual; no smtpd or deliverd is there yet. */
void bench_open(struct bench *b, const char *more);
void bench_close(struct bench *b);

/* Another configuration, as by a reload. */
void bench_reload(struct bench *b, const char *more);

/* kill -9: what was written stays, what waited in memory is lost; the peers
 * see their channels end.  start begins a new one. */
void bench_kill(struct bench *b);
void bench_stop(struct bench *b);	/* in order */
void bench_start(struct bench *b);
/* A start that may fail: then it is still down. */
enum err bench_try_start(struct bench *b, struct why *why);

/* Connects a peer to the living queued. */
void bench_live(struct bench_peer *p);
void bench_die(struct bench_peer *p);
/* ... and a deliverd that holds nothing. */
void bench_present(struct bench_peer *p);
/* ... or never had a lease before. */
void bench_present_new(struct bench_peer *p);
/* The first smtpd and the first deliverd. */
void bench_usual(struct bench *b);

void bench_turn(struct bench *b, int ms);
int64_t bench_real_ms(void);
void bench_skip(struct bench *b, int64_t ms);
void bench_jump(struct bench *b, int64_t ms);	/* the wall clock alone */

/* ---- the disk ---- */
void bench_hold_syncs(bool is_held);
void bench_fail_syncs(int error);	/* 0: no more */
uint64_t bench_syncs(void);		/* of the log, done */

/* ---- smtpd ---- */
uint64_t bench_submit(struct bench *b, const char *sender, const char *rcpts,
    const char *body);
uint64_t bench_submit_envelope(struct bench_peer *p, struct span envelope,
    struct span body, uint64_t body_bytes);
void bench_envelope(const char *sender, const char *rcpts, struct buf *out);
/* The last answer for it, or NULL. */
const struct bench_answer *bench_answer(const struct bench *b, uint64_t token);
/* Submits, waits for acceptance; the queue id. */
uint64_t bench_mail(struct bench *b, const char *sender, const char *rcpts);

/* ---- deliverd ---- */
struct bench_lease *bench_lease(struct bench *b, unsigned i);
/* The first one without a verdict; NULL. */
struct bench_lease *bench_untold(struct bench *b);
/* The same outcome for all recipients. */
void bench_tell(struct bench *b, struct bench_lease *l, enum outcome outcome,
    enum verdict_scope scope, const char *text);
/* Verdicts that were not confirmed, as deliverd does after a while. */
void bench_tell_again(struct bench *b);
void bench_tell_rows(struct bench *b, struct bench_lease *l,
    enum verdict_scope scope, const struct msg_result *rows, uint32_t n);
void bench_tell_held(struct bench_peer *p, const struct bench_lease *l);
/* A deliverd that meets a new queued: what it holds, its verdicts that were
 * not confirmed, and that this is all. */
void bench_return(struct bench_peer *p);
/* Waits for the next lease and tells. */
void bench_next(struct bench *b, enum outcome outcome,
    enum verdict_scope scope, const char *text);

/* ---- mtactl ---- */
struct bench_client *bench_client(struct bench *b);
/* Asks, waits for the end; the count. */
uint64_t bench_ask(struct bench *b, enum ctl_verb verb, const char *words);
void bench_send_queue(struct bench_client *c, enum ctl_verb verb,
    const char *words, bool is_dry_run);

/* ---- looking ---- */
uint64_t bench_messages(const struct bench *b);
uint64_t bench_recipients(const struct bench *b);
unsigned bench_log_count(struct bench *b, const char *words);

/* Real time: for a machine with many others on it.  What comes ends it. */
#define BENCH_PATIENCE_MS 60000

#define WAIT(expr) do { \
	int64_t end_ = bench_real_ms() + BENCH_PATIENCE_MS; \
	while (!(expr) && bench_real_ms() < end_) \
		bench_turn(&b, 1); \
	cr_assert(expr, "never came: %s", #expr); \
} while (0)

#endif
