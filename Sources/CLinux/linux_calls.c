#define _GNU_SOURCE
#include "linux_calls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <malloc.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#ifndef SO_MEMINFO
#define SO_MEMINFO 55
#endif
// linux/sock_diag.h: enum sk_meminfo_vars.
#define MEMINFO_DROPS 8
#define MEMINFO_VARS 9

void ip_thread_name(const char *name) {
    char cut[16];
    strncpy(cut, name, sizeof(cut) - 1);
    cut[sizeof(cut) - 1] = 0;
    pthread_setname_np(pthread_self(), cut);
}

size_t ip_count_lines(const uint8_t *bytes, size_t count) {
    size_t lines = 0;
    for (size_t i = 0; i < count; i++) lines += bytes[i] == '\n';
    return lines;
}

#define DATAGRAMS_MAX 64

static int receive(int fd, uint8_t *buffer, size_t stride, uint32_t *lengths, struct ip_sender *senders,
                   struct ip_peer *peers, int messages_max);

int ip_receive_datagrams(int fd, uint8_t *buffer, size_t stride, uint32_t *lengths, struct ip_peer *peers,
                         int messages_max) {
    return receive(fd, buffer, stride, lengths, NULL, peers, messages_max);
}

int ip_receive_credentials(int fd, uint8_t *buffer, size_t stride, uint32_t *lengths, struct ip_sender *senders,
                           int messages_max) {
    return receive(fd, buffer, stride, lengths, senders, NULL, messages_max);
}

static struct ip_peer peer_of(const struct sockaddr_storage *address, socklen_t length) {
    struct in6_addr bytes = {0};
    if (address->ss_family == AF_INET && length >= sizeof(struct sockaddr_in)) {
        bytes.s6_addr[10] = bytes.s6_addr[11] = 0xFF;
        memcpy(&bytes.s6_addr[12], &((const struct sockaddr_in *)address)->sin_addr, 4);
    } else if (address->ss_family == AF_INET6 && length >= sizeof(struct sockaddr_in6)) {
        bytes = ((const struct sockaddr_in6 *)address)->sin6_addr;
    }
    struct ip_peer peer;
    memcpy(&peer, &bytes, sizeof(peer));
    return peer;
}

int ip_peer_text(struct ip_peer peer, char *text, size_t size) {
    struct in6_addr bytes;
    memcpy(&bytes, &peer, sizeof(bytes));
    const char *written = IN6_IS_ADDR_V4MAPPED(&bytes) ? inet_ntop(AF_INET, &bytes.s6_addr[12], text, (socklen_t)size)
                                                       : inet_ntop(AF_INET6, &bytes, text, (socklen_t)size);
    return written ? 0 : -errno;
}

static struct ip_sender sender_of(struct msghdr *message) {
    struct ip_sender sender = {0, UINT32_MAX, 0};
    for (struct cmsghdr *part = CMSG_FIRSTHDR(message); part; part = CMSG_NXTHDR(message, part)) {
        if (part->cmsg_level == SOL_SOCKET && part->cmsg_type == SO_TIMESTAMPNS) {
            struct timespec time;
            if (part->cmsg_len < CMSG_LEN(sizeof(time))) continue;
            memcpy(&time, CMSG_DATA(part), sizeof(time));
            sender.time = (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
        }
        if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_CREDENTIALS) continue;
        struct ucred credentials;
        if (part->cmsg_len < CMSG_LEN(sizeof(credentials))) continue;
        memcpy(&credentials, CMSG_DATA(part), sizeof(credentials));
        sender.pid = (uint32_t)credentials.pid;
        sender.uid = credentials.uid;
    }
    return sender;
}

int ip_pass_credentials(int fd) {
    int on = 1;
    if (setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) != 0) return -errno;
    return setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on)) == 0 ? 0 : -errno;
}

static int receive(int fd, uint8_t *buffer, size_t stride, uint32_t *lengths, struct ip_sender *senders,
                   struct ip_peer *peers, int messages_max) {
    struct sockaddr_storage names[DATAGRAMS_MAX];
    struct mmsghdr messages[DATAGRAMS_MAX];
    struct iovec vectors[DATAGRAMS_MAX];
    _Alignas(struct cmsghdr) uint8_t controls[DATAGRAMS_MAX][CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(sizeof(struct timespec))];
    if (messages_max > DATAGRAMS_MAX) messages_max = DATAGRAMS_MAX;
    memset(messages, 0, sizeof(messages));
    for (int i = 0; i < messages_max; i++) {
        vectors[i] = (struct iovec){buffer + (size_t)i * stride, stride};
        messages[i].msg_hdr.msg_iov = &vectors[i];
        messages[i].msg_hdr.msg_iovlen = 1;
        if (peers) {
            messages[i].msg_hdr.msg_name = &names[i];
            messages[i].msg_hdr.msg_namelen = sizeof(names[i]);
        }
        if (!senders) continue;
        messages[i].msg_hdr.msg_control = controls[i];
        messages[i].msg_hdr.msg_controllen = sizeof(controls[i]);
    }
    int received = recvmmsg(fd, messages, (unsigned)messages_max, MSG_DONTWAIT, NULL);
    if (received < 0) return -errno;
    for (int i = 0; i < received; i++) {
        int cut = messages[i].msg_hdr.msg_flags & MSG_TRUNC;
        lengths[i] = cut ? (uint32_t)stride + 1 : messages[i].msg_len;
        if (senders) senders[i] = sender_of(&messages[i].msg_hdr);
        if (peers) peers[i] = peer_of(&names[i], messages[i].msg_hdr.msg_namelen);
    }
    return received;
}

int ip_pipe(int ends[2]) { return pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0 ? 0 : -errno; }

int ip_memory_file(const char *name) {
    int fd = memfd_create(name, MFD_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

int ip_lock_file(int fd) { return flock(fd, LOCK_EX | LOCK_NB) == 0 ? 0 : -errno; }

int64_t ip_socket_drops(int fd) {
    uint32_t values[MEMINFO_VARS] = {0};
    socklen_t length = sizeof(values);
    if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, values, &length) != 0) return -errno;
    return length >= sizeof(values) ? values[MEMINFO_DROPS] : 0;
}

int ip_peer_credentials(int fd, uint32_t *pid, uint32_t *uid, uint32_t *gid) {
    struct ucred peer;
    socklen_t length = sizeof(peer);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0) return -errno;
    *pid = (uint32_t)peer.pid;
    *uid = peer.uid;
    *gid = peer.gid;
    return 0;
}

int ip_open_beneath(int root, const char *path) {
    const int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW;
    struct open_how how = {.flags = flags, .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS};
    long fd = syscall(SYS_openat2, root, path, &how, sizeof(how));
    if (fd >= 0) return (int)fd;
    if (errno != ENOSYS && errno != EPERM) return -errno;
    // An older kernel, or a filter that does not know the call: part by part.
    char part[NAME_MAX + 1];
    int parent = dup(root);
    while (parent >= 0 && *path) {
        size_t count = strcspn(path, "/");
        if (count > NAME_MAX) {
            close(parent);
            return -ENAMETOOLONG;
        }
        memcpy(part, path, count);
        part[count] = 0;
        int next = openat(parent, part, flags);
        int error = errno;
        close(parent);
        if (next < 0) return -error;
        parent = next;
        path += count;
        while (*path == '/') path++;
    }
    return parent < 0 ? -errno : parent;
}

void ip_keep_freed_memory(int bytes) {
    mallopt(M_MMAP_THRESHOLD, bytes);
    mallopt(M_TRIM_THRESHOLD, bytes);
    mallopt(M_TOP_PAD, 1 << 20);
}

int ip_exchange(const char *one, const char *other) {
    return syscall(SYS_renameat2, AT_FDCWD, one, AT_FDCWD, other, RENAME_EXCHANGE) == 0 ? 0 : -errno;
}

int ip_flush_file_system(int fd) { return syncfs(fd) == 0 ? 0 : -errno; }
