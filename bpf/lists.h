// What the lists say of a packet.
#pragma once

static __always_inline bool is_over(uint64_t expires) { return expires && expires <= bpf_ktime_get_boot_ns(); }

/// What a list's entry says of a packet: an action, or none when it is over or for other ports.
static __always_inline uint32_t judge(struct ip_list_value *value, const struct ip_packet *packet) {
    if (value->action != IP_ACTION_NONE && !is_over(value->expires)) return value->action;
    const uint32_t place = value->scopes;
    if (!place) return IP_ACTION_NONE;
    struct ip_scopes *scoped = bpf_map_lookup_elem(&scopes, &place);
    if (!scoped) return IP_ACTION_NONE;
    for (int i = 0; i < IP_SCOPES_MAX; i++) {
        struct ip_scope *scope = &scoped->scope[i];
        if (scope->action == IP_ACTION_NONE) continue;
        if (scope->protocol && scope->protocol != packet->protocol) continue;
        // A fragment without ports could be anybody's: a rule for a port says nothing of it.
        if (scope->port && scope->port != packet->destination_port) continue;
        if (is_over(scope->expires)) continue;
        return scope->action;
    }
    return IP_ACTION_NONE;
}

/// The same, and counted.
static __always_inline uint32_t ask(struct ip_list_value *value, const struct ip_packet *packet) {
    const uint32_t action = judge(value, packet);
    if (action != IP_ACTION_NONE) __sync_fetch_and_add(&value->hits, 1);
    return action;
}

#define FAMILY(name) name##4
#define WORDS 1
#include "look.h"
#undef FAMILY
#undef WORDS
#define FAMILY(name) name##6
#define WORDS 4
#include "look.h"

static __always_inline uint32_t look(const struct ip_prefilter *filter, const struct ip_packet *packet) {
    if (packet->family == 4) return decide4(filter->four[bpf_ntohl(packet->source.word[3]) >> 16 & 0xffff], packet);
    if (packet->family == 6) return decide6(filter->six[ip_bucket6(packet->source.word[0]) & 0xffff], packet);
    return IP_ACTION_NONE;
}
