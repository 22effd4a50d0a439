#include "common/tls/tls_signer.h"

#include "common/os/fd.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

void
tls_signer_init(struct tls_signer *s)
{
	s->fd = -1;
}

void
tls_signer_close(struct tls_signer *s)
{
	fd_close(&s->fd);
}

/* Packets: a question or an answer is never half there. */
enum err
tls_signer_open(struct tls_signer *s, int *peer_fd)
{
	int ends[2];

	tls_signer_close(s);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
		return ERR_IO;
	s->fd = ends[0];
	*peer_fd = ends[1];
	return OK;
}

/* Mostly the answer is there when the other core is done; poll(2) is for the
 * limit. */
static ssize_t
receive(int fd, uint8_t *packet, size_t size)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int ready;

	do {
		ready = poll(&p, 1, TLS_SIGNER_WAIT_MS);
	} while (ready < 0 && errno == EINTR);
	return ready == 1 ? recv(fd, packet, size, MSG_DONTWAIT) : -1;
}

static enum err
exchange(struct tls_signer *s, struct span question, uint8_t *signature,
    size_t *n)
{
	uint8_t packet[SIGN_ANSWER_MAX];
	struct span answer;
	ssize_t got;

	if (send(s->fd, question.p, question.n, MSG_NOSIGNAL | MSG_DONTWAIT) !=
	    (ssize_t)question.n)
		return ERR_PEER;
	got = receive(s->fd, packet, sizeof(packet));
	if (got <= 0 || sign_get_answer(span_of(packet, (size_t)got),
	    &answer) != OK)
		return ERR_PEER;
	if (answer.n == 0)
		return ERR_DENIED;
	memcpy(signature, answer.p, answer.n);
	*n = answer.n;
	return OK;
}

/* A late answer must not be taken for the next one's: the door closes. */
enum err
tls_signer_ask(struct tls_signer *s, const struct sign_question *q,
    uint8_t *signature, size_t *n)
{
	struct buf question;
	enum err e = ERR_PEER;

	if (q->text.n > SIGN_TEXT_MAX)
		return ERR_DENIED;
	buf_init(&question, SIGN_QUESTION_MAX);
	sign_put_question(q, &question);
	if (s->fd >= 0 && !buf_failed(&question))
		e = exchange(s, buf_span(&question), signature, n);
	if (e == ERR_PEER)
		tls_signer_close(s);
	buf_clear(&question);
	return e;
}
