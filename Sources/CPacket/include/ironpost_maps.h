// What the kernel program and the daemon agree on beside packets: the values of the program's maps.
#pragma once

#include "ironpost_packet.h"

#define IP_LIST_ALLOW 0
#define IP_LIST_DENY 1
#define IP_LIST_COUNT 2

/// Rules of one prefix that hold for some ports or protocols only, and prefixes that can have such rules.
#define IP_SCOPES_MAX 8
#define IP_SCOPED_PREFIXES_MAX 16384
/// Prefixes around an address that are tried when the narrower one has nothing to say.
#define IP_NESTING_MAX 8

enum ip_mode { IP_MODE_OFF = 0, IP_MODE_MONITOR = 1, IP_MODE_SHADOW = 2, IP_MODE_ENFORCE = 3 };

enum ip_action { IP_ACTION_NONE = 0, IP_ACTION_BLOCK = 1, IP_ACTION_MONITOR = 2, IP_ACTION_ALLOW = 3 };

/// What a list says of one prefix. Times are of CLOCK_BOOTTIME; 0 is for ever.
struct ip_list_value {
    uint64_t expires;
    uint64_t hits;
    /// Where its scoped rules are; 0 for none.
    uint32_t scopes;
    /// For the whole prefix; none when only its scopes count.
    uint8_t action;
    uint8_t prefix;
    uint16_t unused;
};

struct ip_scope {
    uint64_t expires;
    /// 0 is any; of the destination.
    uint16_t port;
    /// 0 is any.
    uint8_t protocol;
    uint8_t action;
    uint32_t unused;
};

struct ip_scopes {
    struct ip_scope scope[IP_SCOPES_MAX];
};

struct ip_key4 {
    uint32_t prefix;
    uint32_t address[1];
};

struct ip_key6 {
    uint32_t prefix;
    uint32_t address[4];
};

/// Two bits for each value of an address's first 16 bits (IPv6: a hash of its first 32): whether the allow list and the
/// deny list could have something to say.
#define IP_PREFILTER_BUCKETS 65536
struct ip_prefilter {
    uint8_t four[IP_PREFILTER_BUCKETS];
    uint8_t six[IP_PREFILTER_BUCKETS];
};

/// Classes of records, each with a budget of its own.
enum ip_class {
    IP_CLASS_REPEATED = 0,
    IP_CLASS_SINGLE = 1,
    IP_CLASS_LISTED = 2,
    IP_CLASS_VOLUME = 3,
    IP_CLASS_HANDSHAKE = 4,
    IP_CLASS_MALFORMED = 5,
    IP_CLASS_COUNT = 6
};

/// What stands before `budget` stays where it is in every version, so that one knows the program of another.
struct ip_settings {
    uint32_t mode;
    /// 0: packets are only matched against lists.
    uint32_t detects;
    /// Mixed into every hash.
    uint32_t seed;
    /// The network namespace whose handshakes count.
    uint32_t namespace_number;
    /// Whose program this is.
    uint32_t owner;
    /// Records a class may emit on one CPU within a tick.
    uint32_t budget[IP_CLASS_COUNT];
};

/// What every packet looks at first, shared with whoever loaded the program.
struct ip_shared {
    struct ip_settings settings;
    struct ip_prefilter prefilter;
};

/// Room for reasons: a power of two, so that an index can be masked.
#define IP_REASONS 32
_Static_assert(IP_MALFORMED_COUNT <= IP_REASONS, "every reason has its counter");

/// Times in ticks of the kernel's timer, of which there are 100 to 1000 a second (250 on most): budgets are for 16 of
/// them (64 ms), a sketch's epoch is 2048 (8 s), a flow is new again after 16384 (a minute).
#define IP_TICK_SHIFT 4
#define IP_EPOCH_SHIFT 11
#define IP_FLOW_SHIFT 14

/// How records of one class are thinned out on one CPU.
struct ip_flow_control {
    uint32_t tick;
    uint32_t seen;
    uint32_t used;
    uint32_t shift;
};

/// Whether this record may be emitted: for how many it stands, or 0. Each second packet under load, then each fourth, ….
IP_INLINE uint32_t ip_admit(struct ip_flow_control *control, uint32_t tick, uint32_t budget) {
    if (control->tick != tick) {
        uint32_t seen = tick - control->tick > 1 ? 0 : control->seen;
        uint32_t shift = 0;
        for (int i = 0; i < 20; i++) {
            if (seen <= budget) break;
            seen >>= 1;
            shift++;
        }
        control->shift = shift & 31;
        control->tick = tick;
        control->seen = 0;
        control->used = 0;
    }
    control->seen++;
    const uint32_t weight = 1u << (control->shift & 31);
    if (control->seen & (weight - 1)) return 0;
    if (control->used >= budget) return 0;
    control->used++;
    return weight;
}

/// Counters of one CPU.
struct ip_counters {
    /// tcp, udp, icmp, other.
    uint64_t packets[4];
    uint64_t bytes[4];
    uint64_t passed;
    uint64_t dropped;
    uint64_t dropped_bytes;
    uint64_t would_drop;
    uint64_t monitored;
    uint64_t allowed;
    uint64_t malformed[IP_REASONS];
    uint64_t fragments;
    /// Records that were wanted, by what became of them: wanted = emitted + sampled out + lost.
    uint64_t wanted;
    uint64_t emitted;
    uint64_t sampled_out;
    uint64_t lost;
    uint64_t handshakes;
    /// Not counters: how records are thinned out. Here, where every packet comes by.
    struct ip_flow_control control[IP_CLASS_COUNT];
};

_Static_assert(sizeof(struct ip_list_value) == 24, "a list's value has 24 bytes");
_Static_assert(sizeof(struct ip_scopes) == 128, "a prefix's scopes have 128 bytes");

IP_INLINE uint32_t ip_bucket6(uint32_t first) {
    return (first * 0x9e3779b1u) >> 16;
}

#define IP_VOLUME_CELLS 4096
#define IP_VOLUME_STEP 256
#define IP_FLOW_CELLS 8192

/// What one CPU remembers of packets.
struct ip_memory {
    struct ip_sketch sources;
    uint32_t volumes[IP_VOLUME_CELLS];
    uint32_t flows[IP_FLOW_CELLS];
};
