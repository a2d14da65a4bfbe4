// The packet parser, and the records in which packets are spoken of: one text for the kernel program (bpf/), for
// captures, and for tests that hold the two against each other.
//
// Nothing here calls, allocates or keeps state. A packet that is cut short, lies about its lengths or is no IP at all
// is a packet like any other: it gets a reason, never a guess.
#pragma once

#ifdef __bpf__
#define IP_INLINE static __attribute__((always_inline)) inline
#ifndef IP_HAVE_TYPES
typedef unsigned char uint8_t;
typedef unsigned short uint16_t;
typedef unsigned int uint32_t;
typedef unsigned long long uint64_t;
#endif
#else
#include <stdint.h>
#define IP_INLINE static inline
#endif

/// VLAN tags that are looked through, and IPv6 extension headers.
#define IP_VLANS_MAX 4
#define IP_EXTENSIONS_MAX 8

/// Why a packet was not understood to its end. The order is that of the counters in the kernel.
enum ip_malformed {
    IP_WELL_FORMED = 0,
    IP_SHORT_ETHERNET,
    IP_TOO_MANY_VLANS,
    IP_SHORT_IPV4,
    IP_BAD_IPV4_VERSION,
    IP_BAD_IPV4_HEADER_LENGTH,
    IP_BAD_IPV4_LENGTH,
    IP_SHORT_IPV6,
    IP_BAD_IPV6_VERSION,
    IP_BAD_IPV6_LENGTH,
    IP_SHORT_EXTENSION,
    IP_TOO_MANY_EXTENSIONS,
    IP_TINY_FRAGMENT,
    IP_SHORT_TCP,
    IP_BAD_TCP_OFFSET,
    IP_SHORT_UDP,
    IP_BAD_UDP_LENGTH,
    IP_SHORT_ICMP,
    IP_MALFORMED_COUNT
};

enum ip_fragment { IP_WHOLE = 0, IP_FIRST_FRAGMENT = 1, IP_LATER_FRAGMENT = 2 };

enum ip_tcp_flag {
    IP_TCP_FIN = 0x01,
    IP_TCP_SYN = 0x02,
    IP_TCP_RST = 0x04,
    IP_TCP_PSH = 0x08,
    IP_TCP_ACK = 0x10,
    IP_TCP_URG = 0x20
};

enum ip_protocol { IP_PROTO_ICMP = 1, IP_PROTO_TCP = 6, IP_PROTO_UDP = 17, IP_PROTO_ICMPV6 = 58 };

/// An address as it stands on the wire; IPv4 as ::ffff:a.b.c.d.
struct ip_address {
    uint32_t word[4];
};

struct ip_packet {
    struct ip_address source, destination;
    /// 4, 6, or 0 when no addresses were read.
    uint8_t family;
    uint8_t protocol;
    uint8_t fragment;
    uint8_t malformed;
    uint8_t tcp_flags;
    uint8_t icmp_type, icmp_code;
    uint8_t vlan_count;
    /// The innermost EtherType, in host order.
    uint16_t ether_type;
    /// The outermost tag's id.
    uint16_t vlan;
    /// 0 where there are none: other protocols, later fragments, headers that were cut.
    uint16_t source_port, destination_port;
    /// Bytes after the transport header, as the headers say.
    uint16_t payload;
    /// Bytes from the start of the IP header to the transport header.
    uint16_t header;
};

/// What the transport layer said, as one record of the ring.
enum ip_record_kind {
    IP_RECORD_SYN = 1,
    IP_RECORD_SYN_ACK = 2,
    /// NULL, FIN, XMAS, SYN+FIN, SYN+RST: flags that no connection has.
    IP_RECORD_STEALTH = 3,
    IP_RECORD_UDP = 4,
    /// A count of datagrams to one port, not a single one.
    IP_RECORD_UDP_VOLUME = 5,
    /// The kernel itself saw a connection to here completed.
    IP_RECORD_HANDSHAKE = 6,
    /// A packet from a listed address.
    IP_RECORD_LISTED = 7,
    IP_RECORD_MALFORMED = 8
};

enum ip_record_fact {
    /// A socket here waits for it.
    IP_FACT_OPEN = 1,
    /// It is for this host, and no socket waits for it.
    IP_FACT_CLOSED = 2,
    /// Its source has sent several such packets lately: a forged flood's sources have not.
    IP_FACT_REPEATED = 4,
    /// It was dropped, or in shadow mode would have been.
    IP_FACT_DROPPED = 8,
    IP_FACT_WOULD_DROP = 16
};

struct ip_record {
    /// Nanoseconds: of CLOCK_BOOTTIME in the kernel, since 1970 in captures.
    uint64_t time;
    struct ip_address source, destination;
    uint16_t source_port, destination_port;
    uint16_t vlan;
    uint16_t length;
    uint32_t interface;
    /// How many packets this one stands for.
    uint32_t weight;
    uint8_t kind;
    uint8_t protocol;
    uint8_t tcp_flags;
    uint8_t facts;
    uint8_t family;
    uint8_t malformed;
    uint8_t icmp_type;
    uint8_t icmp_code;
};

_Static_assert(sizeof(struct ip_address) == 16, "an address has 16 bytes");
_Static_assert(sizeof(struct ip_record) == 64, "a record has 64 bytes on both sides of the ring");

IP_INLINE uint16_t ip_load16(const uint8_t *at) { return (uint16_t)(at[0] << 8 | at[1]); }

IP_INLINE uint32_t ip_raw32(const uint8_t *at) {
#ifdef __bpf__
    return *(const uint32_t *)at;
#else
    uint32_t value;
    __builtin_memcpy(&value, at, 4);
    return value;
#endif
}

/// The word that makes 16 bytes of an IPv4 address: 0000ffff in network order.
#define IP_MAPPED_PREFIX (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? 0xffff0000u : 0x0000ffffu)

/// The third step. `at` is where the transport header starts; `payload` holds how many bytes the IP header promises from
/// there on, and is set to those behind the transport header.
IP_INLINE void ip_parse_transport(const uint8_t *at, const uint8_t *end, struct ip_packet *packet) {
    const uint32_t length = packet->payload;
    packet->payload = 0;
    const int is_first = packet->fragment == IP_FIRST_FRAGMENT;
    switch (packet->protocol) {
    case IP_PROTO_TCP:
        if (length < 20 || at + 20 > end) {
            packet->malformed = is_first ? IP_TINY_FRAGMENT : IP_SHORT_TCP;
            return;
        }
        packet->source_port = ip_load16(at);
        packet->destination_port = ip_load16(at + 2);
        packet->tcp_flags = at[13] & 0x3f;
        {
            const uint32_t offset = (uint32_t)(at[12] >> 4) * 4;
            if (offset < 20 || offset > length) {
                packet->malformed = IP_BAD_TCP_OFFSET;
                return;
            }
            packet->payload = (uint16_t)(length - offset);
        }
        return;
    case IP_PROTO_UDP:
        if (length < 8 || at + 8 > end) {
            packet->malformed = is_first ? IP_TINY_FRAGMENT : IP_SHORT_UDP;
            return;
        }
        packet->source_port = ip_load16(at);
        packet->destination_port = ip_load16(at + 2);
        {
            const uint32_t said = ip_load16(at + 4);
            // 0 is a jumbogram's; a first fragment says the length of the whole.
            if (said != 0 && (said < 8 || (!is_first && said > length))) {
                packet->malformed = IP_BAD_UDP_LENGTH;
                return;
            }
            packet->payload = (uint16_t)((said != 0 && !is_first ? said : length) - 8);
        }
        return;
    case IP_PROTO_ICMP:
    case IP_PROTO_ICMPV6:
        if (length < 4 || at + 4 > end) {
            packet->malformed = is_first ? IP_TINY_FRAGMENT : IP_SHORT_ICMP;
            return;
        }
        packet->icmp_type = at[0];
        packet->icmp_code = at[1];
        packet->payload = (uint16_t)(length - 4);
        return;
    default:
        packet->payload = (uint16_t)length;
    }
}

/// Returns where the transport header starts, from `at`; 0 when there is nothing more to read.
IP_INLINE uint32_t ip_parse_ipv4(const uint8_t *at, const uint8_t *end, struct ip_packet *packet) {
    if (at + 20 > end) {
        packet->malformed = IP_SHORT_IPV4;
        return 0;
    }
    if (at[0] >> 4 != 4) {
        packet->malformed = IP_BAD_IPV4_VERSION;
        return 0;
    }
    packet->family = 4;
    packet->source.word[2] = packet->destination.word[2] = IP_MAPPED_PREFIX;
    packet->source.word[3] = ip_raw32(at + 12);
    packet->destination.word[3] = ip_raw32(at + 16);
    packet->protocol = at[9];
    const uint32_t header = (uint32_t)(at[0] & 15) * 4;
    if (header < 20) {
        packet->malformed = IP_BAD_IPV4_HEADER_LENGTH;
        return 0;
    }
    const uint32_t total = ip_load16(at + 2);
    // Longer than what arrived is legal in captures that were cut; what counts is what can be read.
    if (total < header) {
        packet->malformed = IP_BAD_IPV4_LENGTH;
        return 0;
    }
    const uint32_t fragment = ip_load16(at + 6);
    if (fragment & 0x1fff) {
        packet->fragment = IP_LATER_FRAGMENT;
    } else if (fragment & 0x2000) {
        packet->fragment = IP_FIRST_FRAGMENT;
    }
    packet->header = (uint16_t)header;
    if (packet->fragment == IP_LATER_FRAGMENT) return 0;
    packet->payload = (uint16_t)(total - header);
    return header;
}

/// Returns where the transport header starts, from `at`; 0 when there is nothing more to read.
IP_INLINE uint32_t ip_parse_ipv6(const uint8_t *at, const uint8_t *end, struct ip_packet *packet) {
    if (at + 40 > end) {
        packet->malformed = IP_SHORT_IPV6;
        return 0;
    }
    if (at[0] >> 4 != 6) {
        packet->malformed = IP_BAD_IPV6_VERSION;
        return 0;
    }
    packet->family = 6;
#ifdef __bpf__
#pragma unroll
#endif
    for (int i = 0; i < 4; i++) {
        packet->source.word[i] = ip_raw32(at + 8 + 4 * i);
        packet->destination.word[i] = ip_raw32(at + 24 + 4 * i);
    }
    const uint32_t total = ip_load16(at + 4);
    uint32_t header = 40;
    uint32_t next = at[6];
    const uint8_t *place = at + 40;
    for (int i = 0; i <= IP_EXTENSIONS_MAX; i++) {
        uint32_t size;
        // Hop-by-hop, routing, fragment, authentication, destination options, mobility, HIP, shim6.
        if (next == 0 || next == 43 || next == 60 || next == 135 || next == 139 || next == 140) {
            if (place + 8 > end) {
                packet->malformed = IP_SHORT_EXTENSION;
                packet->protocol = (uint8_t)next;
                return 0;
            }
            size = ((uint32_t)place[1] + 1) * 8;
        } else if (next == 51) {
            if (place + 8 > end) {
                packet->malformed = IP_SHORT_EXTENSION;
                packet->protocol = (uint8_t)next;
                return 0;
            }
            size = ((uint32_t)place[1] + 2) * 4;
        } else if (next == 44) {
            if (place + 8 > end) {
                packet->malformed = IP_SHORT_EXTENSION;
                packet->protocol = (uint8_t)next;
                return 0;
            }
            size = 8;
            const uint32_t fragment = ip_load16(place + 2);
            if (fragment & 0xfff8) {
                packet->fragment = IP_LATER_FRAGMENT;
            } else if (fragment & 1) {
                packet->fragment = IP_FIRST_FRAGMENT;
            }
        } else {
            break;
        }
        if (i == IP_EXTENSIONS_MAX) {
            packet->malformed = IP_TOO_MANY_EXTENSIONS;
            packet->protocol = (uint8_t)next;
            return 0;
        }
        next = place[0];
        place += size;
        header += size;
        // What follows a later fragment's header is the middle of something.
        if (packet->fragment == IP_LATER_FRAGMENT) break;
    }
    packet->protocol = (uint8_t)next;
    packet->header = (uint16_t)header;
    // A payload length of 0 belongs to a jumbogram, or to nothing at all.
    if (total + 40 < header) {
        packet->malformed = IP_BAD_IPV6_LENGTH;
        return 0;
    }
    if (next == 59 || packet->fragment == IP_LATER_FRAGMENT) return 0;
    packet->payload = (uint16_t)(total + 40 - header);
    return header;
}

/// The second step: reads the header of `packet->ether_type`, which starts at `at`.
IP_INLINE uint32_t ip_parse_network(const uint8_t *at, const uint8_t *end, struct ip_packet *packet) {
    if (packet->ether_type == 0x0800) return ip_parse_ipv4(at, end, packet);
    if (packet->ether_type == 0x86dd) return ip_parse_ipv6(at, end, packet);
    return 0;
}

IP_INLINE int ip_is_vlan(uint16_t ether_type) {
    return ether_type == 0x8100 || ether_type == 0x88a8 || ether_type == 0x9100;
}

/// The first step: returns where the network header starts; 0 when there is none.
IP_INLINE uint32_t ip_parse_link(const uint8_t *at, const uint8_t *end, struct ip_packet *packet) {
    if (at + 14 > end) {
        packet->malformed = IP_SHORT_ETHERNET;
        return 0;
    }
    uint16_t type = ip_load16(at + 12);
    uint32_t offset = 14;
#ifdef __bpf__
#pragma unroll
#endif
    for (int i = 0; i < IP_VLANS_MAX; i++) {
        if (!ip_is_vlan(type)) break;
        packet->ether_type = type;
        if (at + offset + 4 > end) {
            packet->malformed = IP_SHORT_ETHERNET;
            return 0;
        }
        if (i == 0) packet->vlan = ip_load16(at + offset) & 0x0fff;
        packet->vlan_count = (uint8_t)(i + 1);
        type = ip_load16(at + offset + 2);
        offset += 4;
    }
    packet->ether_type = type;
    if (ip_is_vlan(type)) {
        packet->malformed = IP_TOO_MANY_VLANS;
        return 0;
    }
    return offset;
}

/// The second and third step, for packets that start with their network header.
IP_INLINE void ip_parse_from_network(
    const uint8_t *at, const uint8_t *end, uint16_t ether_type, struct ip_packet *packet
) {
    packet->ether_type = ether_type;
    const uint32_t header = ip_parse_network(at, end, packet);
    if (header) ip_parse_transport(at + header, end, packet);
}

/// All steps: reads a frame that starts with its Ethernet header. `*packet` is to be zero.
///
/// The kernel program takes the steps one by one, each in a function of its own, so that its verifier does not follow
/// every way through one step with every way through the next.
IP_INLINE void ip_parse_ethernet(const uint8_t *at, const uint8_t *end, struct ip_packet *packet) {
    const uint32_t offset = ip_parse_link(at, end, packet);
    if (offset) ip_parse_from_network(at + offset, end, packet->ether_type, packet);
}

/// What a packet is for detection; 0 when it is nothing of interest by itself.
IP_INLINE uint8_t ip_record_kind_of(const struct ip_packet *packet) {
    if (packet->malformed != IP_WELL_FORMED || packet->fragment == IP_LATER_FRAGMENT) return 0;
    if (packet->protocol == IP_PROTO_UDP) return IP_RECORD_UDP;
    if (packet->protocol != IP_PROTO_TCP) return 0;
    const uint8_t flags = packet->tcp_flags & (IP_TCP_FIN | IP_TCP_SYN | IP_TCP_RST | IP_TCP_ACK);
    if (flags == IP_TCP_ACK || flags == (IP_TCP_ACK | IP_TCP_FIN)) return 0;
    if (flags == IP_TCP_SYN) return IP_RECORD_SYN;
    if (flags == (IP_TCP_SYN | IP_TCP_ACK)) return IP_RECORD_SYN_ACK;
    // A connection's packets carry ACK or RST; these carry neither, or two that contradict each other.
    if (!(flags & (IP_TCP_ACK | IP_TCP_RST)) || (flags & IP_TCP_SYN)) return IP_RECORD_STEALTH;
    return 0;
}

/// Mixes an address and a number into 32 bits; the seed keeps others from choosing what collides.
IP_INLINE uint32_t ip_hash(const struct ip_address *address, uint32_t number, uint32_t seed) {
    uint64_t value = ((uint64_t)address->word[0] << 32 | address->word[1]) ^ ((uint64_t)seed << 17 | number);
    value *= 0x9e3779b97f4a7c15ull;
    value ^= value >> 32;
    value += (uint64_t)address->word[2] << 32 | address->word[3];
    value *= 0xbf58476d1ce4e5b9ull;
    value ^= value >> 29;
    value *= 0x94d049bb133111ebull;
    return (uint32_t)(value >> 32);
}

/// A sketch of how many packets a source has sent: two rows of counters, of which the smaller tells. It has one size,
/// whatever is sent. A cell is `epoch << 16 | count`, and is halved for each epoch that went by when it is next touched.
#define IP_SKETCH_CELLS 8192

struct ip_sketch {
    uint32_t row[2][IP_SKETCH_CELLS];
    /// Packets added, in the same form but wider.
    uint32_t epoch;
    uint32_t added;
};

IP_INLINE uint32_t ip_sketch_cell(uint32_t cell, uint32_t epoch) {
    const uint32_t passed = (epoch - (cell >> 16)) & 0xffff;
    return passed > 15 ? 0 : (cell & 0xffff) >> passed;
}

/// Counts one packet; returns about how many this source has sent lately.
IP_INLINE uint32_t ip_sketch_add(struct ip_sketch *sketch, uint32_t hash, uint32_t epoch) {
    if (sketch->epoch != epoch) {
        const uint32_t passed = epoch - sketch->epoch;
        sketch->added = passed > 31 ? 0 : sketch->added >> passed;
        sketch->epoch = epoch;
    }
    sketch->added++;
    uint32_t *first = &sketch->row[0][hash & (IP_SKETCH_CELLS - 1)];
    uint32_t *second = &sketch->row[1][hash >> 16 & (IP_SKETCH_CELLS - 1)];
    const uint32_t a = ip_sketch_cell(*first, epoch), b = ip_sketch_cell(*second, epoch);
    const uint32_t least = a < b ? a : b;
    if (least == 0xffff) return least;
    // Only what is least grows: cells that others share stay near the truth.
    if (a == least) *first = epoch << 16 | (least + 1);
    if (b == least) *second = epoch << 16 | (least + 1);
    return least + 1;
}

/// From how many packets on a source counts as repeating itself: beyond what chance puts into a cell.
IP_INLINE uint32_t ip_sketch_threshold(const struct ip_sketch *sketch) {
    return 2 + 3 * (sketch->added / IP_SKETCH_CELLS);
}
