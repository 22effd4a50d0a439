/*
 * libcurl's multi interface never blocks here: it tells by on_socket() which
 * sockets it wants watched and by on_timer_wish() when it wants to be called.
 * Both come from inside calls to it, so neither calls it back.
 *
 * A transfer is told of when libcurl is left (finish_all()), for a callee may
 * start or cancel others.
 */
#include "fetchd/web.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/buf.h"
#include "common/base/check.h"
#include "common/base/list.h"
#include "common/loop/timer.h"
#include "common/loop/watch.h"
#include "fetchd/heap.h"

#define USER_AGENT	"mtad"
#define CONNECT_MS	15000L	/* for all addresses of a host */
#define RESOLVE_MAX	((size_t)2048)

struct socket {
	struct list node;
	struct web *web;
	struct watch *watch;
	curl_socket_t fd;
};

struct web {
	struct loop *loop;
	CURLM *multi;
	struct list sockets;
	struct list transfers;
	struct timer timer;
	struct buf authorities;
};

struct web_transfer {
	struct list node;
	struct web *web;
	CURL *easy;
	struct curl_slist *resolve;
	struct curl_slist *headers;
	struct buf body;
	size_t head_bytes;
	bool is_long;			/* more came than is taken */
	bool is_headed;			/* the whole header came */
	bool is_bounded;		/* it says where the body ends */
	web_fn *fn;
	void *ctx;
	char error[CURL_ERROR_SIZE];
};

/* ---- the end of a transfer ---- */

/* What a buffer held is overwritten to its last byte. */
static void
wipe(struct buf *b)
{
	if (b->p != NULL)
		explicit_bzero(b->p, b->size);
	buf_clear(b);
}

static void
free_transfer(struct web_transfer *t)
{
	if (list_is_linked(&t->node))
		list_remove(&t->node);
	if (t->easy != NULL) {
		(void)curl_multi_remove_handle(t->web->multi, t->easy);
		curl_easy_cleanup(t->easy);
	}
	curl_slist_free_all(t->resolve);
	curl_slist_free_all(t->headers);
	wipe(&t->body);
	free(t);
}

/* libcurl's own words where it has some, else those of the code. */
static const char *
reason(const struct web_transfer *t, CURLcode code)
{
	if (t->is_long)
		return "the answer is too long";
	if (code == CURLE_OPERATION_TIMEDOUT)
		return "no whole answer in time";
	if (code == CURLE_SSL_CACERT_BADFILE)
		return "there is no authority to believe";
	if (code == CURLE_OK)
		return "the answer doesn't say where it ends";
	return t->error[0] != '\0' ? t->error : curl_easy_strerror(code);
}

/* The latter: we have no authorities. */
static bool
is_untrusted(CURLcode code)
{
	return code == CURLE_PEER_FAILED_VERIFICATION ||
	    code == CURLE_SSL_CACERT_BADFILE;
}

/* RFC 9110 6.4.1 */
static bool
is_whole(const struct web_transfer *t, long status)
{
	return t->is_headed && (t->is_bounded || status == 204 ||
	    status == 304);
}

/* T is taken apart from libcurl before the callee runs, and freed behind it. */
static void
finish(struct web_transfer *t, CURLcode code)
{
	struct web_answer answer = { .content_type = "", .text = "" };
	const char *type = NULL;
	long status = 0;

	(void)curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
	(void)curl_easy_getinfo(t->easy, CURLINFO_CONTENT_TYPE, &type);
	if (code == CURLE_OK && status >= 100 && status <= 999 &&
	    is_whole(t, status)) {
		answer.status = (unsigned)status;
		answer.content_type = type != NULL ? type : "";
		answer.body = buf_span(&t->body);
	} else {
		answer.is_untrusted = is_untrusted(code);
		answer.text = reason(t, code);
	}
	list_remove(&t->node);
	t->fn(t->ctx, &answer);
	free_transfer(t);
}

static void
finish_all(struct web *w)
{
	CURLMsg *m;
	int left;

	while ((m = curl_multi_info_read(w->multi, &left)) != NULL) {
		struct web_transfer *t = NULL;
		CURLcode code = m->data.result;

		if (m->msg != CURLMSG_DONE)
			continue;
		(void)curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &t);
		finish(t, code);
	}
}

/* ---- sockets and time ---- */

static void
act(struct web *w, curl_socket_t fd, int events)
{
	int running;

	(void)curl_multi_socket_action(w->multi, fd, events, &running);
	finish_all(w);
}

static void
on_timer(void *ctx)
{
	act(ctx, CURL_SOCKET_TIMEOUT, 0);
}

/* The socket may be gone afterwards. */
static void
on_ready(void *ctx, unsigned events)
{
	const struct socket *s = ctx;

	act(s->web, s->fd, (events & WATCH_READ ? CURL_CSELECT_IN : 0) |
	    (events & WATCH_WRITE ? CURL_CSELECT_OUT : 0));
}

static int
on_timer_wish(CURLM *multi, long ms, void *ctx)
{
	struct web *w = ctx;

	(void)multi;
	if (ms < 0)
		timer_stop(&w->timer);
	else
		timer_start(&w->timer, ms);
	return 0;
}

static void
free_socket(struct socket *s)
{
	list_remove(&s->node);
	watch_free(&s->watch);
	free(s);
}

static struct socket *
make_socket(struct web *w, curl_socket_t fd)
{
	struct socket *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->web = w;
	s->fd = fd;
	if (watch_new(w->loop, fd, on_ready, s, &s->watch) != OK) {
		free(s);
		return NULL;
	}
	list_add_last(&w->sockets, &s->node);
	return s;
}

/* A socket's own pointer comes back with it.  Without memory for a watch its
 * transfer runs into its time limit. */
static int
on_socket(CURL *easy, curl_socket_t fd, int what, void *ctx, void *own)
{
	struct web *w = ctx;
	struct socket *s = own;

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		if (s != NULL)
			free_socket(s);
		return 0;
	}
	if (s == NULL) {
		s = make_socket(w, fd);
		if (s == NULL)
			return 0;
		(void)curl_multi_assign(w->multi, fd, s);
	}
	watch_set(s->watch, (what & CURL_POLL_IN ? WATCH_READ : 0) |
	    (what & CURL_POLL_OUT ? WATCH_WRITE : 0));
	return 0;
}

/* ---- life ---- */

static bool
set_up_multi(struct web *w)
{
	CURLM *m = w->multi;

	return curl_multi_setopt(m, CURLMOPT_SOCKETFUNCTION, on_socket) ==
	    CURLM_OK &&
	    curl_multi_setopt(m, CURLMOPT_SOCKETDATA, w) == CURLM_OK &&
	    curl_multi_setopt(m, CURLMOPT_TIMERFUNCTION, on_timer_wish) ==
	    CURLM_OK &&
	    curl_multi_setopt(m, CURLMOPT_TIMERDATA, w) == CURLM_OK;
}

enum err
web_new(struct loop *l, struct web **out)
{
	struct web *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return ERR_NOMEM;
	w->loop = l;
	list_init(&w->sockets);
	list_init(&w->transfers);
	buf_init(&w->authorities, SIZE_MAX);
	if (curl_global_init_mem(CURL_GLOBAL_SSL, heap_alloc, heap_free,
	    heap_realloc, heap_copy, heap_alloc_zero) != CURLE_OK) {
		free(w);
		return ERR_NOMEM;
	}
	w->multi = curl_multi_init();
	if (w->multi == NULL || !set_up_multi(w) ||
	    timer_init(&w->timer, l, on_timer, w) != OK) {
		web_free(&w);
		return ERR_NOMEM;
	}
	*out = w;
	return OK;
}

void
web_free(struct web **web)
{
	struct web *w = *web;
	struct list *node;

	if (w == NULL)
		return;
	while ((node = list_first(&w->transfers)) != NULL)
		free_transfer(CONTAINER_OF(node, struct web_transfer, node));
	if (w->multi != NULL)
		(void)curl_multi_cleanup(w->multi);
	while ((node = list_first(&w->sockets)) != NULL)
		free_socket(CONTAINER_OF(node, struct socket, node));
	curl_global_cleanup();
	timer_clear(&w->timer);
	buf_clear(&w->authorities);
	free(w);
	*web = NULL;
}

/* Transfers under way have a copy of their own. */
enum err
web_set_authorities(struct web *w, struct span pem)
{
	buf_reset(&w->authorities);
	buf_add_span(&w->authorities, pem);
	if (!buf_failed(&w->authorities))
		return OK;
	buf_reset(&w->authorities);
	return ERR_NOMEM;
}

/* ---- a transfer ---- */

/* A short count ends the transfer. */
static size_t
on_body(char *p, size_t size, size_t n, void *ctx)
{
	struct web_transfer *t = ctx;

	if (size * n > t->body.max - t->body.n) {
		t->is_long = true;
		return 0;
	}
	buf_add(&t->body, p, size * n);
	return buf_failed(&t->body) ? 0 : size * n;
}

/* An end of the connection counts for nothing, since anybody can make one: so
 * we want to have seen the end of the header, and how the body's is told. */
static void
look_at_header(struct web_transfer *t, struct span line)
{
	if (span_starts_nocase(line, SPAN_LIT("HTTP/")))
		t->is_headed = t->is_bounded = false;
	else if (span_starts_nocase(line, SPAN_LIT("Content-Length:")) ||
	    span_starts_nocase(line, SPAN_LIT("Transfer-Encoding:")))
		t->is_bounded = true;
	else if (line.n <= 2)
		t->is_headed = true;
}

/* libcurl keeps what it needs of them. */
static size_t
on_header(char *p, size_t size, size_t n, void *ctx)
{
	struct web_transfer *t = ctx;

	t->head_bytes += size * n;
	if (t->head_bytes > WEB_HEADERS_MAX) {
		t->is_long = true;
		return 0;
	}
	look_at_header(t, span_of(p, size * n));
	return size * n;
}

/* "+host:port:address,[address]": + lets libcurl forget it in time. */
static bool
set_addresses(struct web_transfer *t, const struct web_request *r)
{
	char text[IPADDR_TEXT_SIZE];
	struct buf line;

	if (r->place->is_address)
		return true;
	buf_init(&line, RESOLVE_MAX);
	buf_addf(&line, "+%s:%u:", r->place->host, (unsigned)r->place->port);
	for (size_t i = 0; i < r->n_addresses; i++) {
		const struct ipaddr *a = &r->addresses[i];

		(void)ipaddr_format(a, text);
		buf_addf(&line, a->family == IPADDR_6 ? "%s[%s]" : "%s%s",
		    i > 0 ? "," : "", text);
	}
	buf_add_byte(&line, '\0');
	if (!buf_failed(&line))
		t->resolve = curl_slist_append(NULL, (const char *)line.p);
	buf_clear(&line);
	return t->resolve != NULL && curl_easy_setopt(t->easy, CURLOPT_RESOLVE,
	    t->resolve) == CURLE_OK;
}

/* One option after the other; the first failure is kept. */
#define SET(option, value) do { \
	if (e == CURLE_OK) \
		e = curl_easy_setopt(t->easy, option, value); \
} while (0)

static CURLcode
set_dialogue(struct web_transfer *t, const struct web_request *r)
{
	CURLcode e = CURLE_OK;

	SET(CURLOPT_URL, r->url);
#if LIBCURL_VERSION_NUM >= 0x075500
	SET(CURLOPT_PROTOCOLS_STR, "https");
#else
	SET(CURLOPT_PROTOCOLS, (long)CURLPROTO_HTTPS);
#endif
	SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	SET(CURLOPT_FOLLOWLOCATION, 0L);
	SET(CURLOPT_PROXY, "");
	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_FRESH_CONNECT, 1L);
	SET(CURLOPT_FORBID_REUSE, 1L);
	SET(CURLOPT_USERAGENT, USER_AGENT);
	SET(CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
	SET(CURLOPT_TIMEOUT_MS, (long)r->timeout_ms);
	SET(CURLOPT_PRIVATE, t);
	SET(CURLOPT_ERRORBUFFER, t->error);
	SET(CURLOPT_WRITEFUNCTION, on_body);
	SET(CURLOPT_WRITEDATA, t);
	SET(CURLOPT_HEADERFUNCTION, on_header);
	SET(CURLOPT_HEADERDATA, t);
	return e;
}

/* An empty bundle leaves nobody to believe: libcurl would take it for a
 * mistake of ours, so it gets one that holds no certificate. */
static CURLcode
set_tls(struct web_transfer *t)
{
	static char nobody[] = "\n";
	const struct buf *pem = &t->web->authorities;
	struct curl_blob blob = {
		.data = pem->n > 0 ? (void *)pem->p : nobody,
		.len = pem->n > 0 ? pem->n : sizeof(nobody) - 1,
		.flags = CURL_BLOB_COPY,
	};
	CURLcode e = CURLE_OK;

	SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	SET(CURLOPT_SSL_VERIFYPEER, 1L);
	SET(CURLOPT_SSL_VERIFYHOST, 2L);
	SET(CURLOPT_CAINFO_BLOB, &blob);
	SET(CURLOPT_CAPATH, NULL);
	SET(CURLOPT_SSL_SESSIONID_CACHE, 0L);
	return e;
}

static bool
add_header(struct web_transfer *t, const char *line)
{
	struct curl_slist *more = curl_slist_append(t->headers, line);

	if (more != NULL)
		t->headers = more;
	return more != NULL;
}

/* libcurl borrows the body and sends it as it is; no `Expect`. */
static CURLcode
set_post(struct web_transfer *t, const struct web_request *r)
{
	char line[256];
	CURLcode e = CURLE_OK;

	if (snprintf(line, sizeof(line), "Content-Type: %s",
	    r->content_type) >= (int)sizeof(line))
		return CURLE_BAD_FUNCTION_ARGUMENT;
	if (!add_header(t, line) || !add_header(t, "Expect:"))
		return CURLE_OUT_OF_MEMORY;
	SET(CURLOPT_POST, 1L);
	SET(CURLOPT_POSTFIELDS, (const char *)r->body.p);
	SET(CURLOPT_POSTFIELDSIZE, (long)r->body.n);
	return e;
}

static CURLcode
set_request(struct web_transfer *t, const struct web_request *r)
{
	CURLcode e = CURLE_OK;

	if (r->header != NULL && !add_header(t, r->header))
		e = CURLE_OUT_OF_MEMORY;
	if (e == CURLE_OK && r->content_type != NULL)
		e = set_post(t, r);
	if (t->headers != NULL)
		SET(CURLOPT_HTTPHEADER, t->headers);
	return e;
}

static bool
set_up(struct web_transfer *t, const struct web_request *r)
{
	t->easy = curl_easy_init();
	return t->easy != NULL && set_dialogue(t, r) == CURLE_OK &&
	    set_tls(t) == CURLE_OK && set_request(t, r) == CURLE_OK &&
	    set_addresses(t, r);
}

/* libcurl begins by itself: its first wish is a timer. */
enum err
web_start(struct web *w, const struct web_request *r, web_fn *fn, void *ctx,
    struct web_transfer **out)
{
	struct web_transfer *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return ERR_NOMEM;
	t->web = w;
	t->fn = fn;
	t->ctx = ctx;
	list_init(&t->node);
	/* all of it at once: what has moved could not be overwritten */
	buf_init(&t->body, r->bytes_max);
	if (buf_reserve(&t->body, r->bytes_max) == NULL || !set_up(t, r) ||
	    curl_multi_add_handle(w->multi, t->easy) != CURLM_OK) {
		free_transfer(t);
		return ERR_NOMEM;
	}
	list_add_last(&w->transfers, &t->node);
	*out = t;
	return OK;
}

void
web_cancel(struct web_transfer **t)
{
	if (*t != NULL)
		free_transfer(*t);
	*t = NULL;
}
