// What the core gives up before its first thread: its user, its capabilities, system calls, and most of the file system.
// Everything here holds for the calling thread and those that it starts.
#pragma once

#include <stddef.h>
#include <stdint.h>

/// Becomes a user with these groups, without any capability, now and for good. The user may be the present one.
/// 0 or -errno.
int ip_become_user(uint32_t uid, uint32_t gid, const uint32_t *groups, size_t group_count);

/// Gives what belongs to root below a directory, and the directory, to a user. Follows no link, enters no other file
/// system, passes over files with a second name. Entries that could not be given, or -errno.
int64_t ip_give_directory(const char *path, uint32_t uid, uint32_t gid);

/// One file, if it exists and belongs to root. 0 or -errno.
int ip_give_file(const char *path, uint32_t uid, uint32_t gid);

/// A file's owner, group and mode, links followed.
struct ip_ownership {
    uint32_t uid;
    uint32_t gid;
    uint32_t mode;
};

/// 0 or -errno.
int ip_look_at(const char *path, struct ip_ownership *found);

/// The Landlock version of this kernel; 0 when it has none.
int ip_landlock_version(void);

/// What Landlock leaves open.
struct ip_landlock_rules {
    /// Directories below which everything may be written.
    const char *const *writable;
    size_t writable_count;
    /// Directories in which only sockets may be made and files removed.
    const char *const *sockets;
    size_t socket_count;
    /// TCP ports to which connections may be made.
    const uint16_t *ports;
    size_t port_count;
    /// Whether abstract unix sockets of other processes stay in reach.
    int keeps_abstract_sockets;
};

/// Nothing may be executed anywhere, nothing written but by the rules, nobody outside signalled. Reading is left alone.
/// 0 or -errno.
int ip_landlock_restrict(const struct ip_landlock_rules *rules);

/// Whose system calls.
enum ip_calls {
    /// The core's, which connects to nobody.
    IP_CALLS_WITHOUT_CONNECT = 0,
    /// The core's, where it delivers something.
    IP_CALLS_WITH_CONNECT = 1,
    /// The responder's: besides, BPF, other network namespaces, every kind of socket, and becoming its own program again.
    IP_CALLS_OF_RESPONDER = 2,
};

/// Denies (EPERM) the system calls that are never needed: running programs, other processes' memory, BPF, mounting,
/// namespaces, modules, keys, io_uring, raw and other sockets than unix and IP, memory that is written and then executed,
/// connect(2). 0 or -errno.
int ip_forbid_calls(enum ip_calls calls);
