/*
 * queued: owns the spool, schedules, writes reports, answers mtactl.  With a
 * command line it looks at a spool that nobody serves.
 */
#include "queued/offline.h"
#include "queued/queued.h"
#include "queued/service.h"

int
main(int argc, char **argv)
{
	static struct queued queued;

	if (argc > 1)
		return offline_main(argc, argv);
	return proc_main(argc, argv, &service_ops, &queued);
}
