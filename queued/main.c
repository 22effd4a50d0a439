/*
 * queued: owns the spool, schedules, writes reports, answers mtactl.
 */
#include "queued/queued.h"
#include "queued/service.h"

int
main(int argc, char **argv)
{
	static struct queued queued;

	return proc_main(argc, argv, &service_ops, &queued);
}
