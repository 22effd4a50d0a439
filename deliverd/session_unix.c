/*
 * Next hops that are sockets on this host (lmtp:///path).  We see no file: the
 * parent connects, to paths of its own configuration only, and hands the
 * connection over.  Its answer finds the session by a number, or nobody.
 */
#include "deliverd/session_unix.h"

#include <string.h>
#include <unistd.h>

#include "common/ipc/channel.h"
#include "common/log/log.h"
#include "deliverd/session_dial.h"
bool
session_unix_dial(struct session *s)
{
	struct msg m = { .type = MSG_hop_socket_want };

	s->cookie = ++s->d->cookie;
	m.hop_socket_want.cookie = s->cookie;
	m.hop_socket_want.path = span_str(s->host);
	if (channel_send(proc_parent(s->d->proc), &m) != OK)
		return false;
	list_add_last(&s->d->dialing, &s->asking);
	return true;
}

static struct session *
find(struct deliverd *d, uint64_t cookie)
{
	struct list *node = list_first(&d->dialing);

	while (node != NULL) {
		struct session *s = CONTAINER_OF(node, struct session, asking);

		if (s->cookie == cookie)
			return s;
		node = list_next(&d->dialing, node);
	}
	return NULL;
}

void
session_unix_answer(struct deliverd *d, const struct msg_hop_socket *m, int fd)
{
	struct session *s = find(d, m->cookie);
	char text[128] = "";

	if (s == NULL) {
		if (fd >= 0)
			(void)close(fd);
		return;
	}
	list_remove(&s->asking);
	if (fd >= 0) {
		session_connected(s, fd);
		return;
	}
	(void)span_copy(m->text, text, sizeof(text));
	session_dial_refused(s, text);
	session_dial_next(s);
}

void
session_log_at(const struct session *s)
{
	struct log *log = s->d->log;

	if (s->is_unix)
		return;
	log_ip(log, "addr", &s->at.addr);
	log_u64(log, "port", s->at.port);
}

struct span
session_address(const struct session *s, char text[ENDPOINT_TEXT_SIZE])
{
	return s->is_unix ? SPAN_NONE :
	    span_of(text, endpoint_format(&s->at, text));
}
