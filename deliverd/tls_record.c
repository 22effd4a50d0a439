#include "deliverd/tls_record.h"

#include <stdio.h>

#include "common/dns/dns_wire.h"
#include "common/ipc/ask.h"
#include "common/ipc/channel.h"
#include "deliverd/settings.h"

static void
tell(struct deliverd *d, uint32_t cookie, uint8_t status,
    struct msg_list records)
{
	struct msg m = { .type = MSG_tls_record };

	m.tls_record.cookie = cookie;
	m.tls_record.status = status;
	m.tls_record.records = records;
	if (d->queued != NULL)
		channel_send_or_end(d->queued, &m);
}

static void
on_answer(void *ctx, uint32_t tag, uint16_t type,
    const struct msg_dns_answer *answer)
{
	(void)type;
	tell(ctx, tag, answer->status, answer->records);
}

void
tls_record_ask(struct deliverd *d, const struct msg_tls_record_ask *m)
{
	char name[ASK_NAME_SIZE];
	int n = snprintf(name, sizeof(name), "_smtp._tls.%.*s",
	    (int)m->domain.n, (const char *)m->domain.p);

	if (n < 0 || (size_t)n >= sizeof(name)) {
		tell(d, m->cookie, DNS_REFUSED, (struct msg_list){ 0 });
		return;
	}
	if (ask_question(d->ask, name, DNS_TYPE_TXT, d->settings->dns_ms,
	    on_answer, d, m->cookie) != OK)
		tell(d, m->cookie, DNS_TEMPORARY, (struct msg_list){ 0 });
}
