// What of a network namespace leads out of it, and the end of connections inside: needs CAP_SYS_ADMIN and CAP_NET_ADMIN.
#pragma once

#include <stdint.h>

/// Indices, in the namespace `home`, of the interfaces whose other ends (veth) are in the namespace `inside`. At most
/// `count_max`. Returns how many, or -errno. Both are descriptors of namespaces; the calling thread is back in its own
/// namespace when this returns a number of at least 0.
int ip_links_into(int inside, int home, uint32_t *indices, int count_max);

/// Ends every TCP connection of the namespace that is not listening, and every connected UDP socket, as if the other side
/// had reset it (SOCK_DESTROY). Returns how many, or -errno.
int ip_close_connections(int inside);
