#include "tests/unit/tls/signer_thread.h"

#include "common/base/check.h"
#include "keyd/sign.h"

#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

static pthread_t thread;
static const struct pairs *pairs;
static int fd = -1;

static void *
serve(void *arg)
{
	uint8_t packet[SIGN_QUESTION_MAX];
	struct buf out;
	ssize_t n;

	(void)arg;
	buf_init(&out, SIGN_ANSWER_MAX);
	while ((n = recv(fd, packet, sizeof(packet), 0)) > 0) {
		buf_reset(&out);
		MUST(sign_answer(pairs, span_of(packet, (size_t)n),
		    &out) == OK);
		(void)send(fd, out.p, out.n, MSG_NOSIGNAL);
	}
	buf_clear(&out);
	close(fd);
	return NULL;
}

void
signer_thread_start(const struct pairs *p, int f)
{
	pairs = p;
	fd = f;
	MUST(pthread_create(&thread, NULL, serve, NULL) == 0);
}

void
signer_thread_join(void)
{
	MUST(pthread_join(thread, NULL) == 0);
}
