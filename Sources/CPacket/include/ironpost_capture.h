// The parser and the sketch as functions, for Swift: what is `static inline` and takes pointers into a packet is C's.
#pragma once

#include <stddef.h>
#include "ironpost_maps.h"
#include "ironpost_packet.h"

/// How a capture's packets start, by the number that pcap files give.
enum ip_link_type {
    IP_LINK_NULL = 0,
    IP_LINK_ETHERNET = 1,
    IP_LINK_RAW_BSD = 12,
    IP_LINK_RAW_OPENBSD = 14,
    IP_LINK_RAW = 101,
    IP_LINK_LOOP = 108,
    IP_LINK_SLL = 113,
    IP_LINK_IPV4 = 228,
    IP_LINK_IPV6 = 229,
    IP_LINK_SLL2 = 276
};

/// Whether packets of this link type can be read.
int ip_link_is_known(uint32_t link_type);

/// Reads one packet. What cannot be read is said in `malformed`; 0 addresses and no reason: no IP at all.
struct ip_packet ip_parse(const uint8_t *bytes, size_t count, uint32_t link_type);

uint8_t ip_kind_of(struct ip_packet packet);

/// The hash by which the kernel and captures find a source in a sketch.
uint32_t ip_hash_of(struct ip_address address, uint32_t number, uint32_t seed);

struct ip_sketch *ip_sketch_make(void);
void ip_sketch_free(struct ip_sketch *sketch);
/// Counts one packet at `epoch`; returns about how many of this source there were lately.
uint32_t ip_sketch_count(struct ip_sketch *sketch, uint32_t hash, uint32_t epoch);
uint32_t ip_sketch_limit(const struct ip_sketch *sketch);

/// The word for a reason, as in metrics: `short_tcp`.
const char *ip_malformed_name(uint8_t reason);
