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

static const uint32_t zero = 0;

#include "maps.h"
#include "parse.h"
#include "lists.h"
#include "sockets.h"
#include "detect.h"

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
            const uint32_t weight = admit(count, set, IP_CLASS_MALFORMED, bpf_jiffies64());
            if (weight)
                tell(count, &packet, IP_RECORD_MALFORMED, 0, weight, context->ingress_ifindex, length);
        }
    }

    const uint32_t action = look(&common->prefilter, &packet);
    if (action == IP_ACTION_ALLOW) {
        count->allowed++;
    } else if (action != IP_ACTION_NONE) {
        const bool isDropped = action == IP_ACTION_BLOCK && set->mode == IP_MODE_ENFORCE;
        const bool wouldBe = action == IP_ACTION_BLOCK && set->mode == IP_MODE_SHADOW;
        const uint8_t facts = isDropped ? IP_FACT_DROPPED : wouldBe ? IP_FACT_WOULD_DROP : 0;
        const uint32_t weight = admit(count, set, IP_CLASS_LISTED, bpf_jiffies64());
        if (weight) tell(count, &packet, IP_RECORD_LISTED, facts, weight, context->ingress_ifindex, length);
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

#include "handshakes.h"
#include "trials.h"
