// What glibc's Swift overlay leaves out: backtrace, epoll, eventfd, timerfd, accept4, signalfd, recvmmsg, pidfd, malloc_trim, statfs.
//
// Several of these are declared for GNU sources only. Defining that here would make structures differ from those of the overlay,
// so they are declared again inside inline functions. Nothing here does more than call the function it is named after.
#ifndef CSYSTEM_SHIM_H
#define CSYSTEM_SHIM_H
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <malloc.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

static inline int csystem_accept4(int fd, struct sockaddr *addr, socklen_t *len, int flags) {
    extern int accept4(int, struct sockaddr *, socklen_t *, int);
    return accept4(fd, addr, len, flags);
}

/// struct mmsghdr.
struct csystem_mmsghdr {
    struct msghdr header;
    unsigned int length;
};

static inline int csystem_recvmmsg(int fd, struct csystem_mmsghdr *messages, unsigned int count, int flags) {
    extern long syscall(long, ...);
    return (int)syscall(SYS_recvmmsg, fd, messages, count, flags, (void *)0);
}

static inline int csystem_sendmmsg(int fd, struct csystem_mmsghdr *messages, unsigned int count, int flags) {
    extern long syscall(long, ...);
    return (int)syscall(SYS_sendmmsg, fd, messages, count, flags);
}

/// A descriptor that becomes readable when the process ends (Linux 5.3).
static inline int csystem_pidfd_open(pid_t pid) {
    extern long syscall(long, ...);
    return (int)syscall(434, pid, 0);
}

static inline int csystem_spawn_add_chdir(posix_spawn_file_actions_t *actions, const char *path) {
    extern int posix_spawn_file_actions_addchdir_np(posix_spawn_file_actions_t *, const char *);
    return posix_spawn_file_actions_addchdir_np(actions, path);
}

static inline int csystem_pipe2(int fds[2], int flags) {
    extern int pipe2(int[2], int);
    return pipe2(fds, flags);
}

static inline int csystem_flock(int fd, int operation) {
    extern int flock(int, int);
    return flock(fd, operation);
}

/// The process's environment: a global variable cannot be read safely from Swift.
static inline char **csystem_environment(void) {
    extern char **environ;
    return environ;
}

static inline int csystem_set_thread_name(const char *name) {
    extern int pthread_setname_np(pthread_t, const char *);
    return pthread_setname_np(pthread_self(), name);
}

/// Bytes that were sent on the socket and that the peer has not acknowledged: SIOCOUTQ. -1 where that cannot be told.
static inline int csystem_unacknowledged(int fd) {
    int count = 0;
    return ioctl(fd, TIOCOUTQ, &count) == 0 ? count : -1;
}

static inline int csystem_exited(int status) { return WIFEXITED(status); }
static inline int csystem_exit_status(int status) { return WEXITSTATUS(status); }

#endif
