// What the lists say of a packet of one family.
// Included once for each: WORDS of 32 bits has an address, FAMILY(x) is its own x.

static __always_inline struct FAMILY(ip_key) FAMILY(key_of)(const struct ip_packet *packet) {
    struct FAMILY(ip_key) key = {.prefix = 32 * WORDS};
    for (int i = 0; i < WORDS; i++) key.address[i] = packet->source.word[4 - WORDS + i];
    return key;
}

/// Looks a list through, from the narrowest network around the source to the widest, for one that says something.
__noinline uint32_t FAMILY(look)(uint32_t list, const struct ip_packet *packet) {
    if (!packet) return IP_ACTION_NONE;
    void *inner = bpf_map_lookup_elem(&FAMILY(lists), &list);
    if (!inner) return IP_ACTION_NONE;
    struct FAMILY(ip_key) key = FAMILY(key_of)(packet);
    for (int i = 0; i < IP_NESTING_MAX; i++) {
        struct ip_list_value *value = bpf_map_lookup_elem(inner, &key);
        if (!value) return IP_ACTION_NONE;
        const uint32_t action = ask(value, packet);
        if (action != IP_ACTION_NONE) return action;
        if (value->prefix == 0) return IP_ACTION_NONE;
        key.prefix = value->prefix - 1;
    }
    return IP_ACTION_NONE;
}

/// The narrowest network around a source, when it says something of every packet: the ordinary case, without a call of a
/// function. Else the list is looked through.
static __always_inline uint32_t FAMILY(glance)(uint32_t list, const struct ip_packet *packet) {
    void *inner = bpf_map_lookup_elem(&FAMILY(lists), &list);
    if (!inner) return IP_ACTION_NONE;
    struct FAMILY(ip_key) key = FAMILY(key_of)(packet);
    struct ip_list_value *value = bpf_map_lookup_elem(inner, &key);
    if (!value) return IP_ACTION_NONE;
    if (value->action == IP_ACTION_NONE || is_over(value->expires)) return FAMILY(look)(list, packet);
    __sync_fetch_and_add(&value->hits, 1);
    return value->action;
}

/// Allow before deny. `marks` is what the prefilter has on the source.
static __always_inline uint32_t FAMILY(decide)(uint32_t marks, const struct ip_packet *packet) {
    if (marks & 1 << IP_LIST_ALLOW && FAMILY(glance)(IP_LIST_ALLOW, packet)) return IP_ACTION_ALLOW;
    return marks & 1 << IP_LIST_DENY ? FAMILY(glance)(IP_LIST_DENY, packet) : IP_ACTION_NONE;
}
