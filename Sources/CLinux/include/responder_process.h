// The two ends of the responder's socket, and the keeper that restarts its worker. One thread, no Swift.
#pragma once

#include <stddef.h>
#include <stdint.h>

/// The most descriptors that travel with one message.
#define IP_MESSAGE_DESCRIPTORS_MAX 16

/// socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC); 0 or -errno.
int ip_message_pair(int ends[2]);

/// Sends one message whole, with descriptors. `wait` 0: -EAGAIN when the other side is behind. 0 or -errno.
int ip_send_message(int fd, const uint8_t *bytes, size_t count, const int *descriptors, size_t descriptor_count,
                    int wait);

/// Receives one message without waiting. Descriptors, close-on-exec, go into `descriptors`, which has room for
/// IP_MESSAGE_DESCRIPTORS_MAX. Returns its bytes; 0 when the other side is gone; -EAGAIN when there is none; -EMSGSIZE
/// for one that was larger than `capacity` or brought too many descriptors, -EBADMSG for an empty one (both are gone,
/// their descriptors closed); another -errno.
int64_t ip_receive_message(int fd, uint8_t *buffer, size_t capacity, int *descriptors, size_t *descriptor_count);

/// Why the worker before this one ended.
enum ip_worker_end {
    IP_WORKER_FIRST = 0,
    IP_WORKER_EXITED = 1,
    IP_WORKER_KILLED = 2,
    IP_WORKER_HUNG = 3,
    IP_WORKER_ORPHANED = 4,
};

/// What a worker is told of its place.
struct ip_worker {
    /// Counts the workers; the first is 1.
    uint32_t epoch;
    /// An enum ip_worker_end, and the exit status or the signal.
    uint32_t last_end;
    uint32_t last_code;
    /// The worker writes a byte here about every second; without one for 5 s it is taken for hung and killed.
    int heartbeat;
};

/// Forks a worker and watches over it: starts the next one when it ends or falls silent, with growing pauses, and ends
/// the process once the other side of `core` is gone. To be called while the process has one thread.
/// Returns in each worker, never in the keeper.
struct ip_worker ip_keep_worker(int core, uint32_t first_epoch, uint32_t last_end);
