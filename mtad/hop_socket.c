#include "mtad/hop_socket.h"

#include "common/os/sock_unix.h"

/* The path as the configuration has it, or NULL. */
static const char *
find(const struct conf_routes *routes, struct span path)
{
	for (size_t i = 0; i < routes->n; i++) {
		const struct conf_targets *via = &routes->v[i].via;

		for (size_t j = 0; j < via->n; j++)
			if (via->v[j].scheme == CONF_SCHEME_LMTP &&
			    via->v[j].host[0] == '/' &&
			    span_equal(span_str(via->v[j].host), path))
				return via->v[j].host;
	}
	return NULL;
}

static const char *
text_of(enum err e)
{
	switch (e) {
	case OK:
		return "";
	case ERR_NOT_FOUND:
		return "there is no such socket";
	case ERR_PEER:
		return "nobody serves this socket";
	case ERR_AGAIN:
		return "this socket takes no more connections now";
	default:
		return err_text(e);
	}
}

void
hop_socket_wanted(struct child *deliverd,
    const struct msg_hop_socket_want *want)
{
	const char *path = find(&deliverd->mtad->conf->routes, want->path);
	struct msg m = { .type = MSG_hop_socket };
	int sock = -1;
	enum err e = path != NULL ? sock_unix_try(path, &sock) : OK;

	m.hop_socket.cookie = want->cookie;
	if (path != NULL && e == OK)
		e = channel_send_fd(deliverd->channel, &m, sock);
	if (path != NULL && e == OK)
		return;
	m.hop_socket.text = span_str(path == NULL ?
	    "this socket is in the configuration no more" : text_of(e));
	child_send(deliverd, &m, -1);
}
