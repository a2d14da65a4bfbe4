#include "ironpost_capture.h"

#include <stdlib.h>
#include <string.h>

int ip_link_is_known(uint32_t link_type) {
    switch (link_type) {
    case IP_LINK_NULL:
    case IP_LINK_ETHERNET:
    case IP_LINK_RAW_BSD:
    case IP_LINK_RAW_OPENBSD:
    case IP_LINK_RAW:
    case IP_LINK_LOOP:
    case IP_LINK_SLL:
    case IP_LINK_IPV4:
    case IP_LINK_IPV6:
    case IP_LINK_SLL2:
        return 1;
    default:
        return 0;
    }
}

static uint16_t type_of_version(uint8_t first) {
    switch (first >> 4) {
    case 4:
        return 0x0800;
    case 6:
        return 0x86dd;
    default:
        return 0;
    }
}

struct ip_packet ip_parse(const uint8_t *bytes, size_t count, uint32_t link_type) {
    struct ip_packet packet;
    memset(&packet, 0, sizeof packet);
    const uint8_t *end = bytes + count;
    switch (link_type) {
    case IP_LINK_ETHERNET:
        ip_parse_ethernet(bytes, end, &packet);
        break;
    case IP_LINK_NULL:
    case IP_LINK_LOOP:
        // The family's number differs from system to system; the version in the header does not.
        if (count > 4) ip_parse_from_network(bytes + 4, end, type_of_version(bytes[4]), &packet);
        break;
    case IP_LINK_SLL:
        if (count >= 16) ip_parse_from_network(bytes + 16, end, ip_load16(bytes + 14), &packet);
        break;
    case IP_LINK_SLL2:
        if (count >= 20) ip_parse_from_network(bytes + 20, end, ip_load16(bytes), &packet);
        break;
    default:
        if (count > 0) ip_parse_from_network(bytes, end, type_of_version(bytes[0]), &packet);
    }
    return packet;
}

uint8_t ip_kind_of(struct ip_packet packet) { return ip_record_kind_of(&packet); }

uint32_t ip_hash_of(struct ip_address address, uint32_t number, uint32_t seed) {
    return ip_hash(&address, number, seed);
}

struct ip_sketch *ip_sketch_make(void) { return calloc(1, sizeof(struct ip_sketch)); }

void ip_sketch_free(struct ip_sketch *sketch) { free(sketch); }

uint32_t ip_sketch_count(struct ip_sketch *sketch, uint32_t hash, uint32_t epoch) {
    return ip_sketch_add(sketch, hash, epoch);
}

uint32_t ip_sketch_limit(const struct ip_sketch *sketch) { return ip_sketch_threshold(sketch); }

const char *ip_malformed_name(uint8_t reason) {
    static const char *const names[IP_MALFORMED_COUNT] = {
        "well_formed",    "short_ethernet",    "too_many_vlans",  "short_ipv4",          "bad_ipv4_version",
        "bad_ipv4_header", "bad_ipv4_length",  "short_ipv6",      "bad_ipv6_version",    "bad_ipv6_length",
        "short_extension", "too_many_extensions", "tiny_fragment", "short_tcp",          "bad_tcp_offset",
        "short_udp",      "bad_udp_length",    "short_icmp",
    };
    return reason < IP_MALFORMED_COUNT ? names[reason] : "unknown";
}
