/*
 * What needs the files themselves: that they are there and that secrets are
 * closed to others.  Contents are read by those who use them.  A failure is an
 * error of the configuration, so it is told before a running one is given up.
 */
#include "common/confload/conf_check.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/os/file.h"
#include "common/os/file_check.h"

#define NO_PLACE ((struct conf_place){ 0, 0 })

/* KEY names the value for people; a secret must be closed to others. */
static void
check_file(const char *key, const char *path, bool is_secret,
    struct conf_report *report)
{
	struct why why = { "" };
	enum err e;
	int fd;

	if (path[0] == '\0')
		return;
	e = file_open_read(AT_FDCWD, path, &fd, &why);
	if (e == OK) {
		if (is_secret)
			e = file_check_secret(fd, path, &why);
		close(fd);
	}
	if (e != OK)
		conf_report_add(report, CONF_ERROR, NO_PLACE, "%s: %s", key,
		    why.text[0] != '\0' ? why.text : err_text(e));
}

/* It may be made later, by another service: mail flows meanwhile. */
static void
check_socket(const char *key, const char *path, const char *meanwhile,
    struct conf_report *report)
{
	struct stat st;

	if (path[0] == '\0')
		return;
	if (stat(path, &st) != 0)
		conf_report_add(report, CONF_WARNING, NO_PLACE,
		    "%s: %s: %s; until it is there, %s", key, path,
		    strerror(errno), meanwhile);
	else if (!S_ISSOCK(st.st_mode))
		conf_report_add(report, CONF_ERROR, NO_PLACE,
		    "%s: %s: is no socket", key, path);
}

static void
check_files(const char *key, const struct conf_texts *paths, bool is_secret,
    struct conf_report *report)
{
	for (size_t i = 0; i < paths->n; i++)
		check_file(key, paths->v[i], is_secret, report);
}

/* All are looked at, and each one's fault told. */
enum err
conf_check_files(const struct conf *conf, struct conf_report *report)
{
	size_t before = report->n_errors;

	check_files("tls.certificate", &conf->tls.certificate, false, report);
	check_files("tls.key", &conf->tls.key, true, report);
	check_files("tls.ocsp", &conf->tls.ocsp, false, report);
	check_file("tls.authorities", conf->tls.authorities, false, report);
	check_file("auth.passwords", conf->auth.passwords, true, report);
	check_socket("auth.dovecot", conf->auth.dovecot,
	    "AUTH is answered with 454", report);
	check_file("auth.client_ca", conf->auth.client_ca, false, report);
	check_file("srs.secret_file", conf->srs.secret_file, true, report);
	check_file("aliases", conf->aliases, false, report);
	for (size_t i = 0; i < conf->routes.n; i++) {
		const struct conf_route *route = &conf->routes.v[i];

		check_file("routes[].auth.password_file",
		    route->auth_password_file, true, report);
		check_file("routes[].auth.client_secret_file",
		    route->auth_client_secret_file, true, report);
		check_file("routes[].auth.refresh_token_file",
		    route->auth_refresh_token_file, true, report);
		check_file("routes[].tls_certificate", route->tls_certificate,
		    false, report);
		check_file("routes[].tls_key", route->tls_key, true, report);
		for (size_t j = 0; j < route->via.n; j++)
			if (route->via.v[j].host[0] == '/')
				check_socket("routes[].via",
				    route->via.v[j].host, "mail waits",
				    report);
	}
	return report->n_errors == before ? OK : ERR_DENIED;
}
