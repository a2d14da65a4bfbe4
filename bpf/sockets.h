// What the kernel's sockets and routes say of a packet.
// Included once for each kind of program: CONTEXT is what it is given, NAMED(x) its own x.

/// Whether a packet that no socket waits for is for this host at all, and not only passing through.
__noinline int NAMED(is_for_us)(CONTEXT *context, const struct ip_packet *packet) {
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
__noinline uint32_t NAMED(socket_facts)(CONTEXT *context, const struct ip_packet *packet) {
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
    return NAMED(is_for_us)(context, packet) ? IP_FACT_CLOSED : 0;
}
