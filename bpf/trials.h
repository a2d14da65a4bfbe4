// For tests and measurements only; not loaded otherwise.
#pragma once

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
