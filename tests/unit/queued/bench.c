#include "bench.h"

#include "bench_world.h"
#include "common/base/check.h"
#include "common/confload/conf_load.h"
#include "common/log/log.h"
#include "common/proc/proc.h"
#include "queued/service.h"
#include "queued/store/store_private.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* ---- directories ---- */

static void
copy_file(const char *from, const char *to)
{
	static char block[1 << 16];
	FILE *in = fopen(from, "r"), *out;
	size_t n;

	if (in == NULL)
		return;		/* a spare, used meanwhile */
	MUST((out = fopen(to, "w")) != NULL);
	while ((n = fread(block, 1, sizeof(block), in)) > 0)
		MUST(fwrite(block, 1, n, out) == n);
	(void)fclose(in);
	MUST(fclose(out) == 0);
}

/* Copies the tree FROM to TO, or removes it when TO is NULL. */
static void
walk_tree(const char *from, const char *to)
{
	char a[1024], c[1024] = "";
	struct dirent *entry;
	struct stat st;
	DIR *d = opendir(from);

	if (to != NULL)
		(void)mkdir(to, 0700);
	while (d != NULL && (entry = readdir(d)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		(void)snprintf(a, sizeof(a), "%s/%s", from, entry->d_name);
		if (to != NULL)
			(void)snprintf(c, sizeof(c), "%s/%s", to,
			    entry->d_name);
		if (stat(a, &st) != 0)
			continue;
		if (S_ISDIR(st.st_mode))
			walk_tree(a, to != NULL ? c : NULL);
		else if (to != NULL)
			copy_file(a, c);
		else
			(void)unlink(a);
	}
	if (d != NULL)
		(void)closedir(d);
	if (to == NULL)
		(void)rmdir(from);
}

static void
make_dir(struct bench *b)
{
	const char *where = getenv("TMPDIR");

	(void)snprintf(b->dir, sizeof(b->dir), "%s/queued-bench.XXXXXX",
	    where != NULL && strlen(where) < 32 ? where : "/tmp");
	MUST(mkdtemp(b->dir) != NULL);
	(void)snprintf(b->sock, sizeof(b->sock), "%s.sock", b->dir);
}

/* ---- configuration ---- */

static struct conf *
load(const char *more)
{
	struct conf_report report;
	struct conf *conf = NULL;
	struct buf text;
	char yaml[4096];

	(void)snprintf(yaml, sizeof(yaml), "hostname: self.example\n%s%s%s",
	    strstr(more, "workers:") == NULL ?
	    "workers: {smtpd: 1, deliverd: 1}\n" : "",
	    strstr(more, "routes:") == NULL ?
	    "routes: [{to: \"*\", via: \"smtp://hub.example\"}]\n" : "", more);
	conf_report_init(&report, "test.yaml");
	if (conf_load(span_str(yaml), "/tmp", &report, &conf) != OK) {
		buf_init(&text, 1 << 20);
		conf_report_print(&report, false, &text);
		fprintf(stderr, "%.*s\n", (int)text.n, (const char *)text.p);
		abort();
	}
	conf_report_clear(&report);
	return conf;
}

void
bench_reload(struct bench *b, const char *more)
{
	struct conf *old = b->conf;

	b->conf = load(more);
	b->proc->generation++;
	service_ops.on_reload(b->q, b->proc, old);
	conf_free(&old);
}

/* ---- life of queued ---- */

static void
listen_control(struct bench *b)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	struct proc_listener l = { .index = PROC_LISTENER_CONTROL,
		.group = UINT32_MAX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)unlink(b->sock);
	(void)snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", b->sock);
	MUST(bind(fd, (struct sockaddr *)&sun, sizeof(sun)) == 0);
	MUST(listen(fd, 128) == 0);
	service_ops.on_listener(b->q, b->proc, &l, fd);
}

enum err
bench_try_start(struct bench *b, struct why *why)
{
	enum err e;

	b->q = calloc(1, sizeof(*b->q));
	MUST(b->q != NULL && chdir(b->dir) == 0);
	b->instance++;
	b->is_failed = false;
	e = service_ops.on_start(b->q, b->proc, why);
	if (e != OK) {
		free(b->q);
		b->q = NULL;
		return e;
	}
	b->is_down = false;
	listen_control(b);
	return OK;
}

void
bench_start(struct bench *b)
{
	struct why why = { .text = "" };

	if (bench_try_start(b, &why) != OK) {
		fprintf(stderr, "%s\n", why.text);
		abort();
	}
}

static void
forget_clients(struct bench *b)
{
	for (size_t i = 0; i < BENCH_CLIENTS; i++)
		channel_close(&b->clients[i].c);
}

void
bench_stop(struct bench *b)
{
	forget_clients(b);
	for (size_t i = 0; i < BENCH_PEERS; i++) {
		bench_die(&b->smtpds[i]);
		bench_die(&b->deliverds[i]);
	}
	service_ops.on_drain(b->q, b->proc, 1000);
	service_ops.on_stop(b->q, b->proc);
	free(b->q);
	b->q = NULL;
	b->is_down = true;
}

/* What the kernel has of it is read; what queued had not written is lost. */
static void
lose(struct bench_peer *p)
{
	channel_close(&p->ours);
	if (p->theirs != NULL)
		channel_drain_input(p->theirs);
	channel_close(&p->theirs);
}

void
bench_kill(struct bench *b)
{
	char was[BENCH_PATH];

	for (size_t i = 0; i < BENCH_PEERS; i++) {
		lose(&b->smtpds[i]);
		lose(&b->deliverds[i]);
		b->q->smtpds[i].channel = NULL;
		b->q->deliverds[i].channel = NULL;
	}
	forget_clients(b);
	/* LMDB's own crash safety is not what is tried here */
	while (b->q->store->overlay.is_sent)
		(void)store_worker_drain(b->q->store->checkpoint);
	memcpy(was, b->dir, sizeof(was));
	(void)unlink(b->sock);
	make_dir(b);
	walk_tree(was, b->dir);
	bench_hold_syncs(false);
	bench_fail_syncs(0);
	service_ops.on_stop(b->q, b->proc);
	free(b->q);
	b->q = NULL;
	b->is_down = true;
	walk_tree(was, NULL);
}

/* ---- the parent's end ---- */

static void
parent_msg(void *ctx, struct channel *c, const struct msg *m, int fd)
{
	struct bench *b = ctx;

	(void)c;
	(void)fd;
	if (m->type == MSG_reload_ask) {
		b->reload_asked++;
		b->reload_cookie = m->reload_ask.cookie;
	} else if (m->type == MSG_log_level) {
		b->levels_set++;
	}
}

static void
parent_close(void *ctx, struct channel *c, enum channel_end end,
    const char *why)
{
	(void)ctx;
	(void)c;
	(void)end;
	(void)why;
}

static const struct channel_ops parent_ops = { parent_msg, parent_close };

static void
join(struct loop *l, const struct channel_id ids[2],
    const struct channel_ops *const ops[2], void *const ctx[2],
    struct channel **first, struct channel **second)
{
	int fds[2];

	MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
	MUST(channel_new(l, fds[0], &ids[0], &ids[1], ops[0], ctx[0],
	    first) == OK);
	MUST(channel_new(l, fds[1], &ids[1], &ids[0], ops[1], ctx[1],
	    second) == OK);
}

/* ---- life of the bench ---- */

static void
init_peer(struct bench *b, struct bench_peer *p, enum ipc_role role,
    uint16_t index)
{
	p->b = b;
	p->role = role;
	p->index = index;
	p->instance = 100U + role * 10U + index;
	buf_init(&p->content, 1 << 24);
}

void
bench_open(struct bench *b, const char *more)
{
	const struct channel_id ids[2] = {
		{ .role = ROLE_QUEUED }, { .role = ROLE_PARENT }
	};
	const struct channel_ops *const ops[2] = { &parent_ops, &parent_ops };

	memset(b, 0, sizeof(*b));
	MUST(loop_new(&b->loop) == OK);
	b->proc = calloc(1, sizeof(*b->proc));
	MUST(b->proc != NULL);
	b->proc->b = b;
	b->proc->generation = 1;
	b->log_fd = memfd_create("log", MFD_CLOEXEC);
	MUST(log_new("queued", b->log_fd, &b->proc->log) == OK);
	for (uint16_t i = 0; i < BENCH_PEERS; i++) {
		init_peer(b, &b->smtpds[i], ROLE_SMTPD, i);
		init_peer(b, &b->deliverds[i], ROLE_DELIVERD, i);
	}
	join(b->loop, ids, ops, (void *const[]){ b, b }, &b->to_parent,
	    &b->parent);
	make_dir(b);
	b->conf = load(more);
	b->next_token = UINT64_C(77) << 40 | 1;
	bench_start(b);
}

static void
clear_lease(struct bench_lease *l)
{
	buf_clear(&l->to);
	buf_clear(&l->sender);
	buf_clear(&l->destination);
	buf_clear(&l->rows);
	buf_clear(&l->content);
	buf_clear(&l->results);
}

void
bench_close(struct bench *b)
{
	bench_hold_syncs(false);
	bench_fail_syncs(0);
	if (!b->is_down)
		bench_stop(b);
	for (size_t i = 0; i < BENCH_PEERS; i++) {
		buf_clear(&b->smtpds[i].content);
		buf_clear(&b->deliverds[i].content);
	}
	for (unsigned i = 0; i < b->n_leases; i++)
		clear_lease(&b->leases[i]);
	channel_close(&b->parent);
	channel_close(&b->to_parent);
	loop_free(&b->loop);
	conf_free(&b->conf);
	log_free(&b->proc->log);
	free(b->proc);
	(void)close(b->log_fd);
	(void)unlink(b->sock);
	(void)chdir("/");
	walk_tree(b->dir, NULL);
}

void
bench_turn(struct bench *b, int ms)
{
	int64_t end = bench_real_ms() + ms;

	do
		loop_turn(b->loop, 1);
	while (bench_real_ms() < end);
}

/* ---- what peers are told ---- */

static void
put(struct buf *out, struct span s, size_t max)
{
	buf_init(out, max);
	buf_add_span(out, s);
	buf_add(out, "", 1);
	out->n--;
}

static void
note_lease(struct bench_peer *p, const struct msg_lease *m)
{
	struct bench_lease *l = &p->b->leases[p->b->n_leases++];
	struct envelope envelope;
	struct envelope_iter it;
	struct envelope_rcpt rcpt;

	MUST(p->b->n_leases <= BENCH_LEASES);
	l->m = *m;
	l->peer = p->index;
	l->attempt_code = 250;
	MUST(envelope_check(m->envelope, &envelope) == OK);
	l->priority = envelope.priority;
	put(&l->sender, envelope.sender, 1024);
	put(&l->destination, m->destination, 4096);
	put(&l->rows, m->rows, 8193);
	buf_init(&l->results, 1 << 22);
	put(&l->content, m->content, 1 << 20);
	buf_init(&l->to, 1 << 20);
	envelope_iter_init(&envelope, &it);
	while (envelope_iter_next(&it, &rcpt)) {
		if (l->rcpts++ > 0)
			buf_add(&l->to, " ", 1);
		buf_add_span(&l->to, rcpt.address);
	}
	buf_add(&l->to, "", 1);
	l->to.n--;
}

static void
note_answer(struct bench_peer *p, const struct msg_submitted *m)
{
	struct bench_answer *a = &p->b->answers[p->b->n_answers++];

	MUST(p->b->n_answers <= BENCH_ANSWERS);
	a->token = m->token;
	a->id = m->id;
	a->result = m->result;
	a->peer = p->index;
	a->synced = bench_syncs();
}

static void
note_confirm(struct bench_peer *p, uint64_t lease)
{
	p->confirms++;
	p->confirmed = lease;
	for (unsigned i = 0; i < p->b->n_leases; i++)
		if (p->b->leases[i].m.lease == lease)
			p->b->leases[i].is_confirmed = true;
}

static void
take_msg(struct bench_peer *p, const struct msg *m)
{
	if (m->type == MSG_submitted)
		note_answer(p, &m->submitted);
	else if (m->type == MSG_credit)
		p->credit += m->credit.bytes;
	else if (m->type == MSG_room)
		p->room = m->room;
	else if (m->type == MSG_body_credit)
		p->body_credit += m->body_credit.bytes;
	else if (m->type == MSG_body_failed) {
		p->body_failed++;
		p->body_why = m->body_failed.why;
	} else if (m->type == MSG_lease)
		note_lease(p, &m->lease);
	else if (m->type == MSG_confirm && m->confirm.lease == 0) {
		p->is_known = true;
	} else if (m->type == MSG_confirm) {
		note_confirm(p, m->confirm.lease);
	} else if (m->type == MSG_content) {
		p->contents++;
		p->content_failed = m->content.is_failed;
		buf_reset(&p->content);
		buf_add_span(&p->content, m->content.bytes);
	} else if (m->type == MSG_tls_record_ask) {
		p->asks++;
		p->cookie = m->tls_record_ask.cookie;
		(void)span_copy(m->tls_record_ask.domain, p->domain,
		    sizeof(p->domain));
	}
}

static void
peer_msg(void *ctx, struct channel *c, const struct msg *m, int fd)
{
	struct bench_peer *p = ctx;

	(void)c;
	(void)fd;
	if (p->b->in_peer != NULL)
		p->b->in_peer(true);
	take_msg(p, m);
	if (p->b->in_peer != NULL)
		p->b->in_peer(false);
}

static void
peer_close(void *ctx, struct channel *c, enum channel_end end,
    const char *why)
{
	struct bench_peer *p = ctx;

	(void)end;
	(void)why;
	p->is_cut = true;
	channel_close(&p->theirs);
	(void)c;
}

/* ---- queued's ends, as its proc would serve them ---- */

static void
our_msg(void *ctx, struct channel *c, const struct msg *m, int fd)
{
	struct bench_peer *p = ctx;

	service_ops.on_peer_msg(p->b->q, p->b->proc, c, m, fd);
}

static void
our_close(void *ctx, struct channel *c, enum channel_end end,
    const char *why)
{
	struct bench_peer *p = ctx;

	(void)end;
	(void)why;
	service_ops.on_peer_gone(p->b->q, p->b->proc, c);
	channel_close(&p->ours);
}

void
bench_live(struct bench_peer *p)
{
	static const struct channel_ops queued_end = { our_msg, our_close };
	static const struct channel_ops peer_end = { peer_msg, peer_close };
	const struct channel_ops *const ops[2] = { &queued_end, &peer_end };
	const struct channel_id ids[2] = {
		{ .role = ROLE_QUEUED, .instance = p->b->instance },
		{ .role = p->role, .index = p->index,
		    .instance = p->instance },
	};

	p->is_cut = false;
	p->credit = 0;
	join(p->b->loop, ids, ops, (void *const[]){ p, p }, &p->ours,
	    &p->theirs);
	service_ops.on_peer(p->b->q, p->b->proc, p->ours);
	bench_turn(p->b, 1);
}

void
bench_die(struct bench_peer *p)
{
	channel_close(&p->theirs);
	for (int i = 0; i < 1000 && p->ours != NULL; i++)
		bench_turn(p->b, 1);
	MUST(p->ours == NULL);
	p->instance += 100;
}

void
bench_present(struct bench_peer *p)
{
	const struct msg m = { .type = MSG_presented };

	MUST(channel_send(p->theirs, &m) == OK);
	bench_turn(p->b, 1);
}

void
bench_present_new(struct bench_peer *p)
{
	const struct msg m = { .type = MSG_presented,
	    .presented.is_new = 1 };

	MUST(channel_send(p->theirs, &m) == OK);
	bench_turn(p->b, 1);
}

void
bench_usual(struct bench *b)
{
	bench_live(&b->smtpds[0]);
	bench_live(&b->deliverds[0]);
	bench_present(&b->deliverds[0]);
}
