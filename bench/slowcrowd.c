/*
 * A crowd of slow clients: each says one octet now and then, at one stage of
 * the dialogue, and comes back some time after it was closed.
 *
 * usage: slowcrowd -p PORT [-n CLIENTS] [-a ADDRESSES] [-i MS] [-r MS] [-t]
 *
 *   -a  source addresses, 127.x.y.9 (1000)
 *   -i  milliseconds between two octets of a client (2000)
 *   -r  ... between its end and its next coming (5000)
 *   -t  some stop inside a TLS handshake
 *
 * Once a second a line tells how many are open (greeted and not closed), how
 * many came, were turned away (421, 554 or nothing at all as the greeting), and
 * were closed later.  Ends when standard input does.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#ifndef IP_BIND_ADDRESS_NO_PORT
#define IP_BIND_ADDRESS_NO_PORT 24
#endif

#define MAIL "EHLO c.example\r\nMAIL FROM:<a@b.example>\r\n"
#define RCPT MAIL "RCPT TO:<b@served.example>\r\n"

/* What is said at once, and what then comes octet by octet, again and again. */
static const struct {
	const char *first, *slow;
	int slow_n;
	bool is_tls;
} stages[] = {
	{ "", "", 0, false },			/* silence */
	{ "", "EHLO ", 5, false },
	{ "EHLO c.example\r\n", "MAIL FROM:<aaaaaaaaaaaa", 23, false },
	{ MAIL, "RCPT TO:<bbbbbbbbbbbbbb", 23, false },
	{ RCPT "DATA\r\n", "Subject: x\r\n", 12, false },
	{ RCPT "BDAT 1000000\r\n", "Subject: x\r\n", 12, false },
	{ RCPT, "", 0, false },			/* ... in a transaction */
	/* the beginning of a ClientHello */
	{ "EHLO c.example\r\nSTARTTLS\r\n",
	    "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11, true },
};

enum { STAGES = sizeof(stages) / sizeof(stages[0]), READ_MAX = 4096 };

struct client {
	int fd;			/* -1: away */
	bool is_greeted;
	unsigned said;		/* octets of the slow part */
	int64_t back_at_ms;
};

static struct {
	int port, epoll;
	unsigned n, addresses;
	int64_t interval_ms, return_ms;
	bool has_tls;
	struct client *all;
	unsigned long came, away, closed, open;
} crowd = { .n = 10000, .addresses = 1000, .interval_ms = 2000,
    .return_ms = 5000 };

static int64_t
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void
leave(struct client *c)
{
	close(c->fd);
	c->fd = -1;
	c->back_at_ms = now_ms() + crowd.return_ms;
	if (c->is_greeted) {
		crowd.open--;
		crowd.closed++;
	} else {
		crowd.away++;
	}
}

static void
come(struct client *c)
{
	unsigned k = (unsigned)(c - crowd.all) % crowd.addresses;
	struct sockaddr_in from = { .sin_family = AF_INET }, to = from;
	struct epoll_event e = { .events = EPOLLIN, .data.ptr = c };
	int on = 1;

	from.sin_addr.s_addr = htonl((127U << 24) | ((1 + k / 250) << 16) |
	    ((k % 250) << 8) | 9);
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	to.sin_port = htons((uint16_t)crowd.port);
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (c->fd < 0) {
		perror("socket");
		exit(1);
	}
	setsockopt(c->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on,
	    sizeof(on));
	c->is_greeted = false;
	c->said = 0;
	crowd.came++;
	if (bind(c->fd, (struct sockaddr *)&from, sizeof(from)) != 0 ||
	    (connect(c->fd, (struct sockaddr *)&to, sizeof(to)) != 0 &&
	    errno != EINPROGRESS) ||
	    epoll_ctl(crowd.epoll, EPOLL_CTL_ADD, c->fd, &e) != 0)
		leave(c);
}

static unsigned
stage_of(const struct client *c)
{
	unsigned i = (unsigned)(c - crowd.all) / 3 % STAGES;

	return stages[i].is_tls && !crowd.has_tls ? 0 : i;
}

static void
hear(struct client *c)
{
	char text[READ_MAX];
	const char *first = stages[stage_of(c)].first;
	ssize_t n = recv(c->fd, text, sizeof(text), MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		leave(c);
		return;
	}
	if (c->is_greeted || text[0] != '2')
		return;
	c->is_greeted = true;
	crowd.open++;
	if (first[0] != '\0')
		(void)send(c->fd, first, strlen(first), MSG_NOSIGNAL);
}

/* Its turn, once an interval. */
static void
go_on(struct client *c)
{
	unsigned i = stage_of(c);

	if (c->fd < 0) {
		if (now_ms() >= c->back_at_ms)
			come(c);
	} else if (c->is_greeted && stages[i].slow_n > 0) {
		unsigned at = c->said++ % (unsigned)stages[i].slow_n;

		(void)send(c->fd, stages[i].slow + at, 1,
		    MSG_NOSIGNAL | MSG_DONTWAIT);
	}
}

static void
run(void)
{
	struct pollfd input = { .fd = 0, .events = POLLIN };
	int64_t start = now_ms(), told_at = start;
	uint64_t turns = 0;
	char byte;

	for (;;) {
		struct epoll_event events[256];
		int n = epoll_wait(crowd.epoll, events, 256, 5);
		int64_t now = now_ms();
		uint64_t due = (uint64_t)(now - start) * crowd.n /
		    (uint64_t)crowd.interval_ms;

		for (int i = 0; i < n; i++) {
			struct client *c = events[i].data.ptr;

			if (c->fd >= 0)
				hear(c);
		}
		/* not all of them at once after a pause */
		for (int i = 0; turns < due && i < 1000; i++, turns++)
			go_on(&crowd.all[turns % crowd.n]);
		if (now - told_at < 1000)
			continue;
		told_at = now;
		printf("open %lu came %lu away %lu closed %lu\n", crowd.open,
		    crowd.came, crowd.away, crowd.closed);
		fflush(stdout);
		if (poll(&input, 1, 0) > 0 && read(0, &byte, 1) <= 0)
			return;
	}
}

int
main(int argc, char **argv)
{
	struct rlimit files;
	int c;

	while ((c = getopt(argc, argv, "p:n:a:i:r:t")) != -1) {
		switch (c) {
		case 'p': crowd.port = atoi(optarg); break;
		case 'n': crowd.n = (unsigned)atoi(optarg); break;
		case 'a': crowd.addresses = (unsigned)atoi(optarg); break;
		case 'i': crowd.interval_ms = atoi(optarg); break;
		case 'r': crowd.return_ms = atoi(optarg); break;
		case 't': crowd.has_tls = true; break;
		default: crowd.port = 0;
		}
	}
	if (crowd.port == 0 || crowd.n == 0 || crowd.addresses == 0 ||
	    crowd.interval_ms <= 0) {
		fprintf(stderr, "usage: slowcrowd -p PORT [-n CLIENTS] "
		    "[-a ADDRESSES] [-i MS] [-r MS] [-t]\n");
		return 2;
	}
	files.rlim_cur = files.rlim_max = crowd.n + 100;
	if (setrlimit(RLIMIT_NOFILE, &files) != 0) {
		perror("setrlimit");
		return 1;
	}
	crowd.epoll = epoll_create1(0);
	crowd.all = calloc(crowd.n, sizeof(*crowd.all));
	if (crowd.epoll < 0 || crowd.all == NULL) {
		perror("slowcrowd");
		return 1;
	}
	for (unsigned i = 0; i < crowd.n; i++)
		crowd.all[i].fd = -1;
	run();
	return 0;
}
