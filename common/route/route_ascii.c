#include "common/route/route_ascii.h"

#include "common/base/utf8.h"
#include "common/idn/idn.h"
#include "common/mail/domain.h"
#include "common/route/route.h"

/* Wide forms of ASCII become that: a `>` or a blank would end the address in
 * its command. */
static enum err
domain_ascii(struct span domain, char room[IDN_ASCII_MAX + 1],
    struct span *out)
{
	enum err e = idn_to_ascii(domain, room, out);

	if (e == OK)
		e = domain_check(*out, DOMAIN_UNDERSCORE);
	return e == OK || e == ERR_NOMEM ? e : ERR_SYNTAX;
}

enum err
route_ascii(struct span address, char room[ROUTE_ASCII_SIZE],
    struct span *out)
{
	struct span domain = route_domain(address);
	struct span local = span_sub(address, 0, address.n - domain.n);
	char ascii[IDN_ASCII_MAX + 1];
	enum err e;

	if (utf8_is_ascii(address)) {
		*out = address;
		return OK;
	}
	if (!utf8_is_ascii(local))
		return ERR_SYNTAX;
	e = domain_ascii(domain, ascii, &domain);
	if (e != OK)
		return e;
	if (local.n + domain.n > ROUTE_ASCII_SIZE)
		return ERR_SYNTAX;
	if (local.n > 0)
		memcpy(room, local.p, local.n);
	memcpy(room + local.n, domain.p, domain.n);
	*out = span_of(room, local.n + domain.n);
	return OK;
}
