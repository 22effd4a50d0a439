#include "smtpd/admission.h"

/* Places that strangers never get. */
#define KEPT_PART 10

enum admission
admission_enter(struct client_table *table, const struct conf *conf,
    const struct ipaddr *client, bool is_trusted)
{
	uint32_t places = conf->limits.connections;

	if (client_table_count(table, client) >=
	    conf->limits.connections_per_client)
		return ADMISSION_CROWD;
	if (!is_trusted)
		places -= places / KEPT_PART;
	if (client_table_total(table) >= places)
		return ADMISSION_FULL;
	if (client_table_enter(table, client) != OK)
		return ADMISSION_FULL;
	return ADMISSION_GRANTED;
}

void
admission_leave(struct client_table *table, const struct ipaddr *client)
{
	client_table_leave(table, client);
}
