/*
 * URLs, taken apart by libcurl as it will understand them itself.
 */
#include <curl/curl.h>
#include <strings.h>

#include "fetchd/web.h"

/* What may stand in the list of addresses for libcurl: no comma, no colon. */
static bool
is_name(const char *s)
{
	size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyz"
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.");

	return n > 0 && s[n] == '\0';
}

static enum err
take_host(const char *host, struct web_place *out)
{
	struct span text = span_str(host);

	if (text.n >= 2 && text.p[0] == '[')
		text = span_sub(text, 1, text.n - 2);
	if (!span_copy(text, out->host, sizeof(out->host)))
		return ERR_RANGE;
	out->is_address = ipaddr_parse(text, &out->address) == OK;
	return out->is_address || is_name(out->host) ? OK : ERR_SYNTAX;
}

/* The part, or NULL; to be freed by curl_free(). */
static char *
part(CURLU *u, CURLUPart what)
{
	char *text = NULL;

	return curl_url_get(u, what, &text,
	    what == CURLUPART_PORT ? CURLU_DEFAULT_PORT : 0) == CURLUE_OK ?
	    text : NULL;
}

static bool
has_part(CURLU *u, CURLUPart what)
{
	char *text = part(u, what);

	curl_free(text);
	return text != NULL;
}

static enum err
take_parts(CURLU *u, struct web_place *out)
{
	char *scheme = part(u, CURLUPART_SCHEME);
	char *host = part(u, CURLUPART_HOST);
	char *port = part(u, CURLUPART_PORT);
	enum err e = ERR_SYNTAX;

	if (scheme != NULL && strcasecmp(scheme, "https") == 0 &&
	    host != NULL && port != NULL && !has_part(u, CURLUPART_USER) &&
	    !has_part(u, CURLUPART_FRAGMENT) &&
	    endpoint_parse_port(span_str(port), &out->port) == OK)
		e = take_host(host, out);
	curl_free(scheme);
	curl_free(host);
	curl_free(port);
	return e;
}

enum err
web_split(const char *url, struct web_place *out)
{
	struct web_place place = { .port = 0 };
	enum err e = ERR_SYNTAX;
	CURLU *u;

	if (strlen(url) > WEB_URL_MAX)
		return ERR_RANGE;
	u = curl_url();
	if (u == NULL)
		return ERR_NOMEM;
	if (curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK)
		e = take_parts(u, &place);
	curl_url_cleanup(u);
	if (e == OK)
		*out = place;
	return e;
}
