// From a packet to a verdict.
// Included once for each kind of program: CONTEXT is what it is given, NAMED(x) its own x,
// LENGTH a packet's bytes on the wire, PASS and DROP its verdicts.

#include "parse.h"
#include "sockets.h"
#include "detect.h"

/// What becomes of one packet, and what is counted and told of it.
static __always_inline int NAMED(handle)(CONTEXT *context, uint16_t vlan, uint32_t segments) {
    const struct ip_shared *common = bpf_map_lookup_elem(&shared, &zero);
    struct ip_counters *count = bpf_map_lookup_elem(&counters, &zero);
    if (!common || !count) return PASS;
    const struct ip_settings *set = &common->settings;
    if (set->mode == IP_MODE_OFF) return PASS;
    struct ip_packet packet = {};
    NAMED(parse)(context, &packet);
    // A tag that was taken off the packet before it came here is the outermost.
    if (vlan) {
        packet.vlan = vlan & 0xfff;
        packet.vlan_count++;
    }
    const uint8_t *at = (const uint8_t *)(long)context->data;
    const uint8_t *end = (const uint8_t *)(long)context->data_end;
    const uint32_t length = LENGTH(context, at, end);
    // A group's frame is for nobody in particular.
    const bool isGroup = at + 1 <= end && (at[0] & 1);

    uint32_t group = 3;
    if (packet.protocol == IP_PROTO_TCP) group = 0;
    if (packet.protocol == IP_PROTO_UDP) group = 1;
    if (packet.protocol == IP_PROTO_ICMP || packet.protocol == IP_PROTO_ICMPV6) group = 2;
    count->packets[group] += segments;
    count->bytes[group] += length;
    if (packet.fragment) count->fragments++;
    if (packet.malformed) {
        count->malformed[packet.malformed & (IP_REASONS - 1)]++;
        if (set->detects) {
            const uint32_t weight = admit(count, set, IP_CLASS_MALFORMED, bpf_jiffies64());
            if (weight)
                tell(count, &packet, IP_RECORD_MALFORMED, 0, weight, context->ingress_ifindex, length);
        }
    }

    const uint32_t action = look(&common->prefilter, &packet);
    if (action == IP_ACTION_ALLOW) {
        count->allowed += segments;
    } else if (action != IP_ACTION_NONE) {
        const bool isDropped = action == IP_ACTION_BLOCK && set->mode == IP_MODE_ENFORCE;
        const bool wouldBe = action == IP_ACTION_BLOCK && set->mode == IP_MODE_SHADOW;
        const uint8_t facts = isDropped ? IP_FACT_DROPPED : wouldBe ? IP_FACT_WOULD_DROP : 0;
        const uint32_t weight = admit(count, set, IP_CLASS_LISTED, bpf_jiffies64());
        if (weight) tell(count, &packet, IP_RECORD_LISTED, facts, weight, context->ingress_ifindex, length);
        if (isDropped) {
            count->dropped += segments;
            count->dropped_bytes += length;
            return DROP;
        }
        if (wouldBe) {
            count->would_drop += segments;
        } else {
            count->monitored += segments;
        }
    }
    count->passed += segments;
    if (set->detects && !isGroup) {
        const uint8_t kind = ip_record_kind_of(&packet);
        if (kind) NAMED(detect)(context, count, set, &packet, kind, length);
    }
    return PASS;
}
