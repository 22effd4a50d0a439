/*
 * What children are told, as messages.
 *
 * A child is told all it needs before `start`, in an order that needs no
 * answer: who it is (so that it can drop its privileges first of all), the
 * configuration, what its kind needs besides, `start`, and then its sockets
 * one by one.  The parent keeps its copies of all of them for the next child.
 */
#include "mtad/handover.h"

#include "common/conf/conf_wire.h"
#include "common/proc/proc.h"
#include "mtad/child.h"
#include "mtad/names.h"

#include <unistd.h>

#define RESOLV_CONF	"/etc/resolv.conf"
#define HOSTS		"/etc/hosts"
#define NO_GROUP	UINT32_MAX

/* The root directory is a path, entered before the child gives up root. */
static void
send_identity(struct child *c)
{
	struct mtad *m = c->mtad;
	const struct creds_user *user = &m->users[c->row->id];
	const bool has_spool = (c->row->needs & PROC_NEEDS_SPOOL) != 0;
	struct msg msg = { .type = MSG_identity };

	msg.identity.uid = user->uid;
	msg.identity.gid = user->gid;
	msg.identity.is_root = m->is_root;
	msg.identity.root = span_str(has_spool ? m->conf->queue.path :
	    m->empty_dir);
	msg.identity.instance = c->instance;
	msg.identity.index = c->index;
	msg.identity.workers = procs_workers(c->row->id, m->conf);
	child_send(c, &msg, -1);
}

/* Read anew each time, so that a reload takes over a changed resolv.conf.  The
 * files are read here and parsed by the parent as far as `nameserver` lines,
 * since dnsd can open no file.  They are the system's, not the network's. */
static void
send_names(struct child *c)
{
	struct msg msg = { .type = MSG_names };
	struct buf hosts, resolv_conf, servers;

	buf_init(&hosts, NAMES_HOSTS_MAX + 4096);
	buf_init(&resolv_conf, NAMES_HOSTS_MAX + 4096);
	buf_init(&servers, 4096);
	names_read(HOSTS, &hosts);
	if (c->mtad->conf->dns.servers.n == 0) {
		names_read(RESOLV_CONF, &resolv_conf);
		names_servers(buf_span(&resolv_conf), &servers);
		msg.names.is_trusted =
		    names_trust_ad(buf_span(&resolv_conf));
	}
	msg.names.hosts = buf_span(&hosts);
	msg.names.servers = buf_span(&servers);
	child_send(c, &msg, -1);
	buf_clear(&hosts);
	buf_clear(&resolv_conf);
	buf_clear(&servers);
}

/* The bytes of files, as they were when they were checked. */
static void
send_secrets(struct child *c)
{
	struct msg msg;

	secrets_pairs(&c->mtad->secrets, &msg);
	child_send(c, &msg, -1);
	secrets_passwords(&c->mtad->secrets, c->mtad->conf, &msg);
	child_send(c, &msg, -1);
	secrets_hops(&c->mtad->secrets, &msg);
	child_send(c, &msg, -1);
	secrets_hop_pairs(&c->mtad->secrets, &msg);
	child_send(c, &msg, -1);
	secrets_grants(&c->mtad->secrets, &msg);
	child_send(c, &msg, -1);
	secrets_srs(&c->mtad->secrets, c->mtad->conf, &msg);
	child_send(c, &msg, -1);
	msg = (struct msg){ .type = MSG_dovecot };
	msg.dovecot.path = span_str(c->mtad->conf->auth.dovecot);
	child_send(c, &msg, -1);
}

static void
send_authorities(struct child *c)
{
	struct msg msg = { .type = MSG_authorities };

	msg.authorities.pem = buf_span(&c->mtad->secrets.authorities);
	child_send(c, &msg, -1);
}

static void
send_client_ca(struct child *c)
{
	struct msg msg;

	secrets_client_ca(&c->mtad->secrets, c->mtad->conf, &msg);
	child_send(c, &msg, -1);
}

/* Each kind gets the part that its row in the schema names; secrets of one
 * kind are not sent to another.  The same message at the start and at a
 * reload. */
void
handover_config(struct child *c)
{
	struct msg msg = { .type = MSG_config };
	struct buf bytes;

	if ((c->row->needs & PROC_NEEDS_NAMES) != 0)
		send_names(c);
	if ((c->row->needs & PROC_NEEDS_SECRETS) != 0)
		send_secrets(c);
	if ((c->row->needs & PROC_NEEDS_AUTHORITIES) != 0)
		send_authorities(c);
	if ((c->row->needs & PROC_NEEDS_CLIENT_CA) != 0)
		send_client_ca(c);
	buf_init(&bytes, CONF_WIRE_MAX);
	conf_wire_encode(c->mtad->conf, c->row->reader, &bytes);
	msg.config.generation = c->mtad->generation;
	msg.config.conf = buf_span(&bytes);
	/* without memory for it the child gets what it can't take: at its
	 * start it fails and is started again, later it keeps the old one */
	if (buf_failed(&bytes))
		/* no encoding begins so */
		msg.config.conf = SPAN_LIT("\xff");
	child_send(c, &msg, -1);
	buf_clear(&bytes);
}

/* A descriptor of shared memory; the child may write in its own region. */
static void
send_clients(struct child *c)
{
	struct mtad *m = c->mtad;
	struct msg msg = { .type = MSG_client_table };

	msg.client_table.worker = c->index;
	msg.client_table.workers = procs_workers(c->row->id, m->conf);
	msg.client_table.capacity = m->client_capacity;
	msg.client_table.key0 = m->client_key.k0;
	msg.client_table.key1 = m->client_key.k1;
	child_send(c, &msg, client_table_fd(m->clients));
}

/* A copy of the socket: all workers accept from the same queue, and it goes on
 * to listen while a worker is replaced. */
void
handover_port(struct child *c, const struct port *p)
{
	struct msg msg = { .type = MSG_listener };
	char text[ENDPOINT_TEXT_SIZE];

	msg.listener.index = p->index;
	msg.listener.group = NO_GROUP;
	msg.listener.address = span_of(text,
	    endpoint_format(&p->endpoint, text));
	child_send(c, &msg, p->fd);
}

void
handover_port_gone(struct child *c, const struct port *p)
{
	struct msg msg = { .type = MSG_listener_gone };
	char text[ENDPOINT_TEXT_SIZE];

	msg.listener_gone.index = p->index;
	msg.listener_gone.address = span_of(text,
	    endpoint_format(&p->endpoint, text));
	child_send(c, &msg, -1);
}

static void
send_control(struct child *c)
{
	struct mtad *m = c->mtad;
	struct msg msg = { .type = MSG_listener };

	msg.listener.index = PROC_LISTENER_CONTROL;
	msg.listener.group = m->is_root ? m->control_group : NO_GROUP;
	msg.listener.address = SPAN_LIT("control.sock");
	child_send(c, &msg, m->control_fd);
}

/* Nothing is checked: a channel that has ended tells of the end of its process,
 * and the next one is told all of it. */
void
handover_all(struct child *c)
{
	const struct msg start = { .type = MSG_start };
	struct mtad *m = c->mtad;

	send_identity(c);
	handover_config(c);
	if ((c->row->needs & PROC_NEEDS_CLIENTS) != 0)
		send_clients(c);
	child_send(c, &start, -1);
	if ((c->row->needs & PROC_NEEDS_CONTROL) != 0)
		send_control(c);
	if ((c->row->needs & PROC_NEEDS_LISTENERS) == 0)
		return;
	for (size_t i = 0; i < m->ports.n; i++)
		handover_port(c, &m->ports.v[i]);
}

void
handover_log(struct mtad *m)
{
	const struct msg msg = { .type = MSG_log_file };

	for (size_t i = 0; i < m->child_count; i++)
		child_send(&m->children[i], &msg, m->log_fd);
}

/* One row for a process, the parent's first. */
static void
put_processes(struct mtad *m, struct buf *rows, uint32_t *count)
{
	struct msg_process row = { .role = ROLE_PARENT };

	row.pid = (uint32_t)getpid();
	row.started_at = (uint64_t)m->started_wall_ms;
	msg_put_process(rows, &row);
	*count = 1;
	for (size_t i = 0; i < m->child_count; i++) {
		const struct child *c = &m->children[i];

		if (c->pid == 0)
			continue;
		row = (struct msg_process){
			.role = (uint8_t)c->row->role,
			.index = c->index,
			.pid = (uint32_t)c->pid,
			.restarts = c->restarts,
			.started_at = (uint64_t)c->started_wall_ms,
		};
		msg_put_process(rows, &row);
		++*count;
	}
}

/* queued was not there yet, or has died: it is told when it starts. */
void
handover_processes(struct mtad *m)
{
	struct child *queued = child_find(m, ROLE_QUEUED, 0);
	struct msg msg = { .type = MSG_processes };
	struct buf rows;

	if (queued == NULL)
		return;
	buf_init(&rows, (size_t)64 * 1024);
	put_processes(m, &rows, &msg.processes.rows.n);
	msg.processes.rows.bytes = buf_span(&rows);
	if (!buf_failed(&rows))
		child_send(queued, &msg, -1);
	buf_clear(&rows);
}
