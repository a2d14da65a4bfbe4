// Telling the daemon of packets, at a rate that has a bound.
#pragma once

/// For how many packets a record of this class stands now; 0: it is not to be told. What becomes of it is counted.
static __always_inline uint32_t admit(
    struct ip_counters *count, const struct ip_settings *set, uint32_t class, uint64_t jiffies
) {
    count->wanted++;
    const uint32_t weight = ip_admit(&count->control[class], (uint32_t)(jiffies >> IP_TICK_SHIFT), set->budget[class]);
    if (!weight) count->sampled_out++;
    return weight;
}

/// Puts a record into the ring; what becomes of it is counted.
static __always_inline void tell(
    struct ip_counters *count, const struct ip_packet *packet, uint8_t kind, uint8_t facts, uint32_t weight,
    uint32_t interface, uint32_t length
) {
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
    record->weight = weight;
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

/// Tells of packets that could be part of a scan or a flood.
static __always_inline void detect(
    struct xdp_md *context, struct ip_counters *count, const struct ip_settings *set, const struct ip_packet *packet,
    uint8_t kind, uint32_t length
) {
    struct ip_memory *own = own_memory();
    if (!own) return;
    // The kernel's tick counter: a load, not a call.
    const uint64_t jiffies = bpf_jiffies64();
    const uint32_t interface = context->ingress_ifindex;
    if (kind == IP_RECORD_UDP) {
        const uint32_t volume = ip_hash(&packet->destination, packet->destination_port, set->seed);
        const uint32_t counted = ++own->volumes[volume & (IP_VOLUME_CELLS - 1)];
        if (!(counted & (IP_VOLUME_STEP - 1))) {
            const uint32_t weight = admit(count, set, IP_CLASS_VOLUME, jiffies);
            if (weight) {
                const uint8_t facts = socket_facts(context, packet);
                tell(count, packet, IP_RECORD_UDP_VOLUME, facts, weight * IP_VOLUME_STEP, interface, length);
            }
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
    const uint32_t weight = admit(count, set, isRepeated ? IP_CLASS_REPEATED : IP_CLASS_SINGLE, jiffies);
    if (!weight) return;
    if (isRepeated) facts |= IP_FACT_REPEATED;
    // Sockets are asked only for what is told: a flood does not pay for each packet.
    if (kind != IP_RECORD_SYN_ACK) facts |= socket_facts(context, packet);
    tell(count, packet, kind, facts, weight, interface, length);
}
