/*
 * The counters lie in memory that all smtpds share; each worker writes a
 * region of its own and reads all of them, so there is no lock.  Two workers
 * may let one client too many in at the same moment; the limits bound
 * resources and need no more exactness than that.
 */
#include "smtpd/admission.h"

/* Places that strangers never get. */
#define KEPT_PART 10

/* Those that are refused for it are not counted: so many get in, however many
 * knock. */
bool
admission_is_too_fast(struct client_table *table, const struct conf *conf,
    const struct ipaddr *client, bool is_trusted, int64_t now_ms)
{
	const struct conf_rate *rate = &conf->limits.connections_rate;

	if (is_trusted || rate->count == 0)
		return false;
	if (client_table_rate(table, CLIENT_RATE_CONNECTIONS, client,
	    rate->period_ms, now_ms) >= rate->count)
		return true;
	client_table_note(table, CLIENT_RATE_CONNECTIONS, client,
	    rate->period_ms, now_ms, 1);
	return false;
}

/* The limit of one client is asked first: a flood from one address should hear
 * of its own fault, and must not push others out. */
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
	/* this worker's region is full */
	if (client_table_enter(table, client) != OK)
		return ADMISSION_FULL;
	return ADMISSION_GRANTED;
}

void
admission_leave(struct client_table *table, const struct ipaddr *client)
{
	client_table_leave(table, client);
}
