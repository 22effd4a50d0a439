/*
 * libidn2 maps before it looks up (case, width, NFC: RFC 5895), as people
 * expect who write a domain; what is left must be IDNA2008 to the letter, for
 * a name that two libraries take for different ones is nobody's.
 */
#include "common/idn/idn.h"

#include <idn2.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/utf8.h"

#define NAME_MAX_UTF8 255	/* no address has a longer one */

static enum err
err_of(int rc)
{
	switch (rc) {
	case IDN2_MALLOC:
		return ERR_NOMEM;
	case IDN2_TOO_BIG_DOMAIN:
	case IDN2_TOO_BIG_LABEL:
		return ERR_RANGE;
	default:
		return ERR_SYNTAX;
	}
}

enum err
idn_to_ascii(struct span domain, char out[IDN_ASCII_MAX + 1],
    struct span *ascii)
{
	char text[NAME_MAX_UTF8 + 1];
	uint8_t *found = NULL;
	size_t n;
	int rc;

	if (utf8_is_ascii(domain)) {
		*ascii = domain;
		return OK;
	}
	/* a NUL would end the name early */
	if (!utf8_is_valid(domain) || span_find(domain, '\0') < domain.n)
		return ERR_SYNTAX;
	if (!span_copy(domain, text, sizeof(text)))
		return ERR_RANGE;
	rc = idn2_lookup_u8((const uint8_t *)text, &found,
	    IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
	if (rc != IDN2_OK)
		return err_of(rc);
	n = strlen((const char *)found);
	if (n <= IDN_ASCII_MAX)
		memcpy(out, found, n + 1);
	idn2_free(found);
	if (n > IDN_ASCII_MAX)
		return ERR_RANGE;
	*ascii = span_of(out, n);
	return OK;
}
