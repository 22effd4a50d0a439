/*
 * How many TLS handshakes a second a server takes: some processes that connect,
 * shake hands, wait for a ticket and close, again and again.
 *
 * usage: tlsshake -p PORT [-c PROCESSES] [-T SECONDS] [-r]
 *
 *   -r  resume the session before, each but the first time
 *
 * Prints one JSON line.  TLS 1.3; the certificate is not checked.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PROCESSES_MAX = 64 };

struct count { unsigned long full, resumed, failed; };

static SSL_SESSION *ticket;
static bool has_new;

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int on_ticket(SSL *ssl, SSL_SESSION *s)
{
	(void)ssl;
	SSL_SESSION_free(ticket);
	ticket = s;
	has_new = true;
	return 1;
}

/* From an address of its own, so that ports don't run out. */
static int dial(int port, unsigned n)
{
	struct sockaddr_in from = { .sin_family = AF_INET }, to = from;
	struct timeval limit = { .tv_sec = 5 };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	from.sin_addr.s_addr = htonl(0x7f000002u + n % 200);
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	to.sin_port = htons((uint16_t)port);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	if (bind(fd, (struct sockaddr *)&from, sizeof(from)) != 0 ||
	    connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

/* Whether it shook hands and got a ticket; *RESUMED. */
static bool shake(SSL_CTX *ctx, int fd, bool may_resume, bool *resumed)
{
	SSL *ssl = SSL_new(ctx);
	char byte;
	bool is_good;

	SSL_set_fd(ssl, fd);
	if (may_resume && ticket != NULL)
		SSL_set_session(ssl, ticket);
	has_new = false;
	is_good = SSL_connect(ssl) == 1;
	*resumed = is_good && SSL_session_reused(ssl);
	/* tickets come behind the handshake; what else does, is read too */
	while (is_good && !has_new)
		is_good = SSL_read(ssl, &byte, 1) == 1 || has_new;
	/* or it would not be resumed */
	SSL_set_shutdown(ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(ssl);
	return is_good;
}

static void work(int port, double until, bool may_resume, unsigned number,
    struct count *count)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	unsigned n = number * 1000;

	SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION);
	/* a ticket ends the read in which it came */
	SSL_CTX_clear_mode(ctx, SSL_MODE_AUTO_RETRY);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT |
	    SSL_SESS_CACHE_NO_INTERNAL_STORE);
	SSL_CTX_sess_set_new_cb(ctx, on_ticket);
	while (seconds() < until) {
		bool resumed = false;
		int fd = dial(port, n++);

		if (fd < 0 || !shake(ctx, fd, may_resume, &resumed))
			count->failed++;
		else if (resumed)
			count->resumed++;
		else
			count->full++;
		if (fd >= 0)
			close(fd);
	}
	SSL_CTX_free(ctx);
}

int main(int argc, char **argv)
{
	int port = 0, processes = 4, c;
	double duration = 3, start;
	bool may_resume = false;
	struct count *counts, all = { 0, 0, 0 };
	struct rusage used;

	while ((c = getopt(argc, argv, "p:c:T:r")) != -1) {
		switch (c) {
		case 'p': port = atoi(optarg); break;
		case 'c': processes = atoi(optarg); break;
		case 'T': duration = atof(optarg); break;
		case 'r': may_resume = true; break;
		default: port = 0;
		}
	}
	if (port == 0 || processes < 1 || processes > PROCESSES_MAX) {
		fprintf(stderr, "usage: tlsshake -p PORT [-c PROCESSES] "
		    "[-T SECONDS] [-r]\n");
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	counts = mmap(NULL, sizeof(*counts) * PROCESSES_MAX,
	    PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (counts == MAP_FAILED) {
		perror("mmap");
		return 1;
	}
	start = seconds();
	for (int i = 0; i < processes; i++) {
		pid_t pid = fork();

		if (pid < 0) {
			perror("fork");
			return 1;
		}
		if (pid == 0) {
			work(port, start + duration, may_resume, (unsigned)i,
			    &counts[i]);
			_exit(0);
		}
	}
	while (wait(NULL) > 0)
		continue;
	for (int i = 0; i < processes; i++) {
		all.full += counts[i].full;
		all.resumed += counts[i].resumed;
		all.failed += counts[i].failed;
	}
	duration = seconds() - start;
	getrusage(RUSAGE_CHILDREN, &used);
	printf("{\"full\":%lu,\"resumed\":%lu,\"failed\":%lu,\"seconds\":%.3f,"
	    "\"rate\":%.1f,\"cpu_s\":%.3f}\n", all.full, all.resumed, all.failed,
	    duration, (double)(all.full + all.resumed) / duration,
	    (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
	    (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6);
	return all.full + all.resumed == 0;
}
