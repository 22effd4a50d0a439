/* smtpd: speaks SMTP with clients.  Started by mtad only. */
#include "smtpd/server.h"

int
main(int argc, char **argv)
{
	static struct server server;

	return proc_main(argc, argv, &server_ops, &server);
}
