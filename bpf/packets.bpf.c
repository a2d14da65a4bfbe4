// The kernel side: lists that allow and deny, counters, and the packets that detection wants to know of.
//
// One program for every interface. It never decides by itself what an attack is: it counts, and tells the daemon of the
// packets that could be part of one, at a rate that has a bound. What it drops stands in a list.
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
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
#include "lists.h"
#include "tell.h"

#define CONTEXT struct xdp_md
#define NAMED(name) name
#define LENGTH(context, at, end) (end - at)
#define PASS XDP_PASS
#define DROP XDP_DROP
#include "handle.h"
#undef CONTEXT
#undef NAMED
#undef LENGTH
#undef PASS
#undef DROP

SEC("xdp")
int packets(struct xdp_md *context) { return handle(context, 0, 1); }

#define CONTEXT struct __sk_buff
#define NAMED(name) name##_tc
#define LENGTH(context, at, end) (context->len)
#define PASS TC_ACT_UNSPEC
#define DROP TC_ACT_SHOT
#include "handle.h"

/// Headers that are looked at, with all their tags and extensions, are within so many bytes of nearly every packet.
#define HEADER_BYTES 192

/// The same behind the driver and the first of the stack, for interfaces where no XDP program can be.
SEC("tc")
int packets_tc(struct __sk_buff *context) {
    const uint8_t *at = (const uint8_t *)(long)context->data;
    const uint8_t *end = (const uint8_t *)(long)context->data_end;
    if (at + HEADER_BYTES > end && (uint32_t)(end - at) < context->len)
        bpf_skb_pull_data(context, context->len < HEADER_BYTES ? context->len : HEADER_BYTES);
    // Several packets of one connection may have been joined to one.
    const uint32_t segments = context->gso_segs > 1 ? context->gso_segs : 1;
    const uint16_t vlan = context->vlan_present ? context->vlan_tci : 0;
    return handle_tc(context, vlan, segments);
}

#include "handshakes.h"
#include "trials.h"
