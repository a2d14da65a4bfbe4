// What detection wants to know of a packet.
// Included once for each kind of program: CONTEXT is what it is given, NAMED(x) its own x.

/// Tells of packets that could be part of a scan or a flood.
static __always_inline void NAMED(detect)(
    CONTEXT *context, struct ip_counters *count, const struct ip_settings *set, const struct ip_packet *packet,
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
                const uint8_t facts = NAMED(socket_facts)(context, packet);
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
        facts = NAMED(socket_facts)(context, packet);
        if (!(facts & IP_FACT_CLOSED)) return;
    }
    const uint32_t hash = ip_hash(&packet->source, 0, set->seed);
    const uint32_t sent = ip_sketch_add(&own->sources, hash, (uint32_t)(jiffies >> IP_EPOCH_SHIFT) & 0xffff);
    const bool isRepeated = sent >= ip_sketch_threshold(&own->sources);
    const uint32_t weight = admit(count, set, isRepeated ? IP_CLASS_REPEATED : IP_CLASS_SINGLE, jiffies);
    if (!weight) return;
    if (isRepeated) facts |= IP_FACT_REPEATED;
    // Sockets are asked only for what is told: a flood does not pay for each packet.
    if (kind != IP_RECORD_SYN_ACK) facts |= NAMED(socket_facts)(context, packet);
    tell(count, packet, kind, facts, weight, interface, length);
}
