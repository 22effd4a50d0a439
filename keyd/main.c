/*
 * keyd: holds what must not lie in the memory of a process that reads the
 * network: private keys and users' passwords; and signs and checks for those
 * that do (I-07).
 *
 * It can open no file: the parent reads them and sends their bytes, at the
 * start and with each reload, after `keyd --check` found them good.  smtpds
 * get the certificates from here, so that they never show one whose key is
 * not here.
 */
#include "common/ipc/channel.h"
#include "common/log/log.h"
#include "common/loop/timer.h"
#include "common/os/fd.h"
#include "common/os/random.h"
#include "common/proc/proc.h"
#include "keyd/auth.h"
#include "keyd/check.h"
#include "keyd/doors.h"
#include "keyd/early.h"
#include "keyd/grants.h"
#include "keyd/hops.h"
#include "keyd/inquiry.h"
#include "keyd/relay.h"
#include "keyd/srs_keys.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SECRETS_MAX	((size_t)4 * 1024 * 1024)
#define TEXT_MAX	((size_t)16 * 1024)
#define SRS_TEXT_MAX	((size_t)1024)
#define TICKETS_MS	((int64_t)12 * 60 * 60 * 1000)	/* a secret's life */

struct keyd {
	struct proc *proc;
	struct pairs pairs;
	struct doors doors;
	struct passwords passwords;
	struct auth *auth;
	struct relay relay;		/* our own, for next hops */
	struct hops hops;
	struct grants *grants;		/* tokens for them */
	struct channel *fetchd;		/* NULL while it is away */
	struct srs_keys srs;
	struct inquiry *inquiry;	/* of Dovecot */
	struct list peers;		/* struct peer: smtpds */
	uint64_t last_peer;
	struct early early;
	struct timer timer;
	uint8_t tickets[64];		/* smtpds make their keys from it */
};

struct peer {
	struct list node;
	struct channel *channel;
	uint64_t id;			/* is never another's */
};

/* ---- certificates ---- */

static void
put_chain(const struct pair *pair, struct buf *rows)
{
	const struct msg_tls_chain row = {
		.key_id = span_of(pair->key_id, SIGN_ID_BYTES),
		.chain = buf_span(&pair->chain),
		.staple = buf_span(&pair->staple),
	};

	msg_put_tls_chain(rows, &row);
}

static void
send_chains(struct keyd *k, struct channel *c)
{
	struct msg m = { .type = MSG_tls_chains };
	struct buf rows;

	buf_init(&rows, SECRETS_MAX);
	for (size_t i = 0; i < k->pairs.n; i++)
		put_chain(&k->pairs.v[i], &rows);
	m.tls_chains.tickets = span_of(k->tickets, sizeof(k->tickets));
	m.tls_chains.rows.n = (uint32_t)k->pairs.n;
	m.tls_chains.rows.bytes = buf_span(&rows);
	if (!buf_failed(&rows))
		channel_send_or_end(c, &m);
	buf_clear(&rows);
}

static void
send_to_all(struct keyd *k)
{
	struct list *node;

	for (node = list_first(&k->peers); node != NULL;
	    node = list_next(&k->peers, node))
		send_chains(k, CONTAINER_OF(node, struct peer,
		    node)->channel);
}

/* A session ticket from before is of no use then: its client makes a whole
 * handshake. */
static void
renew_tickets(void *ctx)
{
	struct keyd *k = ctx;

	if (random_fill(k->tickets, sizeof(k->tickets)) == OK)
		send_to_all(k);
	timer_start(&k->timer, TICKETS_MS);
}

static void
log_trouble(struct keyd *k, const char *step, struct span why)
{
	struct log *log = proc_log(k->proc);

	if (!log_begin(log, LOG_FAILED, NULL))
		return;
	log_str(log, "step", step);
	log_text(log, "why", why);
	log_end(log);
}

/* They were checked before; if they can't be used all the same, the old ones
 * stay. */
static enum err
take_pairs(struct keyd *k, const struct msg_list *rows, struct buf *text)
{
	struct pairs pairs;
	enum err e = pairs_load(rows, PAIRS_SERVER, (int64_t)time(NULL), &pairs,
	    text);

	if (e != OK)
		return e;
	pairs_clear(&k->pairs);
	k->pairs = pairs;
	send_to_all(k);
	return OK;
}

static void
reload_pairs(struct keyd *k, const struct msg_list *rows)
{
	struct buf text;

	buf_init(&text, TEXT_MAX);
	if (take_pairs(k, rows, &text) != OK)
		log_trouble(k, "taking over certificates", buf_span(&text));
	buf_clear(&text);
}

static void
reload_hop_pairs(struct keyd *k, const struct msg_list *rows)
{
	struct buf text;

	buf_init(&text, TEXT_MAX);
	if (hops_take(&k->hops, rows, &text) != OK)
		log_trouble(k, "taking over certificates for next hops",
		    buf_span(&text));
	buf_clear(&text);
}

/* ---- passwords ---- */

static void
send_offer(struct keyd *k, struct channel *c)
{
	struct msg m;

	auth_offer(k->auth, &m);
	channel_send_or_end(c, &m);
}

static void
send_offer_to_all(void *ctx)
{
	struct keyd *k = ctx;
	struct list *node;

	for (node = list_first(&k->peers); node != NULL;
	    node = list_next(&k->peers, node))
		send_offer(k, CONTAINER_OF(node, struct peer,
		    node)->channel);
}

/* The answer to a question; its asker may be gone. */
static void
send_answer(void *ctx, uint64_t peer, const struct msg *m)
{
	struct keyd *k = ctx;
	struct list *node;

	for (node = list_first(&k->peers); node != NULL;
	    node = list_next(&k->peers, node)) {
		struct peer *p = CONTAINER_OF(node, struct peer, node);

		if (p->id == peer) {
			channel_send_or_end(p->channel, m);
			return;
		}
	}
}

/* As with certificates: the old ones stay if the new can't be used. */
static enum err
take_passwords(struct keyd *k, struct span name, struct span file,
    struct buf *text)
{
	struct passwords passwords;
	struct siphash_key seed;
	enum err e = random_key(&seed);

	if (e == OK)
		e = passwords_load(name, file, &seed, &passwords, text);
	if (e != OK)
		return e;
	passwords_clear(&k->passwords);
	k->passwords = passwords;
	return OK;
}

static void
reload_passwords(struct keyd *k, const struct msg_passwords *m)
{
	struct buf text;

	buf_init(&text, TEXT_MAX);
	if (take_passwords(k, m->name, m->file, &text) == OK)
		send_offer_to_all(k);
	else
		log_trouble(k, "taking over passwords", buf_span(&text));
	buf_clear(&text);
}

/* ---- passwords of ours ---- */

static void
take_relay(struct keyd *k, const struct msg_list *rows)
{
	if (relay_take(&k->relay, rows) != OK && k->proc != NULL)
		log_trouble(k, "taking over passwords for next hops",
		    SPAN_LIT("no memory"));
}

static void
answer_relay(const struct keyd *k, struct channel *c,
    const struct msg_hop_ask *ask)
{
	struct relay_answer store;
	struct msg m;

	relay_ask(&k->relay, ask, &store, &m);
	channel_send_or_end(c, &m);
	explicit_bzero(&store, sizeof(store));
}

/* ---- senders that are rewritten ---- */

static void
take_srs(struct keyd *k, const struct msg_srs_keys *m)
{
	if (srs_keys_take(&k->srs, m) != OK && k->proc != NULL)
		log_trouble(k, "taking over srs.secret_file",
		    SPAN_LIT("no memory"));
}

/* Whoever takes mail in has nothing to sign. */
static void
answer_srs(const struct keyd *k, struct channel *c,
    const struct msg_srs_ask *ask)
{
	const int64_t day_ms = (int64_t)24 * 60 * 60 * 1000;
	struct buf text;
	struct msg m;

	if (!ask->is_reverse && channel_peer(c)->role != ROLE_DELIVERD)
		return;
	buf_init(&text, SRS_TEXT_MAX);
	srs_keys_answer(&k->srs, ask,
	    (uint32_t)(loop_wall_ms(proc_loop(k->proc)) / day_ms), &text, &m);
	channel_send_or_end(c, &m);
	buf_clear(&text);
}

static void
reload_grants(struct keyd *k, const struct msg_list *rows)
{
	if (grants_load(k->grants, rows) != OK)
		log_trouble(k, "taking over tokens for next hops",
		    SPAN_LIT("no memory"));
}

/* ---- the skeleton's calls ---- */

static void
on_msg(void *ctx, struct proc *p, const struct msg *m, int fd)
{
	struct keyd *k = ctx;

	(void)p;
	if (k->proc != NULL && m->type == MSG_dovecot) {
		inquiry_take(k->inquiry, m->dovecot.path, fd);
		return;
	}
	fd_close(&fd);
	/* kept as it comes, also before the start */
	if (m->type == MSG_hop_secrets)
		take_relay(k, &m->hop_secrets.rows);
	else if (m->type == MSG_srs_keys)
		take_srs(k, &m->srs_keys);
	else if (k->proc == NULL)
		early_keep(&k->early, m);
	else if (m->type == MSG_tls_pairs)
		reload_pairs(k, &m->tls_pairs.rows);
	else if (m->type == MSG_hop_pairs)
		reload_hop_pairs(k, &m->hop_pairs.rows);
	else if (m->type == MSG_hop_grants)
		reload_grants(k, &m->hop_grants.rows);
	else if (m->type == MSG_passwords)
		reload_passwords(k, &m->passwords);
}

static enum err
take_early(struct keyd *k, struct buf *text)
{
	const struct msg_list rows = { k->early.count,
	    buf_span(&k->early.rows) };
	const struct msg_list hop_rows = { k->early.hop_count,
	    buf_span(&k->early.hop_rows) };
	const struct msg_list grant_rows = { k->early.grant_count,
	    buf_span(&k->early.grant_rows) };
	enum err e = early_failed(&k->early) ? ERR_NOMEM : OK;

	if (e == OK)
		e = take_pairs(k, &rows, text);
	if (e == OK)
		e = hops_take(&k->hops, &hop_rows, text);
	if (e == OK)
		e = grants_new(proc_loop(k->proc), proc_log(k->proc),
		    proc_parent(k->proc), &k->grants);
	if (e == OK)
		e = grants_load(k->grants, &grant_rows);
	if (e == OK)
		e = take_passwords(k, buf_span(&k->early.name),
		    buf_span(&k->early.file), text);
	return e;
}

static enum err
start_inquiry(struct keyd *k)
{
	const struct inquiry_setup setup = {
		.loop = proc_loop(k->proc), .log = proc_log(k->proc),
		.parent = proc_parent(k->proc), .auth = k->auth,
		.on_offer = send_offer_to_all, .ctx = k,
	};
	enum err e = inquiry_new(&setup, &k->inquiry);

	if (e == OK)
		inquiry_take(k->inquiry, buf_span(&k->early.dovecot), -1);
	return e;
}

static enum err
start_parts(struct keyd *k, struct buf *text)
{
	enum err e = random_fill(k->tickets, sizeof(k->tickets));

	if (e == OK)
		e = take_early(k, text);
	if (e == OK)
		e = auth_new(proc_loop(k->proc), &k->passwords, send_answer, k,
		    &k->auth);
	if (e == OK)
		e = start_inquiry(k);
	early_wipe(&k->early);
	if (e == OK)
		e = timer_init(&k->timer, proc_loop(k->proc), renew_tickets,
		    k);
	return e;
}

static void
free_parts(struct keyd *k)
{
	inquiry_free(&k->inquiry);
	auth_free(&k->auth);
	passwords_clear(&k->passwords);
	pairs_clear(&k->pairs);
	relay_clear(&k->relay);
	grants_free(&k->grants);
	hops_clear(&k->hops);
	srs_keys_clear(&k->srs);
}

static enum err
on_start(void *ctx, struct proc *p, struct why *why)
{
	struct keyd *k = ctx;
	struct buf text;
	enum err e;

	k->proc = p;
	list_init(&k->peers);
	hops_init(&k->hops);
	doors_init(&k->doors, proc_loop(p));
	buf_init(&text, TEXT_MAX);
	e = start_parts(k, &text);
	if (e != OK) {
		free_parts(k);
		(void)why_set(why, e, "%.*s", (int)text.n,
		    text.n > 0 ? (const char *)text.p : err_text(e));
	}
	buf_clear(&text);
	if (e == OK)
		timer_start(&k->timer, TICKETS_MS);
	return e;
}

static void
on_peer(void *ctx, struct proc *p, struct channel *c)
{
	struct keyd *k = ctx;
	struct peer *peer;

	(void)p;
	/* passwords come and go there */
	channel_keep_secret(c);
	channel_set_user(c, NULL);
	if (channel_peer(c)->role == ROLE_DELIVERD) {
		if (hops_join(&k->hops, c) != OK)
			log_trouble(k, "meeting a sibling",
			    SPAN_LIT("no memory"));
		return;
	}
	if (channel_peer(c)->role == ROLE_FETCHD) {
		k->fetchd = c;
		grants_set_fetchd(k->grants, c);
		return;
	}
	peer = calloc(1, sizeof(*peer));
	channel_set_user(c, peer);
	if (peer == NULL) {
		log_trouble(k, "meeting a sibling", SPAN_LIT("no memory"));
		return;
	}
	peer->channel = c;
	peer->id = ++k->last_peer;
	list_add_last(&k->peers, &peer->node);
	send_chains(k, c);
	send_offer(k, c);
}

static void
on_peer_msg(void *ctx, struct proc *p, struct channel *c, const struct msg *m,
    int fd)
{
	struct keyd *k = ctx;
	const struct peer *peer = channel_user(c);

	(void)p;
	if (m->type == MSG_sign_door && fd >= 0) {
		const bool is_ours = channel_peer(c)->role == ROLE_SMTPD;

		if (doors_add(&k->doors, c, is_ours ? &k->pairs :
		    &k->hops.pairs, fd) != OK)
			log_trouble(k, "opening a door to signatures",
			    SPAN_LIT("unusable socket, or no memory"));
		return;
	}
	fd_close(&fd);
	if (m->type == MSG_hop_ask)
		answer_relay(k, c, &m->hop_ask);
	else if (m->type == MSG_hop_token_ask)
		grants_ask(k->grants, c, &m->hop_token_ask);
	else if (c == k->fetchd && m->type == MSG_token_fetched)
		grants_fetched(k->grants, &m->token_fetched);
	else if (m->type == MSG_srs_ask)
		answer_srs(k, c, &m->srs_ask);
	else if (peer != NULL)
		auth_message(k->auth, peer->id, m);
}

static void
on_peer_gone(void *ctx, struct proc *p, struct channel *c)
{
	struct keyd *k = ctx;
	struct peer *peer = channel_user(c);

	(void)p;
	doors_remove(&k->doors, c);
	hops_leave(&k->hops, c);
	grants_forget(k->grants, c);
	if (c == k->fetchd) {
		k->fetchd = NULL;
		grants_set_fetchd(k->grants, NULL);
	}
	if (peer == NULL)
		return;
	list_remove(&peer->node);
	free(peer);
}

/* Those that needed it have ended before. */
static void
on_drain(void *ctx, struct proc *p, int64_t grace_ms)
{
	(void)ctx;
	(void)grace_ms;
	proc_drained(p);
}

static void
on_stop(void *ctx, struct proc *p)
{
	struct keyd *k = ctx;
	struct list *node;

	(void)p;
	timer_clear(&k->timer);
	doors_clear(&k->doors);
	while ((node = list_first(&k->peers)) != NULL) {
		list_remove(node);
		free(CONTAINER_OF(node, struct peer, node));
	}
	free_parts(k);
}

int
main(int argc, char **argv)
{
	static const struct proc_ops ops = {
		.role = ROLE_KEYD,
		.on_start = on_start,
		.on_msg = on_msg,
		.on_peer = on_peer,
		.on_peer_msg = on_peer_msg,
		.on_peer_gone = on_peer_gone,
		.on_drain = on_drain,
		.on_stop = on_stop,
	};
	static struct keyd k;

	if (argc == 2 && strcmp(argv[1], "--check") == 0)
		return check_main();
	early_init(&k.early);
	relay_init(&k.relay);
	srs_keys_init(&k.srs);
	return proc_main(argc, argv, &ops, &k);
}
