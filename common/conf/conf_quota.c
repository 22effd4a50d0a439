/*
 * Rows are few and looked through one by one; their ids are made once.
 *
 * An id comes from what a row says of whom it holds for, not from where it
 * stands nor from its numbers: counts survive an edited file.
 */
#include "common/conf/conf_quota.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/crc32c.h"
#include "common/base/glob.h"
#include "common/conf/conf_schema.h"
#include "common/conf/conf_value.h"

struct conf_quotas_table {
	const struct conf *conf;
	struct conf_match *match;
	uint32_t *ids;			/* of conf->quotas.v */
};

const char *
conf_each_name(unsigned each)
{
	size_t n;
	const char *const *names = conf_value_choices(CONF_TYPE_EACH, &n);

	return each < n ? names[each] : "?";
}

/* ---- ids ---- */

static uint32_t
add_text(uint32_t sum, const char *text)
{
	return crc32c(sum, text, strlen(text) + 1);
}

static uint32_t
id_of(const struct conf_quota *row)
{
	char text[IPADDR_PREFIX_TEXT_SIZE];
	uint32_t sum = add_text(0, conf_each_name(row->each));

	for (size_t i = 0; i < row->users.n; i++)
		sum = add_text(sum, row->users.v[i]);
	sum = add_text(sum, "");
	for (size_t i = 0; i < row->networks.n; i++) {
		(void)ipaddr_prefix_format(&row->networks.v[i], text);
		sum = add_text(sum, text);
	}
	return sum == CONF_QUOTA_OF_LIMITS ? 1 : sum;
}

enum err
conf_quotas_new(const struct conf *conf, struct conf_quotas_table **out)
{
	struct conf_quotas_table *t = calloc(1, sizeof(*t));
	enum err e;

	if (t == NULL)
		return ERR_NOMEM;
	t->conf = conf;
	t->ids = calloc(conf->quotas.n + 1, sizeof(*t->ids));
	e = t->ids == NULL ? ERR_NOMEM : conf_match_new(conf, &t->match);
	if (e != OK) {
		conf_quotas_free(&t);
		return e;
	}
	for (size_t i = 0; i < conf->quotas.n; i++)
		t->ids[i] = id_of(&conf->quotas.v[i]);
	*out = t;
	return OK;
}

void
conf_quotas_free(struct conf_quotas_table **t)
{
	if (*t == NULL)
		return;
	conf_match_free(&(*t)->match);
	free((*t)->ids);
	free(*t);
	*t = NULL;
}

/* ---- who is meant ---- */

static bool
has_user(const struct conf_texts *users, struct span user)
{
	for (size_t i = 0; i < users->n; i++)
		if (glob_match(span_str(users->v[i]), user))
			return true;
	return false;
}

static bool
has_client(const struct conf_networks *networks, const struct ipaddr *client)
{
	for (size_t i = 0; i < networks->n; i++)
		if (ipaddr_prefix_has(&networks->v[i], client))
			return true;
	return false;
}

/* A row that names users is for who authenticated; who is counted by his
 * address needs one. */
static bool
is_meant(const struct conf_quota *row, const struct conf_quota_who *who)
{
	if ((row->each == CONF_EACH_USER || row->users.n > 0) &&
	    who->user.n == 0)
		return false;
	if (row->each == CONF_EACH_CLIENT &&
	    who->client.family == IPADDR_NONE)
		return false;
	return (row->users.n == 0 || has_user(&row->users, who->user)) &&
	    (row->networks.n == 0 || has_client(&row->networks, &who->client));
}

/* ---- how they are called ---- */

static void
add_name(struct conf_quota_limit *out, struct span text)
{
	size_t room = sizeof(out->name) - out->name_n;
	size_t n = text.n < room ? text.n : room;

	memcpy(out->name + out->name_n, text.p, n);
	out->name_n += (uint8_t)n;
}

static void
name_client(const struct ipaddr *client, struct conf_quota_limit *out)
{
	const struct ipaddr of = ipaddr_client(client);
	char text[IPADDR_TEXT_SIZE];

	add_name(out, span_of(text, ipaddr_format(&of, text)));
	if (of.family == IPADDR_6)
		add_name(out, SPAN_LIT("/64"));
}

/* As many as have room: the id tells rows apart. */
static void
name_networks(const struct conf_networks *networks,
    struct conf_quota_limit *out)
{
	char text[IPADDR_PREFIX_TEXT_SIZE];

	for (size_t i = 0; i < networks->n; i++) {
		if (i > 0)
			add_name(out, SPAN_LIT(","));
		add_name(out, span_of(text,
		    ipaddr_prefix_format(&networks->v[i], text)));
	}
}

static void
name_row(const struct conf_quota *row, const struct conf_quota_who *who,
    struct conf_quota_limit *out)
{
	if (row->each == CONF_EACH_USER)
		add_name(out, who->user);
	else if (row->each == CONF_EACH_CLIENT)
		name_client(&who->client, out);
	else
		name_networks(&row->networks, out);
}

/* ---- limits ---- */

static bool
has_limit(const struct conf_quota_limit *limit)
{
	return limit->messages.count > 0 || limit->recipients.count > 0;
}

/* A socket's path is this host. */
static bool
is_outside(const struct conf_quotas_table *t, const struct ipaddr *client)
{
	return client->family != IPADDR_NONE &&
	    !conf_match_client(t->match, client);
}

static bool
find_of_limits(const struct conf_quotas_table *t,
    const struct conf_quota_who *who, struct conf_quota_limit *out)
{
	if (who->user.n == 0 || !is_outside(t, &who->client))
		return false;
	out->id = CONF_QUOTA_OF_LIMITS;
	out->messages = t->conf->limits.user_messages_rate;
	out->recipients = t->conf->limits.user_recipients_rate;
	add_name(out, who->user);
	return has_limit(out);
}

bool
conf_quotas_find(const struct conf_quotas_table *t, enum conf_each each,
    const struct conf_quota_who *who, struct conf_quota_limit *out)
{
	const struct conf_quotas *rows = &t->conf->quotas;

	out->each = each;
	out->name_n = 0;
	for (size_t i = 0; i < rows->n; i++) {
		const struct conf_quota *row = &rows->v[i];

		if (row->each != each || !is_meant(row, who))
			continue;
		out->id = t->ids[i];
		out->messages = row->messages;
		out->recipients = row->recipients;
		name_row(row, who, out);
		return has_limit(out);
	}
	return each == CONF_EACH_USER && find_of_limits(t, who, out);
}
