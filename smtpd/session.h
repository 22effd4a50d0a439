/*
 * One client: its stream, its dialogue, and the message it is sending.
 *
 * A session frees itself when it is over; the server learns of it by
 * server_session_over().  Bytes of the client are read only as far as the
 * message they belong to can be kept: what queued can't take yet stays in the
 * client's TCP window.
 */
#ifndef MTAD_SMTPD_SESSION_H
#define MTAD_SMTPD_SESSION_H

#include "common/base/endpoint.h"
#include "common/base/list.h"
#include "common/loop/stream.h"
#include "common/loop/timer.h"
#include "smtpd/engine/rx_auth.h"
#include "smtpd/engine/rx_view.h"
#include "smtpd/engine/rx_pace.h"
#include "smtpd/engine/rx_patience.h"
#include "smtpd/gate.h"
#include "smtpd/spool_client.h"
#include "common/tls/tls_filter.h"
#include "common/conf/conf_types.h"

struct server;

/* What a client connected to. */
struct session_door {
	struct rx_door rx;
	enum conf_service service;
	struct ipaddr proxy;		/* by which it came, or none */
};

struct session {
	struct server *server;
	struct list node;		/* of all sessions */
	struct list asking_node;	/* of those that wait for keyd */
	uint64_t asking;		/* its cookie */
	struct list idle_node;		/* of strangers, most idle first */
	struct stream *stream;		/* NULL: the client is gone */
	struct tls_filter *tls;		/* the stream's; NULL: in clear, or
					 * the client is gone */
	struct tls_facts facts;		/* of TLS, when it is open; static */
	struct tls_identity *identity;	/* of its certificate; NULL: none */
	enum conf_service service;
	struct timer timer;
	struct rx *rx;
	struct gate_check *gate;	/* NULL: nothing is asked */
	struct rx_patience patience;
	uint64_t turns_noted;		/* rx_turns() of its place below */
	struct rx_budget budget;	/* before the step in hand */
	int64_t pause_until_ms;		/* 0: none */
	int64_t quota_until_ms;		/* quotas.c: as looked up when ... */
	uint64_t quota_changes;		/* ... this was its state ... */
	size_t quota_user_n;		/* ... and this the user */
	struct endpoint client;
	struct endpoint peer;		/* who connected, and is counted */
	struct ipaddr proxy;		/* by which it came, or none */
	struct buf body;		/* of the message, not yet handed over */
	struct spool_job job;
	int64_t begun_at_ms;
	int64_t tls_until_ms;		/* of a handshake */
	uint64_t bytes_noted;		/* of the stream, by patience */
	uint32_t accepted;		/* messages */
	bool has_body;			/* body was taken from server->bodies */
	bool is_counted;		/* by admission */
	bool is_streaming;		/* the body goes over in pieces */
	bool is_list;			/* … and very many recipients before */
	bool is_whole;			/* … and all of it is in `body` */
	bool is_busy;			/* inside session_on_bytes() */
	bool is_over;			/* to be freed when that is left */
	bool is_at_eof;
	bool has_unread;		/* behind the last step */
};

/*
 * Takes FD on success.  COUNTED: admission_enter() was called for it.  The
 * greeting leaves at the end of this turn, or when TLS is open.  ERR_NOMEM,
 * ERR_IO, ERR_AGAIN (TLS is wanted, and there is no certificate).
 */
enum err session_new(struct server *server, int fd,
    const struct endpoint *client, const struct session_door *door,
    enum rx_greeting how, bool is_counted);

/* Says why and hangs up; a message in queued's hands is still settled. */
void session_close(struct session *s, enum rx_closing why);

/* Finishes what is in hand, then 421. */
void session_drain(struct session *s);

/* Drops it without a word (the process ends). */
void session_free(struct session *s);

/* May it be closed for somebody else's sake? */
bool session_is_idle(const struct session *s, int64_t now_ms);
bool session_is_between(const struct session *s);	/* no content now */

/* After what may have closed the dialogue: hangs up, or reads on. */
void session_settle(struct session *s);

/* Queued is there again: content that waited for it may go on. */
void session_wake(struct session *s);

/* Queued has been away for long: content that must go over is refused. */
void session_give_up(struct session *s);

/* For struct spool_ops: JOB is a session's. */
bool session_on_fill(struct spool_job *job, struct msg_submit *m);
void session_on_result(struct spool_job *job, enum submit_result result,
    uint64_t id);
void session_on_failed(struct spool_job *job, enum submit_result result);
void session_on_credit(struct spool_job *job);

#endif
