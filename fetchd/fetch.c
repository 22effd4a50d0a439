/*
 * A request waits its turn, asks for both families of addresses, and is handed
 * to libcurl (web.c) with those that may be used.  One timer a request covers
 * all of it.  Whatever ends a request comes from the loop, never from inside
 * fetch_start().
 */
#include "fetchd/fetch.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/base/check.h"
#include "common/base/list.h"
#include "common/dns/dns_wire.h"
#include "common/ipc/ask.h"
#include "common/loop/deferred.h"
#include "common/loop/timer.h"
#include "fetchd/web.h"

enum family { V4, V6, FAMILIES };

struct job {
	struct list node;		/* of waiting or busy */
	struct fetch *fetch;
	struct timer timer;
	int64_t due_at_ms;
	struct web_place place;
	struct web_transfer *transfer;
	unsigned unanswered;		/* questions */
	bool saw_temporary;
	bool saw_refused;		/* an address that is nobody's */
	struct ipaddr found[FETCH_ADDRESSES_MAX];
	size_t n_found;
	fetch_fn *fn;
	void *ctx;
	size_t bytes_max;
	bool is_ours;
	char *url;
	char *content_type;		/* NULL: GET */
	char *header;			/* NULL without */
	uint8_t *body;			/* with a NUL */
	size_t body_n;
};

struct fetch {
	struct loop *loop;
	struct ask *ask;
	struct web *web;
	struct fetch_setup setup;
	struct endpoint *own;		/* what it points to */
	struct list waiting;
	struct list busy;
	size_t n_waiting;
	size_t n_busy;
	struct deferred work;
};

/* ---- the end of a request ---- */

static void
free_job(struct job *j)
{
	struct fetch *f = j->fetch;

	ask_cancel(f->ask, j);
	web_cancel(&j->transfer);
	timer_clear(&j->timer);
	list_remove(&j->node);
	if (j->body != NULL)
		explicit_bzero(j->body, j->body_n);
	if (j->header != NULL)
		explicit_bzero(j->header, strlen(j->header));
	free(j->body);
	free(j->header);
	free(j->content_type);
	free(j->url);
	free(j);
}

/* J is busy.  It leaves before the callee runs, which may start another. */
static void
end(struct job *j, const struct fetch_answer *answer)
{
	struct fetch *f = j->fetch;

	list_remove(&j->node);
	f->n_busy--;
	deferred_add(&f->work);
	j->fn(j->ctx, answer);
	free_job(j);
}

static void
fail(struct job *j, const char *text)
{
	const struct fetch_answer answer = {
		.content_type = "", .text = text,
	};

	end(j, &answer);
}

/* One that still waits for its turn has waited too long, too. */
static void
on_timer(void *ctx)
{
	struct job *j = ctx;
	struct fetch *f = j->fetch;

	if (j->transfer == NULL && j->unanswered == 0) {
		list_remove(&j->node);
		list_add_last(&f->busy, &j->node);
		f->n_waiting--;
		f->n_busy++;
	}
	fail(j, "no whole answer in time");
}

/* ---- the exchange ---- */

static void
on_answer(void *ctx, const struct web_answer *a)
{
	struct job *j = ctx;
	const struct fetch_answer answer = {
		.status = a->status, .content_type = a->content_type,
		.body = a->body, .is_untrusted = a->is_untrusted,
		.text = a->text,
	};

	j->transfer = NULL;		/* it ends by itself */
	end(j, &answer);
}

static void
exchange(struct job *j)
{
	const struct web_request r = {
		.url = j->url, .place = &j->place,
		.addresses = j->found, .n_addresses = j->n_found,
		.content_type = j->content_type, .header = j->header,
		.body = { j->body, j->body_n },
		.bytes_max = j->bytes_max,
		.timeout_ms = j->due_at_ms - loop_now_ms(j->fetch->loop) + 1,
	};

	if (web_start(j->fetch->web, &r, on_answer, j, &j->transfer) != OK)
		fail(j, "out of memory");
}

/* ---- addresses ---- */

static bool
is_own(const struct fetch_setup *setup, const struct ipaddr *ip, uint16_t port)
{
	struct endpoint at = { *ip, port };

	for (size_t i = 0; i < setup->n_own; i++)
		if (endpoint_equal(&setup->own[i], &at))
			return true;
	return false;
}

static bool
is_refused(const struct job *j, const struct ipaddr *ip)
{
	const struct fetch_setup *setup = &j->fetch->setup;

	if (j->is_ours)
		return false;
	if (ipaddr_is_loopback(ip) && !setup->may_loopback)
		return true;
	return ipaddr_is_nobodys(ip) || is_own(setup, ip, j->place.port);
}

static void
add_address(struct job *j, const struct ipaddr *ip)
{
	if (is_refused(j, ip))
		j->saw_refused = true;
	else if (j->n_found < FETCH_ADDRESSES_MAX)
		j->found[j->n_found++] = *ip;
}

/* An answer comes from another process: its lengths are not believed. */
static void
take_addresses(struct job *j, uint16_t type, struct msg_list list)
{
	const size_t size = type == DNS_TYPE_A ? 4 : 16;
	struct msg_dns_record r;

	while (msg_next_dns_record(&list, &r)) {
		struct ipaddr ip;

		if (r.type != type || r.data.n != size)
			continue;
		ip = size == 4 ? ipaddr_v4(r.data.p) : ipaddr_v6(r.data.p);
		add_address(j, &ip);
	}
}

static void
resolved(struct job *j)
{
	if (j->n_found > 0)
		exchange(j);
	else if (j->saw_temporary)
		fail(j, "its address can't be looked up now");
	else if (j->saw_refused)
		fail(j, "it has no address that may be asked");
	else
		fail(j, "it has no address");
}

static void
on_names(void *ctx, uint32_t tag, uint16_t type,
    const struct msg_dns_answer *m)
{
	struct job *j = ctx;

	(void)tag;
	if (m->status == DNS_OK)
		take_addresses(j, type, m->records);
	else if (m->status == DNS_TEMPORARY)
		j->saw_temporary = true;
	if (--j->unanswered == 0)
		resolved(j);
}

static void
put_question(struct job *j, uint16_t type)
{
	if (ask_question(j->fetch->ask, j->place.host, type,
	    j->fetch->setup.dns_ms, on_names, j, 0) == OK)
		j->unanswered++;
	else
		j->saw_temporary = true;
}

/* Without a question under way nothing would ever answer. */
static void
resolve(struct job *j)
{
	const struct fetch_setup *setup = &j->fetch->setup;

	if (j->place.is_address) {
		add_address(j, &j->place.address);
		resolved(j);
		return;
	}
	if (setup->has_ipv4)
		put_question(j, DNS_TYPE_A);
	if (setup->has_ipv6)
		put_question(j, DNS_TYPE_AAAA);
	if (j->unanswered == 0)
		resolved(j);
}

/* ---- turns ---- */

static void
on_work(void *ctx)
{
	struct fetch *f = ctx;
	struct list *node;

	while (f->n_busy < FETCH_AT_ONCE &&
	    (node = list_first(&f->waiting)) != NULL) {
		list_remove(node);
		list_add_last(&f->busy, node);
		f->n_waiting--;
		f->n_busy++;
		resolve(CONTAINER_OF(node, struct job, node));
	}
}

/* ---- requests ---- */

static bool
copy_texts(struct job *j, const struct fetch_request *r)
{
	j->url = strdup(r->url);
	if (j->url == NULL)
		return false;
	if (r->header != NULL && (j->header = strdup(r->header)) == NULL)
		return false;
	if (r->content_type == NULL)
		return true;
	j->content_type = strdup(r->content_type);
	j->body = malloc(r->body.n + 1);
	if (j->content_type == NULL || j->body == NULL)
		return false;
	if (r->body.n > 0)
		memcpy(j->body, r->body.p, r->body.n);
	j->body[r->body.n] = '\0';
	j->body_n = r->body.n;
	return true;
}

static enum err
make_job(struct fetch *f, const struct fetch_request *r, struct job **out)
{
	struct job *j = calloc(1, sizeof(*j));
	enum err e;

	if (j == NULL)
		return ERR_NOMEM;
	j->fetch = f;
	j->bytes_max = r->bytes_max;
	j->is_ours = r->is_ours;
	list_init(&j->node);
	e = web_split(r->url, &j->place);
	if (e == OK && !copy_texts(j, r))
		e = ERR_NOMEM;
	if (e == OK)
		e = timer_init(&j->timer, f->loop, on_timer, j);
	if (e != OK) {
		free_job(j);
		return e;
	}
	*out = j;
	return OK;
}

enum err
fetch_start(struct fetch *f, const struct fetch_request *r, fetch_fn *fn,
    void *ctx)
{
	struct job *j;
	enum err e;

	if (r->bytes_max == 0 || r->bytes_max > FETCH_BYTES_MAX ||
	    r->body.n > FETCH_BYTES_MAX || r->timeout_ms <= 0)
		return ERR_RANGE;
	if (r->header != NULL && (strchr(r->header, ':') == NULL ||
	    strpbrk(r->header, "\r\n") != NULL))
		return ERR_SYNTAX;
	if (f->n_waiting >= FETCH_WAITING_MAX)
		return ERR_FULL;
	e = make_job(f, r, &j);
	if (e != OK)
		return e;
	j->fn = fn;
	j->ctx = ctx;
	j->due_at_ms = loop_now_ms(f->loop) + r->timeout_ms;
	timer_start(&j->timer, r->timeout_ms);
	list_add_last(&f->waiting, &j->node);
	f->n_waiting++;
	deferred_add(&f->work);
	return OK;
}

static void
cancel_in(struct list *jobs, const void *ctx, size_t *count)
{
	struct list *node, *next;

	for (node = list_first(jobs); node != NULL; node = next) {
		struct job *j = CONTAINER_OF(node, struct job, node);

		next = list_next(jobs, node);
		if (j->ctx != ctx)
			continue;
		free_job(j);
		--*count;
	}
}

void
fetch_cancel(struct fetch *f, const void *ctx)
{
	cancel_in(&f->waiting, ctx, &f->n_waiting);
	cancel_in(&f->busy, ctx, &f->n_busy);
	deferred_add(&f->work);
}

/* ---- life ---- */

enum err
fetch_new(struct loop *l, struct ask *ask, struct fetch **out)
{
	struct fetch *f = calloc(1, sizeof(*f));
	enum err e;

	if (f == NULL)
		return ERR_NOMEM;
	f->loop = l;
	f->ask = ask;
	list_init(&f->waiting);
	list_init(&f->busy);
	deferred_init(&f->work, l, DEFERRED_WORK, on_work, f);
	e = web_new(l, &f->web);
	if (e != OK) {
		free(f);
		return e;
	}
	*out = f;
	return OK;
}

void
fetch_free(struct fetch **fetch)
{
	struct fetch *f = *fetch;
	struct list *node;

	if (f == NULL)
		return;
	while ((node = list_first(&f->waiting)) != NULL)
		free_job(CONTAINER_OF(node, struct job, node));
	while ((node = list_first(&f->busy)) != NULL)
		free_job(CONTAINER_OF(node, struct job, node));
	web_free(&f->web);
	deferred_clear(&f->work);
	free(f->own);
	free(f);
	*fetch = NULL;
}

enum err
fetch_set_up(struct fetch *f, const struct fetch_setup *setup)
{
	struct endpoint *own = calloc(setup->n_own + 1, sizeof(*own));

	if (own == NULL)
		return ERR_NOMEM;
	if (setup->n_own > 0)
		memcpy(own, setup->own, setup->n_own * sizeof(*own));
	free(f->own);
	f->own = own;
	f->setup = *setup;
	f->setup.own = own;
	return OK;
}

enum err
fetch_set_authorities(struct fetch *f, struct span pem)
{
	return web_set_authorities(f->web, pem);
}

size_t
fetch_count(const struct fetch *f)
{
	return f->n_waiting + f->n_busy;
}
