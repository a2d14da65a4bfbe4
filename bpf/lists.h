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

__noinline uint32_t look4(uint32_t list, const struct ip_packet *packet) {
    if (!packet) return IP_ACTION_NONE;
    void *inner = bpf_map_lookup_elem(&lists4, &list);
    if (!inner) return IP_ACTION_NONE;
    struct ip_key4 key = {.prefix = 32, .address = packet->source.word[3]};
    for (int i = 0; i < IP_NESTING_MAX; i++) {
        struct ip_list_value *value = bpf_map_lookup_elem(inner, &key);
        if (!value) return IP_ACTION_NONE;
        const uint32_t action = judge(value, packet);
        if (action != IP_ACTION_NONE) {
            __sync_fetch_and_add(&value->hits, 1);
            return action;
        }
        if (value->prefix == 0) return IP_ACTION_NONE;
        // The next wider prefix around it may have something to say.
        key.prefix = value->prefix - 1;
    }
    return IP_ACTION_NONE;
}

__noinline uint32_t look6(uint32_t list, const struct ip_packet *packet) {
    if (!packet) return IP_ACTION_NONE;
    void *inner = bpf_map_lookup_elem(&lists6, &list);
    if (!inner) return IP_ACTION_NONE;
    struct ip_key6 key = {.prefix = 128};
    key.address[0] = packet->source.word[0];
    key.address[1] = packet->source.word[1];
    key.address[2] = packet->source.word[2];
    key.address[3] = packet->source.word[3];
    for (int i = 0; i < IP_NESTING_MAX; i++) {
        struct ip_list_value *value = bpf_map_lookup_elem(inner, &key);
        if (!value) return IP_ACTION_NONE;
        const uint32_t action = judge(value, packet);
        if (action != IP_ACTION_NONE) {
            __sync_fetch_and_add(&value->hits, 1);
            return action;
        }
        if (value->prefix == 0) return IP_ACTION_NONE;
        key.prefix = value->prefix - 1;
    }
    return IP_ACTION_NONE;
}

/// The narrowest prefix around an IPv4 source, when it says something of every packet: the ordinary case, without a call
/// of a function. Else the list is looked through.
static __always_inline uint32_t glance4(uint32_t list, const struct ip_packet *packet) {
    void *inner = bpf_map_lookup_elem(&lists4, &list);
    if (!inner) return IP_ACTION_NONE;
    struct ip_key4 key = {.prefix = 32, .address = packet->source.word[3]};
    struct ip_list_value *value = bpf_map_lookup_elem(inner, &key);
    if (!value) return IP_ACTION_NONE;
    if (value->action == IP_ACTION_NONE || is_over(value->expires)) return look4(list, packet);
    __sync_fetch_and_add(&value->hits, 1);
    return value->action;
}

/// What the lists say: allow before deny.
static __always_inline uint32_t look(const struct ip_prefilter *filter, const struct ip_packet *packet) {
    if (packet->family == 4) {
        const uint8_t bits = filter->four[bpf_ntohl(packet->source.word[3]) >> 16 & 0xffff];
        if (!bits) return IP_ACTION_NONE;
        if (bits & 1 << IP_LIST_ALLOW && glance4(IP_LIST_ALLOW, packet)) return IP_ACTION_ALLOW;
        if (bits & 1 << IP_LIST_DENY) return glance4(IP_LIST_DENY, packet);
    } else if (packet->family == 6) {
        const uint8_t bits = filter->six[ip_bucket6(packet->source.word[0]) & 0xffff];
        if (!bits) return IP_ACTION_NONE;
        if (bits & 1 << IP_LIST_ALLOW && look6(IP_LIST_ALLOW, packet)) return IP_ACTION_ALLOW;
        if (bits & 1 << IP_LIST_DENY) return look6(IP_LIST_DENY, packet);
    }
    return IP_ACTION_NONE;
}
