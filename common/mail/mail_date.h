/*
 * The date of a header field: "Sun, 22 Nov 2026 02:17:42 +0000", RFC 5322 3.3.
 */
#ifndef MTAD_MAIL_MAIL_DATE_H
#define MTAD_MAIL_MAIL_DATE_H

#include <stddef.h>
#include <stdint.h>

#define MAIL_DATE_SIZE 32	/* with the NUL */

/*
 * Writes the date of AT_MS (wall milliseconds since 1970) as seen ZONE_MIN
 * minutes east of UTC; returns its length.  Times outside of the years 1900
 * to 9999 and zones beyond +-99:59 are clipped to these.
 */
size_t mail_date_format(int64_t at_ms, int zone_min, char out[MAIL_DATE_SIZE]);

#endif
