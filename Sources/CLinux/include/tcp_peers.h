// The TCP connections of this network namespace, as sock_diag(7) tells them.
#pragma once

#include <stdint.h>

struct ip_tcp_peer {
    /// Of IPv4 the first four bytes; an IPv4 address that an IPv6 socket has is in its IPv6 form.
    uint8_t address[16];
    /// AF_INET or AF_INET6.
    uint32_t family;
    /// The socket's, as in /proc/PID/fd.
    uint32_t inode;
};

/// The other ends of established connections within `address`/`prefix` of `family`, into `peers`, which has room for
/// `peers_max`; all of both families when `prefix` is 0. Returns how many there are, which may be more, or -errno.
int ip_tcp_peers(int family, const uint8_t *address, uint8_t prefix, struct ip_tcp_peer *peers, int peers_max);
