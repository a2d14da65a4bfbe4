// The parser that is shared with userspace, as the verifier takes it.
// Included once for each kind of program: CONTEXT is what it is given, NAMED(x) its own x.

// The parser's steps. Each is a function that is verified by itself; what one returns is a number like any other to the
// next, so that ways through them are not multiplied.

__noinline int NAMED(parse_link)(CONTEXT *context, struct ip_packet *packet) {
    if (!packet) return 0;
    const uint8_t *at = (const uint8_t *)(long)context->data;
    const uint8_t *end = (const uint8_t *)(long)context->data_end;
    return ip_parse_link(at, end, packet);
}

__noinline int NAMED(parse_network)(CONTEXT *context, struct ip_packet *packet, uint32_t offset) {
    if (!packet || offset > 64) return 0;
    const uint8_t *at = (const uint8_t *)(long)context->data + offset;
    const uint8_t *end = (const uint8_t *)(long)context->data_end;
    return ip_parse_network(at, end, packet);
}

__noinline int NAMED(parse_transport)(CONTEXT *context, struct ip_packet *packet, uint32_t offset) {
    if (!packet || offset > 0x7fff) return 0;
    const uint8_t *at = (const uint8_t *)(long)context->data + offset;
    const uint8_t *end = (const uint8_t *)(long)context->data_end;
    ip_parse_transport(at, end, packet);
    return 0;
}

static __always_inline void NAMED(parse)(CONTEXT *context, struct ip_packet *packet) {
    const uint8_t *at = (const uint8_t *)(long)context->data;
    const uint8_t *end = (const uint8_t *)(long)context->data_end;
    // Most packets: IPv4 without tags and options. The same steps, without calls.
    if (at + 34 <= end && ip_load16(at + 12) == 0x0800 && at[14] == 0x45) {
        packet->ether_type = 0x0800;
        if (ip_parse_ipv4(at + 14, end, packet)) ip_parse_transport(at + 34, end, packet);
        return;
    }
    const uint32_t offset = NAMED(parse_link)(context, packet);
    if (!offset) return;
    const uint32_t header = NAMED(parse_network)(context, packet, offset);
    if (header) NAMED(parse_transport)(context, packet, offset + header);
}
