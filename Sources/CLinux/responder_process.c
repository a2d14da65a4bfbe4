#define _GNU_SOURCE
#include "responder_process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SILENCE_MAX_MS 5000
#define PAUSE_FIRST_MS 100
#define PAUSE_MAX_MS 5000
// A worker that lived this long is not one of a row that dies at once.
#define STEADY_MS 10000
// How long a worker may take to finish once the core is gone.
#define FAREWELL_MS 3000

int ip_message_pair(int ends[2]) {
    return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0 ? 0 : -errno;
}

int ip_send_message(int fd, const uint8_t *bytes, size_t count, const int *descriptors, size_t descriptor_count,
                    int wait) {
    struct iovec vector = {(void *)bytes, count};
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int) * IP_MESSAGE_DESCRIPTORS_MAX)];
    } control;
    struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
    if (descriptor_count > IP_MESSAGE_DESCRIPTORS_MAX) return -EMSGSIZE;
    if (descriptor_count > 0) {
        memset(&control, 0, sizeof(control));
        message.msg_control = control.space;
        message.msg_controllen = CMSG_SPACE(sizeof(int) * descriptor_count);
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int) * descriptor_count);
        memcpy(CMSG_DATA(header), descriptors, sizeof(int) * descriptor_count);
    }
    for (;;) {
        ssize_t sent = sendmsg(fd, &message, MSG_NOSIGNAL | (wait ? 0 : MSG_DONTWAIT));
        if (sent >= 0) return 0;
        if (errno != EINTR) return -errno;
    }
}

static int is_hung_up(int fd) {
    struct pollfd polled = {fd, POLLRDHUP, 0};
    return poll(&polled, 1, 0) > 0 && (polled.revents & (POLLRDHUP | POLLHUP | POLLERR));
}

int64_t ip_receive_message(int fd, uint8_t *buffer, size_t capacity, int *descriptors, size_t *descriptor_count) {
    struct iovec vector = {buffer, capacity};
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int) * IP_MESSAGE_DESCRIPTORS_MAX)];
    } control;
    struct msghdr message = {
        .msg_iov = &vector, .msg_iovlen = 1, .msg_control = control.space, .msg_controllen = sizeof(control.space)};
    ssize_t received;
    *descriptor_count = 0;
    do received = recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    while (received < 0 && errno == EINTR);
    // The other side is gone without having read everything.
    if (received < 0) return errno == ECONNRESET ? 0 : -errno;
    size_t count = 0;
    for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header)) {
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
        size_t length = header->cmsg_len - CMSG_LEN(0);
        size_t here = length / sizeof(int);
        if (count + here > IP_MESSAGE_DESCRIPTORS_MAX) here = IP_MESSAGE_DESCRIPTORS_MAX - count;
        memcpy(descriptors + count, CMSG_DATA(header), here * sizeof(int));
        count += here;
    }
    int64_t result = received;
    if (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) result = -EMSGSIZE;
    else if (received == 0) result = is_hung_up(fd) ? 0 : -EBADMSG;
    if (result <= 0) {
        for (size_t i = 0; i < count; i++) close(descriptors[i]);
        count = 0;
    }
    *descriptor_count = count;
    return result;
}

static int64_t now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

// Waits for a child without waiting longer than `limit_ms`; 1 when it ended.
static int reap(pid_t pid, int *status, int limit_ms) {
    int64_t end = now_ms() + limit_ms;
    for (;;) {
        pid_t ended = waitpid(pid, status, WNOHANG);
        if (ended == pid || (ended < 0 && errno == ECHILD)) return 1;
        if (now_ms() >= end) return 0;
        poll(NULL, 0, 20);
    }
}

static void end_with_core(pid_t pid) {
    int status = 0;
    if (pid > 0 && !reap(pid, &status, FAREWELL_MS)) {
        kill(pid, SIGKILL);
        reap(pid, &status, FAREWELL_MS);
    }
    _exit(0);
}

// Until the worker ends: by itself, by our hand because it was silent, or with the core.
static void watch(int core, int beats, pid_t pid, struct ip_worker *next) {
    int64_t last = now_ms();
    for (;;) {
        struct pollfd polled[2] = {{core, POLLRDHUP, 0}, {beats, POLLIN, 0}};
        poll(polled, 2, 1000);
        if (polled[0].revents & (POLLRDHUP | POLLHUP | POLLERR)) end_with_core(pid);
        char drained[64];
        ssize_t count = 0;
        int status = 0;
        while (polled[1].revents && (count = read(beats, drained, sizeof(drained))) > 0) last = now_ms();
        int ended = reap(pid, &status, polled[1].revents && count == 0 ? 1000 : 0);
        int is_silent = now_ms() - last > SILENCE_MAX_MS;
        if (!ended && !is_silent) continue;
        if (!ended) {
            kill(pid, SIGKILL);
            reap(pid, &status, FAREWELL_MS);
            next->last_end = IP_WORKER_HUNG;
            next->last_code = 0;
        } else {
            next->last_end = WIFSIGNALED(status) ? IP_WORKER_KILLED : IP_WORKER_EXITED;
            next->last_code = (uint32_t)(WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
        }
        return;
    }
}

struct ip_worker ip_keep_worker(int core, uint32_t first_epoch, uint32_t last_end) {
    struct ip_worker next = {.epoch = first_epoch, .last_end = last_end, .last_code = 0, .heartbeat = -1};
    int pause_ms = 0;
    // Both end when the core does, never by a signal that was meant for the core's process group.
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGCHLD, SIG_DFL);
    for (;; next.epoch++) {
        struct pollfd polled = {core, POLLRDHUP, 0};
        poll(&polled, 1, pause_ms);
        if (polled.revents & (POLLRDHUP | POLLHUP | POLLERR)) end_with_core(0);
        int64_t started = now_ms();
        int ends[2];
        pid_t pid = -1;
        if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0) {
            pid = fork();
            if (pid == 0) {
                close(ends[0]);
                next.heartbeat = ends[1];
                return next;
            }
            close(ends[1]);
            if (pid > 0) watch(core, ends[0], pid, &next);
            close(ends[0]);
        }
        int is_steady = pid > 0 && now_ms() - started >= STEADY_MS;
        pause_ms = is_steady || pause_ms == 0 ? PAUSE_FIRST_MS : pause_ms * 2;
        if (pause_ms > PAUSE_MAX_MS) pause_ms = PAUSE_MAX_MS;
    }
}
