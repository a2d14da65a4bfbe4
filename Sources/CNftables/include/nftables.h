// Our table in the kernel's nf_tables, spoken to over netlink: no nft(8), no shell.
//
// One set a family, prefix length and scope: networks of one length never overlap, whatever is added when. Each set has
// its rules in one chain before routing. Elements carry their own timeout, so that they end without us.
#pragma once

#include <stddef.h>
#include <stdint.h>

#define IPN_TABLE "ironpost"
#define IPN_CHAIN "blocked"
#define IPN_NAME_BYTES 32

/// Which set: what kind of addresses, and which packets of theirs.
struct ipn_set {
    /// 4 or 6.
    uint8_t family;
    /// Bits that count; 32 or 128 for hosts.
    uint8_t prefix;
    /// IPPROTO_TCP, IPPROTO_UDP, or 0 for any.
    uint8_t protocol;
    /// In host order; 0 for any. Without a protocol: of TCP and of UDP.
    uint16_t port;
};

struct ipn_element {
    struct ipn_set set;
    /// 4 or 16 bytes count.
    uint8_t address[16];
    /// Time that is left.
    uint64_t milliseconds;
};

/// A netlink socket for nf_tables, or -errno.
int ipn_open(void);

/// The generation of all nf_tables of this network namespace, or -errno.
int64_t ipn_generation(int fd);

/// Makes the table, its chain, and these sets with their rules, as far as they are not there. 0 or -errno.
int ipn_ensure(int fd, const struct ipn_set *sets, size_t count);

/// One transaction: removes `removed`, then adds `added`; all of it or nothing. Elements of one set stand together, in
/// ascending order. -EEXIST when one to add is there, -ENOENT when one to remove, its set or the table is not.
int ipn_change(int fd, const struct ipn_element *removed, size_t removed_count, const struct ipn_element *added,
               size_t added_count);

/// Everything in our sets; `*elements` is to be freed. How many, or -errno.
int64_t ipn_list(int fd, size_t elements_max, struct ipn_element **elements);

void ipn_free(struct ipn_element *elements);

/// Removes the table with everything in it; 0 also when there is none, or -errno.
int ipn_flush(int fd);
