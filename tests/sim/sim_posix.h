/*
 * The calls that the linker sends to the simulation (--wrap), with those of
 * the system behind them; and what wakes queued.
 */
#ifndef MTAD_TESTS_SIM_SIM_POSIX_H
#define MTAD_TESTS_SIM_SIM_POSIX_H

#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

struct epoll_event;
struct itimerspec;
struct statvfs;

/* It would be readable. */
bool sim_posix_is_awake(int fd);
/* When the store's timer fires; INT64_MAX. */
int64_t sim_posix_timer(void);
void sim_posix_wake(int fd);
size_t sim_posix_open_count(void);

#define SIM_WRAP(type, name, ...) \
	type __wrap_##name(__VA_ARGS__); \
	type __real_##name(__VA_ARGS__)

SIM_WRAP(int, eventfd, unsigned count, int flags);
SIM_WRAP(int, timerfd_create, int clock, int flags);
SIM_WRAP(int, timerfd_settime, int fd, int flags, const struct itimerspec *to,
    struct itimerspec *old);
SIM_WRAP(int, epoll_create1, int flags);
SIM_WRAP(int, epoll_ctl, int poll, int op, int fd, struct epoll_event *event);
SIM_WRAP(ssize_t, read, int fd, void *p, size_t n);
SIM_WRAP(ssize_t, __read_chk, int fd, void *p, size_t n, size_t size);
SIM_WRAP(ssize_t, write, int fd, const void *p, size_t n);
SIM_WRAP(int, fchmod, int fd, mode_t mode);
SIM_WRAP(int, open, const char *name, int flags, ...);
SIM_WRAP(int, __open_2, const char *name, int flags);
SIM_WRAP(int, openat, int dir, const char *name, int flags, ...);
SIM_WRAP(int, __openat_2, int dir, const char *name, int flags);
SIM_WRAP(int, close, int fd);
SIM_WRAP(ssize_t, pread, int fd, void *p, size_t n, off_t at);
SIM_WRAP(ssize_t, __pread_chk, int fd, void *p, size_t n, off_t at,
    size_t size);
SIM_WRAP(ssize_t, pwrite, int fd, const void *p, size_t n, off_t at);
SIM_WRAP(int, fdatasync, int fd);
SIM_WRAP(int, fsync, int fd);
SIM_WRAP(int, fcntl, int fd, int command, void *arg);
SIM_WRAP(int, fstat, int fd, struct stat *out);
SIM_WRAP(int, fstatat, int dir, const char *name, struct stat *out,
    int flags);
SIM_WRAP(int, fstatvfs, int fd, struct statvfs *out);
SIM_WRAP(int, mkdirat, int dir, const char *name, mode_t mode);
SIM_WRAP(int, unlinkat, int dir, const char *name, int flags);
SIM_WRAP(int, renameat, int dir, const char *from, int to_dir,
    const char *to);
SIM_WRAP(DIR *, fdopendir, int fd);
SIM_WRAP(struct dirent *, readdir, DIR *dir);
SIM_WRAP(int, closedir, DIR *dir);

#endif
