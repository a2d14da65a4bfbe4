// The kernel side: lists that allow and deny, counters, and the packets that detection wants to know of.
//
// One program for every interface. It never decides by itself what an attack is: it counts, and tells the daemon of the
// packets that could be part of one, at a rate that has a bound. What it drops stands in a list.
#include <linux/bpf.h>
#include <linux/types.h>
#include <stdbool.h>
#define IP_HAVE_TYPES
typedef __u8 uint8_t;
typedef __u16 uint16_t;
typedef __u32 uint32_t;
typedef __u64 uint64_t;
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>
#include "ironpost_maps.h"

#define AF_INET 2
#define AF_INET6 10

char LICENSE[] SEC("license") = "Dual MIT/GPL";

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, 1);
    __type(key, uint32_t);
    __type(value, struct ip_shared);
} shared SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 1);
    __type(key, uint32_t);
    __type(value, struct ip_counters);
} counters SEC(".maps");

// One element a CPU; more than a per-CPU map can hold in one.
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, uint32_t);
    __type(value, struct ip_memory);
} memory SEC(".maps");

struct list4 {
    __uint(type, BPF_MAP_TYPE_LPM_TRIE);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __uint(max_entries, 1);
    __uint(key_size, sizeof(struct ip_key4));
    __uint(value_size, sizeof(struct ip_list_value));
};

struct list6 {
    __uint(type, BPF_MAP_TYPE_LPM_TRIE);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __uint(max_entries, 1);
    __uint(key_size, sizeof(struct ip_key6));
    __uint(value_size, sizeof(struct ip_list_value));
};

// A list is exchanged as a whole by putting another map into its place.
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
    __uint(max_entries, IP_LIST_COUNT);
    __type(key, uint32_t);
    __array(values, struct list4);
} lists4 SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
    __uint(max_entries, IP_LIST_COUNT);
    __type(key, uint32_t);
    __array(values, struct list6);
} lists6 SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, IP_SCOPED_PREFIXES_MAX);
    __type(key, uint32_t);
    __type(value, struct ip_scopes);
} scopes SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 1 << 20);
} ring SEC(".maps");

// Sources that completed a handshake, and when: what cannot be forged.
struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 65536);
    __type(key, struct ip_address);
    __type(value, uint64_t);
} proven SEC(".maps");

static const uint32_t zero = 0;

static __always_inline struct ip_memory *own_memory(void) {
    const uint32_t cpu = bpf_get_smp_processor_id();
    return bpf_map_lookup_elem(&memory, &cpu);
}

/// Emits one record within its class's budget; what becomes of it is counted.
static __always_inline void emit(
    struct ip_counters *count, const struct ip_settings *set, const struct ip_packet *packet,
    uint32_t class, uint8_t kind, uint8_t facts, uint32_t each, uint64_t jiffies, uint32_t interface, uint32_t length
) {
    count->wanted++;
    const uint32_t weight = ip_admit(&count->control[class], (uint32_t)(jiffies >> IP_TICK_SHIFT), set->budget[class]);
    if (!weight) {
        count->sampled_out++;
        return;
    }
    struct ip_record *record = bpf_ringbuf_reserve(&ring, sizeof *record, 0);
    if (!record) {
        count->lost++;
        return;
    }
    record->time = bpf_ktime_get_boot_ns();
    record->source = packet->source;
    record->destination = packet->destination;
    record->source_port = packet->source_port;
    record->destination_port = packet->destination_port;
    record->vlan = packet->vlan;
    record->length = length > 0xffff ? 0xffff : length;
    record->interface = interface;
    record->weight = weight * each;
    record->kind = kind;
    record->protocol = packet->protocol;
    record->tcp_flags = packet->tcp_flags;
    record->facts = facts;
    record->family = packet->family;
    record->malformed = packet->malformed;
    record->icmp_type = packet->icmp_type;
    record->icmp_code = packet->icmp_code;
    bpf_ringbuf_submit(record, 0);
    count->emitted++;
}

static __always_inline bool is_over(uint64_t expires) { return expires && expires <= bpf_ktime_get_boot_ns(); }

/// What a list's entry says of a packet: an action, or none when it is over or for other ports.
static __always_inline uint32_t judge(struct ip_list_value *value, const struct ip_packet *packet) {
    if (value->action != IP_ACTION_NONE && !is_over(value->expires)) return value->action;
    const uint32_t place = value->scopes;
    if (!place) return IP_ACTION_NONE;
    struct ip_scopes *scoped = bpf_map_lookup_elem(&scopes, &place);
    if (!scoped) return IP_ACTION_NONE;
    for (int i = 0; i < IP_SCOPES_MAX; i++) {
        struct ip_scope *scope = &scoped->scope[i];
        if (scope->action == IP_ACTION_NONE) continue;
        if (scope->protocol && scope->protocol != packet->protocol) continue;
        // A fragment without ports could be anybody's: a rule for a port says nothing of it.
        if (scope->port && scope->port != packet->destination_port) continue;
        if (is_over(scope->expires)) continue;
        return scope->action;
    }
    return IP_ACTION_NONE;
}

__noinline uint32_t look4(uint32_t list, const struct ip_packet *packet) {
    if (!packet) return IP_ACTION_NONE;
    void *inner = bpf_map_lookup_elem(&lists4, &list);
    if (!inner) return IP_ACTION_NONE;
    struct ip_key4 key = {.prefix = 32, .address = packet->source.word[3]};
    for (int i = 0; i < IP_NESTING_MAX; i++) {
        struct ip_list_value *value = bpf_map_lookup_elem(inner, &key);
        if (!value) return IP_ACTION_NONE;
        const uint32_t action = judge(value, packet);
        if (action != IP_ACTION_NONE) {
            __sync_fetch_and_add(&value->hits, 1);
            return action;
        }
        if (value->prefix == 0) return IP_ACTION_NONE;
        // The next wider prefix around it may have something to say.
        key.prefix = value->prefix - 1;
    }
    return IP_ACTION_NONE;
}

__noinline uint32_t look6(uint32_t list, const struct ip_packet *packet) {
    if (!packet) return IP_ACTION_NONE;
    void *inner = bpf_map_lookup_elem(&lists6, &list);
    if (!inner) return IP_ACTION_NONE;
    struct ip_key6 key = {.prefix = 128};
    key.address[0] = packet->source.word[0];
    key.address[1] = packet->source.word[1];
    key.address[2] = packet->source.word[2];
    key.address[3] = packet->source.word[3];
    for (int i = 0; i < IP_NESTING_MAX; i++) {
        struct ip_list_value *value = bpf_map_lookup_elem(inner, &key);
        if (!value) return IP_ACTION_NONE;
        const uint32_t action = judge(value, packet);
        if (action != IP_ACTION_NONE) {
            __sync_fetch_and_add(&value->hits, 1);
            return action;
        }
        if (value->prefix == 0) return IP_ACTION_NONE;
        key.prefix = value->prefix - 1;
    }
    return IP_ACTION_NONE;
}

/// What the lists say: allow before deny.
static __always_inline uint32_t look(const struct ip_prefilter *filter, const struct ip_packet *packet) {
    if (packet->family == 4) {
        const uint8_t bits = filter->four[bpf_ntohl(packet->source.word[3]) >> 16 & 0xffff];
        if (!bits) return IP_ACTION_NONE;
        if (bits & 1 << IP_LIST_ALLOW && look4(IP_LIST_ALLOW, packet)) return IP_ACTION_ALLOW;
        if (bits & 1 << IP_LIST_DENY) return look4(IP_LIST_DENY, packet);
    } else if (packet->family == 6) {
        const uint8_t bits = filter->six[ip_bucket6(packet->source.word[0]) & 0xffff];
        if (!bits) return IP_ACTION_NONE;
        if (bits & 1 << IP_LIST_ALLOW && look6(IP_LIST_ALLOW, packet)) return IP_ACTION_ALLOW;
        if (bits & 1 << IP_LIST_DENY) return look6(IP_LIST_DENY, packet);
    }
    return IP_ACTION_NONE;
}

/// Whether a packet that no socket waits for is for this host at all, and not only passing through.
__noinline int is_for_us(struct xdp_md *context, const struct ip_packet *packet) {
    if (!packet) return 0;
    struct bpf_fib_lookup route = {};
    route.ifindex = context->ingress_ifindex;
    route.l4_protocol = packet->protocol;
    if (packet->family == 4) {
        route.family = AF_INET;
        route.ipv4_src = packet->source.word[3];
        route.ipv4_dst = packet->destination.word[3];
    } else {
        route.family = AF_INET6;
        for (int i = 0; i < 4; i++) {
            route.ipv6_src[i] = packet->source.word[i];
            route.ipv6_dst[i] = packet->destination.word[i];
        }
    }
    const long result = bpf_fib_lookup(context, &route, sizeof route, 0);
    return result == BPF_FIB_LKUP_RET_NOT_FWDED || result == BPF_FIB_LKUP_RET_FWD_DISABLED;
}

/// Whether a socket waits for this packet.
__noinline uint32_t socket_facts(struct xdp_md *context, const struct ip_packet *packet) {
    if (!packet) return 0;
    struct bpf_sock_tuple tuple = {};
    if (packet->family == 4) {
        tuple.ipv4.saddr = packet->source.word[3];
        tuple.ipv4.daddr = packet->destination.word[3];
        tuple.ipv4.sport = bpf_htons(packet->source_port);
        tuple.ipv4.dport = bpf_htons(packet->destination_port);
    } else {
        for (int i = 0; i < 4; i++) {
            tuple.ipv6.saddr[i] = packet->source.word[i];
            tuple.ipv6.daddr[i] = packet->destination.word[i];
        }
        tuple.ipv6.sport = bpf_htons(packet->source_port);
        tuple.ipv6.dport = bpf_htons(packet->destination_port);
    }
    const bool isFour = packet->family == 4;
    if (packet->protocol == IP_PROTO_UDP) {
        struct bpf_sock *socket =
            isFour ? bpf_sk_lookup_udp(context, &tuple, sizeof tuple.ipv4, BPF_F_CURRENT_NETNS, 0)
                   : bpf_sk_lookup_udp(context, &tuple, sizeof tuple.ipv6, BPF_F_CURRENT_NETNS, 0);
        if (socket) {
            bpf_sk_release(socket);
            return IP_FACT_OPEN;
        }
    } else {
        struct bpf_sock *socket =
            isFour ? bpf_skc_lookup_tcp(context, &tuple, sizeof tuple.ipv4, BPF_F_CURRENT_NETNS, 0)
                   : bpf_skc_lookup_tcp(context, &tuple, sizeof tuple.ipv6, BPF_F_CURRENT_NETNS, 0);
        if (socket) {
            // An answer is waited for by who asked, not by a listener on the same port.
            const bool isListener = socket->state == BPF_TCP_LISTEN;
            bpf_sk_release(socket);
            const uint8_t answer = IP_TCP_SYN | IP_TCP_ACK;
            return isListener && (packet->tcp_flags & answer) == answer ? IP_FACT_CLOSED : IP_FACT_OPEN;
        }
    }
    return is_for_us(context, packet) ? IP_FACT_CLOSED : 0;
}

/// Tells the daemon of packets that could be part of a scan or a flood.
static __always_inline void detect(
    struct xdp_md *context, struct ip_counters *count, const struct ip_settings *set, const struct ip_packet *packet,
    uint8_t kind, uint32_t length
) {
    struct ip_memory *own = own_memory();
    if (!own) return;
    // The kernel's tick counter: a load, not a call.
    const uint64_t jiffies = bpf_jiffies64();
    if (kind == IP_RECORD_UDP) {
        const uint32_t volume = ip_hash(&packet->destination, packet->destination_port, set->seed);
        const uint32_t counted = ++own->volumes[volume & (IP_VOLUME_CELLS - 1)];
        if (!(counted & (IP_VOLUME_STEP - 1))) {
            const uint8_t facts = socket_facts(context, packet);
            emit(
                count, set, packet, IP_CLASS_VOLUME, IP_RECORD_UDP_VOLUME, facts, IP_VOLUME_STEP, jiffies,
                context->ingress_ifindex, length
            );
        }
        // What goes on between two that know each other is nothing new.
        const uint32_t ports = (uint32_t)packet->source_port << 16 | packet->destination_port;
        const uint32_t flow = ip_hash(&packet->source, ports, set->seed);
        const uint32_t tag = (flow ^ volume) + (uint32_t)(jiffies >> IP_FLOW_SHIFT);
        uint32_t *cell = &own->flows[flow & (IP_FLOW_CELLS - 1)];
        if (*cell == tag) return;
        *cell = tag;
    }
    uint8_t facts = 0;
    if (kind == IP_RECORD_SYN_ACK) {
        facts = socket_facts(context, packet);
        if (!(facts & IP_FACT_CLOSED)) return;
    }
    const uint32_t hash = ip_hash(&packet->source, 0, set->seed);
    const uint32_t sent = ip_sketch_add(&own->sources, hash, (uint32_t)(jiffies >> IP_EPOCH_SHIFT) & 0xffff);
    const bool isRepeated = sent >= ip_sketch_threshold(&own->sources);
    const uint32_t class = isRepeated ? IP_CLASS_REPEATED : IP_CLASS_SINGLE;
    if (isRepeated) facts |= IP_FACT_REPEATED;
    count->wanted++;
    const uint32_t weight = ip_admit(&count->control[class], (uint32_t)(jiffies >> IP_TICK_SHIFT), set->budget[class]);
    if (!weight) {
        count->sampled_out++;
        return;
    }
    // Sockets are asked only for what is told: a flood does not pay for each packet.
    if (kind != IP_RECORD_SYN_ACK) facts |= socket_facts(context, packet);
    struct ip_record *record = bpf_ringbuf_reserve(&ring, sizeof *record, 0);
    if (!record) {
        count->lost++;
        return;
    }
    record->time = bpf_ktime_get_boot_ns();
    record->source = packet->source;
    record->destination = packet->destination;
    record->source_port = packet->source_port;
    record->destination_port = packet->destination_port;
    record->vlan = packet->vlan;
    record->length = length > 0xffff ? 0xffff : length;
    record->interface = context->ingress_ifindex;
    record->weight = weight;
    record->kind = kind;
    record->protocol = packet->protocol;
    record->tcp_flags = packet->tcp_flags;
    record->facts = facts;
    record->family = packet->family;
    record->malformed = 0;
    record->icmp_type = 0;
    record->icmp_code = 0;
    bpf_ringbuf_submit(record, 0);
    count->emitted++;
}

// The parser's steps. Each is a function that is verified by itself; what one returns is a number like any other to the
// next, so that ways through them are not multiplied.

__noinline int parse_link(struct xdp_md *context, struct ip_packet *packet) {
    if (!packet) return 0;
    const uint8_t *at = (const uint8_t *)(long)context->data;
    const uint8_t *end = (const uint8_t *)(long)context->data_end;
    return ip_parse_link(at, end, packet);
}

__noinline int parse_network(struct xdp_md *context, struct ip_packet *packet, uint32_t offset) {
    if (!packet || offset > 64) return 0;
    const uint8_t *at = (const uint8_t *)(long)context->data + offset;
    const uint8_t *end = (const uint8_t *)(long)context->data_end;
    return ip_parse_network(at, end, packet);
}

__noinline int parse_transport(struct xdp_md *context, struct ip_packet *packet, uint32_t offset) {
    if (!packet || offset > 0x7fff) return 0;
    const uint8_t *at = (const uint8_t *)(long)context->data + offset;
    const uint8_t *end = (const uint8_t *)(long)context->data_end;
    ip_parse_transport(at, end, packet);
    return 0;
}

static __always_inline void parse(struct xdp_md *context, struct ip_packet *packet) {
    const uint8_t *at = (const uint8_t *)(long)context->data;
    const uint8_t *end = (const uint8_t *)(long)context->data_end;
    // Most packets: IPv4 without tags and options. The same steps, without calls.
    if (at + 34 <= end && ip_load16(at + 12) == 0x0800 && at[14] == 0x45) {
        packet->ether_type = 0x0800;
        if (ip_parse_ipv4(at + 14, end, packet)) ip_parse_transport(at + 34, end, packet);
        return;
    }
    const uint32_t offset = parse_link(context, packet);
    if (!offset) return;
    const uint32_t header = parse_network(context, packet, offset);
    if (header) parse_transport(context, packet, offset + header);
}

SEC("xdp")
int packets(struct xdp_md *context) {
    const struct ip_shared *common = bpf_map_lookup_elem(&shared, &zero);
    struct ip_counters *count = bpf_map_lookup_elem(&counters, &zero);
    if (!common || !count) return XDP_PASS;
    const struct ip_settings *set = &common->settings;
    if (set->mode == IP_MODE_OFF) return XDP_PASS;
    struct ip_packet packet = {};
    parse(context, &packet);
    const uint8_t *at = (const uint8_t *)(long)context->data;
    const uint8_t *end = (const uint8_t *)(long)context->data_end;
    const uint32_t length = end - at;
    // A group's frame is for nobody in particular.
    const bool isGroup = at + 1 <= end && (at[0] & 1);

    uint32_t group = 3;
    if (packet.protocol == IP_PROTO_TCP) group = 0;
    if (packet.protocol == IP_PROTO_UDP) group = 1;
    if (packet.protocol == IP_PROTO_ICMP || packet.protocol == IP_PROTO_ICMPV6) group = 2;
    count->packets[group]++;
    count->bytes[group] += length;
    if (packet.fragment) count->fragments++;
    if (packet.malformed) {
        count->malformed[packet.malformed & (IP_REASONS - 1)]++;
        if (set->detects) {
            emit(
                count, set, &packet, IP_CLASS_MALFORMED, IP_RECORD_MALFORMED, 0, 1, bpf_jiffies64(),
                context->ingress_ifindex, length
            );
        }
    }

    const uint32_t action = look(&common->prefilter, &packet);
    if (action == IP_ACTION_ALLOW) {
        count->allowed++;
    } else if (action != IP_ACTION_NONE) {
        const bool isDropped = action == IP_ACTION_BLOCK && set->mode == IP_MODE_ENFORCE;
        const bool wouldBe = action == IP_ACTION_BLOCK && set->mode == IP_MODE_SHADOW;
        const uint8_t facts = isDropped ? IP_FACT_DROPPED : wouldBe ? IP_FACT_WOULD_DROP : 0;
        emit(
            count, set, &packet, IP_CLASS_LISTED, IP_RECORD_LISTED, facts, 1, bpf_jiffies64(),
            context->ingress_ifindex, length
        );
        if (isDropped) {
            count->dropped++;
            count->dropped_bytes += length;
            return XDP_DROP;
        }
        if (wouldBe) {
            count->would_drop++;
        } else {
            count->monitored++;
        }
    }
    count->passed++;
    if (set->detects && !isGroup) {
        const uint8_t kind = ip_record_kind_of(&packet);
        if (kind) detect(context, count, set, &packet, kind, length);
    }
    return XDP_PASS;
}

// The few fields of the kernel's sockets that are read; where they are is looked up when the program is loaded.
struct ns_common {
    unsigned int inum;
} __attribute__((preserve_access_index));

struct net {
    struct ns_common ns;
} __attribute__((preserve_access_index));

typedef struct {
    struct net *net;
} __attribute__((preserve_access_index)) possible_net_t;

struct in6_addr___own {
    union {
        uint32_t u6_addr32[4];
    } in6_u;
} __attribute__((preserve_access_index));

struct sock_common {
    uint32_t skc_daddr;
    uint32_t skc_rcv_saddr;
    uint16_t skc_dport;
    uint16_t skc_num;
    unsigned short skc_family;
    possible_net_t skc_net;
    struct in6_addr___own skc_v6_daddr;
    struct in6_addr___own skc_v6_rcv_saddr;
} __attribute__((preserve_access_index));

struct sock {
    struct sock_common __sk_common;
} __attribute__((preserve_access_index));

/// A connection to here was completed: its source answered what only it could have received.
SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(handshakes, struct sock *socket, int before, int after) {
    if (before != BPF_TCP_SYN_RECV || after != BPF_TCP_ESTABLISHED) return 0;
    const struct ip_shared *common = bpf_map_lookup_elem(&shared, &zero);
    if (!common || common->settings.mode == IP_MODE_OFF) return 0;
    const struct ip_settings *set = &common->settings;
    // Other namespaces may hold whatever addresses they like.
    if (BPF_CORE_READ(socket, __sk_common.skc_net.net, ns.inum) != set->namespace_number) return 0;
    struct ip_packet packet = {};
    const uint16_t family = BPF_CORE_READ(socket, __sk_common.skc_family);
    if (family == AF_INET) {
        packet.family = 4;
        packet.source.word[2] = packet.destination.word[2] = IP_MAPPED_PREFIX;
        packet.source.word[3] = BPF_CORE_READ(socket, __sk_common.skc_daddr);
        packet.destination.word[3] = BPF_CORE_READ(socket, __sk_common.skc_rcv_saddr);
    } else if (family == AF_INET6) {
        packet.family = 6;
        BPF_CORE_READ_INTO(&packet.source, socket, __sk_common.skc_v6_daddr.in6_u.u6_addr32);
        BPF_CORE_READ_INTO(&packet.destination, socket, __sk_common.skc_v6_rcv_saddr.in6_u.u6_addr32);
        if (!packet.source.word[0] && !packet.source.word[1] && packet.source.word[2] == IP_MAPPED_PREFIX)
            packet.family = 4;
    } else {
        return 0;
    }
    packet.protocol = IP_PROTO_TCP;
    packet.source_port = bpf_ntohs(BPF_CORE_READ(socket, __sk_common.skc_dport));
    packet.destination_port = BPF_CORE_READ(socket, __sk_common.skc_num);
    const uint64_t now = bpf_ktime_get_boot_ns();
    bpf_map_update_elem(&proven, &packet.source, &now, BPF_ANY);
    struct ip_counters *count = bpf_map_lookup_elem(&counters, &zero);
    if (!count) return 0;
    count->handshakes++;
    if (set->detects)
        emit(
            count, set, &packet, IP_CLASS_HANDSHAKE, IP_RECORD_HANDSHAKE, IP_FACT_OPEN, 1, bpf_jiffies64(), 0, 0
        );
    return 0;
}

// For tests and measurements only; not loaded otherwise.

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, uint32_t);
    __type(value, struct ip_packet);
} result SEC(".maps");

/// What the parser makes of a frame, for comparison with the same parser outside of the kernel.
SEC("xdp")
int parsed(struct xdp_md *context) {
    struct ip_packet packet = {};
    parse(context, &packet);
    struct ip_packet *place = bpf_map_lookup_elem(&result, &zero);
    if (place) *place = packet;
    return XDP_PASS;
}

/// The least that a program can do.
SEC("xdp")
int passes(struct xdp_md *context) { return XDP_PASS; }
