// Calls of Linux and glibc that Swift cannot import: variadic, or hidden behind _GNU_SOURCE. One thin function each.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/// Names the calling thread; 15 bytes count.
void ip_thread_name(const char *name);

/// Line feeds in `bytes`.
size_t ip_count_lines(const uint8_t *bytes, size_t count);

/// The address of a network peer: the 16 bytes of an IPv6 address, IPv4 mapped into it; 0 where there is none.
struct ip_peer {
    uint64_t high;
    uint64_t low;
};

/// Receives up to `messages_max` datagrams without waiting, each into `buffer + i * stride`, lengths into `lengths`;
/// a datagram that was longer than `stride` gets `stride + 1`; and who sent each. Returns how many, or -errno.
int ip_receive_datagrams(int fd, uint8_t *buffer, size_t stride, uint32_t *lengths, struct ip_peer *peers,
                         int messages_max);

/// The peer's address as text, IPv4 as IPv4; `size` of at least INET6_ADDRSTRLEN. 0 or -errno.
int ip_peer_text(struct ip_peer peer, char *text, size_t size);

/// Who sent a datagram, as the kernel says; `pid` is 0 where it does not.
struct ip_sender {
    uint32_t pid;
    uint32_t uid;
    /// When it was sent, nanoseconds since 1970; 0 where the kernel does not tell.
    int64_t time;
};

/// As `ip_receive_datagrams`, on a unix socket with SO_PASSCRED, and who sent each.
int ip_receive_credentials(int fd, uint8_t *buffer, size_t stride, uint32_t *lengths, struct ip_sender *senders,
                           int messages_max);

/// setsockopt(SO_PASSCRED, SO_TIMESTAMPNS); 0 or -errno.
int ip_pass_credentials(int fd);

/// pipe2(ends, O_CLOEXEC | O_NONBLOCK); 0 or -errno.
int ip_pipe(int ends[2]);

/// memfd_create(MFD_CLOEXEC): a file without a name; its number or -errno.
int ip_memory_file(const char *name);

/// flock(LOCK_EX | LOCK_NB); 0 or -errno.
int ip_lock_file(int fd);

/// Bytes waiting in the socket's receive queue that the kernel dropped for want of room (SO_MEMINFO drops), or -errno.
int64_t ip_socket_drops(int fd);

/// The other side's pid, uid and gid of a unix socket (SO_PEERCRED). 0 or -errno.
int ip_peer_credentials(int fd, uint32_t *pid, uint32_t *uid, uint32_t *gid);

/// Opens the directory `path` below `root` without following any symbolic link on the way; a descriptor or -errno.
int ip_open_beneath(int root, const char *path);

/// The allocator keeps up to so many freed bytes for what comes next, in place of returning them to the kernel at once
/// (mallopt(3)).
void ip_keep_freed_memory(int bytes);

/// Lets two paths change places in one step. 0 or a negative errno; some file systems cannot.
int ip_exchange(const char *one, const char *other);

/// Waits until everything written to an open directory's file system is on the disk. 0 or a negative errno.
int ip_flush_file_system(int fd);
