// The kernel program: embedded, loaded through libbpf, attached to interfaces, and its maps.
//
// Functions return 0 or -errno unless they say otherwise. A handle is used by one thread at a time.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include "ironpost_maps.h"

struct ip_kernel;

struct ip_kernel_options {
    /// Of the ring, a power of two and of whole pages.
    uint32_t ring_bytes;
    /// Prefixes in one list.
    uint32_t list_entries;
    /// Names whoever owns the program: a hash of the data directory.
    uint32_t owner;
    /// Programs that only tests use are loaded too.
    int with_tests;
};

/// Loads the program. If one of the same owner is attached to any of `interfaces`, its lists, settings and counters are
/// taken over. Null, and `error` says why.
struct ip_kernel *ip_kernel_load(
    const struct ip_kernel_options *options, const uint32_t *interfaces, size_t count, char *error, size_t error_bytes
);
/// Lets go of it. What is attached stays attached, and goes on working.
void ip_kernel_close(struct ip_kernel *kernel);

/// Whether lists were taken over from an earlier run.
int ip_kernel_is_adopted(const struct ip_kernel *kernel);
/// Whether completed handshakes are seen; 0: why not is in `ip_kernel_handshake_error`.
int ip_kernel_sees_handshakes(const struct ip_kernel *kernel);
const char *ip_kernel_handshake_error(const struct ip_kernel *kernel);
/// The ring's descriptor; stays the kernel's.
int ip_kernel_ring(const struct ip_kernel *kernel);
uint32_t ip_kernel_program_id(const struct ip_kernel *kernel);
/// Instructions that the verifier looked at when it loaded a program; 0 where the kernel does not say.
uint32_t ip_kernel_verified(const struct ip_kernel *kernel, const char *program);

enum ip_attachment { IP_ATTACHED_NOT = 0, IP_ATTACHED_NATIVE = 1, IP_ATTACHED_SKB = 2, IP_ATTACHED_TC = 3 };

/// Attaches, or replaces our own program without a gap. -EBUSY: another's program is there.
int ip_kernel_attach(struct ip_kernel *kernel, uint32_t interface, enum ip_attachment kind);
/// Detaches whatever program of this owner is on the interface; another's is left alone: -EBUSY. 1: there was one.
int ip_kernel_detach(uint32_t owner, uint32_t interface);
/// How this program is attached there: an `ip_attachment`.
int ip_kernel_query(struct ip_kernel *kernel, uint32_t interface);

int ip_kernel_set(struct ip_kernel *kernel, const struct ip_settings *settings);
int ip_kernel_settings(struct ip_kernel *kernel, struct ip_settings *settings);
/// Over all CPUs.
int ip_kernel_counters(struct ip_kernel *kernel, struct ip_counters *total);
/// When this address last completed a handshake here, on CLOCK_BOOTTIME; -ENOENT: never, as far as is known.
int ip_kernel_proof(struct ip_kernel *kernel, struct ip_address address, uint64_t *when);

/// One prefix of a list. IPv4 addresses are mapped, their prefixes count from 0 to 32.
struct ip_list_entry {
    struct ip_address address;
    uint8_t family;
    uint8_t prefix;
    uint8_t action;
    uint8_t unused;
    uint32_t scopes;
    uint64_t expires;
    uint64_t hits;
};

/// Adds or changes entries, in as few system calls as there may be. `*done` is how many were.
int ip_kernel_list_add(
    struct ip_kernel *kernel, uint32_t list, const struct ip_list_entry *entries, size_t count, size_t *done
);
int ip_kernel_list_remove(
    struct ip_kernel *kernel, uint32_t list, const struct ip_list_entry *entries, size_t count
);
/// Puts a new list into the place of the old one: packets see either the one or the other.
int ip_kernel_list_replace(
    struct ip_kernel *kernel, uint32_t list, const struct ip_list_entry *entries, size_t count
);
/// Up to `max` entries with their hits; how many there were, or -errno.
int64_t ip_kernel_list_read(struct ip_kernel *kernel, uint32_t list, struct ip_list_entry *entries, size_t max);
int ip_kernel_scopes_set(struct ip_kernel *kernel, uint32_t place, const struct ip_scopes *scopes);
int ip_kernel_scopes_read(struct ip_kernel *kernel, uint32_t place, struct ip_scopes *scopes);

/// Runs a program on a frame without any interface. `program`: packets, passes, parsed.
int ip_kernel_run(
    struct ip_kernel *kernel, const char *program, const uint8_t *frame, uint32_t bytes, uint32_t repeat,
    uint32_t *verdict, uint32_t *nanoseconds
);
/// What the kernel made of the last frame that `parsed` was run on.
int ip_kernel_parsed(struct ip_kernel *kernel, struct ip_packet *packet);

// The reading side of a ring, for a process that may not call bpf(2).

struct ip_ring;
/// Maps the ring; `bytes` is its size. Null and errno when that fails.
struct ip_ring *ip_ring_open(int descriptor, uint32_t bytes);
void ip_ring_close(struct ip_ring *ring);
/// Waits until something is in the ring, somebody wakes the waiter, or the time is over.
void ip_ring_wait(struct ip_ring *ring, int milliseconds);
/// From any thread.
void ip_ring_wake(struct ip_ring *ring);
/// Takes up to `max` records out; how many.
size_t ip_ring_read(struct ip_ring *ring, struct ip_record *records, size_t max);

/// Whether attaching in generic mode would change the driver: it would switch off large receive offload (1) or receive
/// offload in hardware (2). 0: no; -errno: not known.
int ip_interface_offloads(const char *name);
