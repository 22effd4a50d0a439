/*
 * Reports about TLS (tlsrpt/tlsrpt.h): deliverds tell what became of it on their
 * connections; when a day is over the domains are asked, through a deliverd,
 * whether they want to hear of it, and get a mail of ours.
 *
 * Counts are kept in the spool's file `tlsrpt`.  They are no mail: some seconds
 * are lost when the process is killed, and a file that can't be read is told of
 * and begins anew.
 */
#ifndef MTAD_QUEUED_TLS_REPORTS_H
#define MTAD_QUEUED_TLS_REPORTS_H

#include "queued/queued.h"

/* ERR_NOMEM, ERR_IO. */
enum err tls_reports_open(struct queued *q);
void tls_reports_close(struct queued *q);

/* From a deliverd; what makes no sense is not counted. */
void tls_reports_count(struct queued *q, const struct msg_tls_result *m);
void tls_reports_record(struct queued *q, const struct msg_tls_record *m);

/* Once a second. */
void tls_reports_keep_house(struct queued *q);

#endif
