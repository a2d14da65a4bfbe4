// Completed handshakes: the program that sees them.
#pragma once

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
    if (!set->detects) return 0;
    const uint32_t weight = admit(count, set, IP_CLASS_HANDSHAKE, bpf_jiffies64());
    if (weight) tell(count, &packet, IP_RECORD_HANDSHAKE, IP_FACT_OPEN, weight, 0, 0);
    return 0;
}
