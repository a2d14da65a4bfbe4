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
