/*
 * An answer outside of 127.0.0.0/8 never counts, whatever is written: lists
 * that were given up answer everything with the address of a web server (RFC
 * 5782 section 2.1).
 */
#include "common/conf/conf_dnslist.h"

#include "common/base/units.h"
#include "common/conf/conf_name.h"

#define LOOPBACK_FIRST	UINT32_C(0x7f000000)
#define LOOPBACK_LAST	UINT32_C(0x7fffffff)

static enum err
bad_answers(struct why *why)
{
	return why_set(why, ERR_SYNTAX, "expected answers such as "
	    "=127.0.0.2 or =127.0.0.2-11 behind the zone");
}

/* 127.0.0.2, or 127.0.0.2-11 */
static enum err
parse_answers(struct span text, struct conf_dnslist *list, struct why *why)
{
	size_t dash = span_find(text, '-');
	struct ipaddr addr;
	uint64_t last;

	if (ipaddr_parse(span_sub(text, 0, dash), &addr) != OK ||
	    addr.family != IPADDR_4 || addr.bytes[0] != 127)
		return bad_answers(why);
	list->first = (uint32_t)addr.bytes[0] << 24 |
	    (uint32_t)addr.bytes[1] << 16 | (uint32_t)addr.bytes[2] << 8 |
	    addr.bytes[3];
	list->last = list->first;
	if (dash == text.n)
		return OK;
	if (units_parse_u64(span_from(text, dash + 1), &last) != OK ||
	    last > 255 || last < addr.bytes[3])
		return bad_answers(why);
	list->last = (list->first & ~UINT32_C(0xff)) | (uint32_t)last;
	return OK;
}

enum err
conf_dnslist_parse(struct span text, const struct conf_scope *scope,
    struct conf_dnslist *out, struct why *why)
{
	size_t end = span_find(text, '=');
	struct span zone = span_sub(text, 0, end);
	struct conf_dnslist list = { .first = LOOPBACK_FIRST,
	    .last = LOOPBACK_LAST };
	enum err e;

	if (!conf_name_is_domain(zone) || zone.n > CONF_DNSLIST_ZONE_MAX ||
	    span_find(zone, '.') == zone.n)
		return why_set(why, ERR_SYNTAX, "expected the zone of a list "
		    "such as zen.example.org or zen.example.org=127.0.0.2-11");
	if (end < text.n && (e = parse_answers(span_from(text, end + 1),
	    &list, why)) != OK)
		return e;
	if ((list.zone = arena_text(scope->arena, zone)) == NULL)
		return ERR_NOMEM;
	*out = list;
	return OK;
}

void
conf_dnslist_print(const struct conf_dnslist *list, struct buf *out)
{
	buf_add_str(out, list->zone);
	if (list->first == LOOPBACK_FIRST && list->last == LOOPBACK_LAST)
		return;
	buf_addf(out, "=127.%u.%u.%u", list->first >> 16 & 0xff,
	    list->first >> 8 & 0xff, list->first & 0xff);
	if (list->last != list->first)
		buf_addf(out, "-%u", list->last & 0xff);
}

bool
conf_dnslist_counts(const struct conf_dnslist *list, uint32_t answer)
{
	return answer >= list->first && answer <= list->last;
}
