// The program's maps; what stands in them is in ironpost_maps.h.
#pragma once

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, 1);
    __type(key, uint32_t);
    __type(value, struct ip_shared);
} shared SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 1);
    __type(key, uint32_t);
    __type(value, struct ip_counters);
} counters SEC(".maps");

// One element a CPU; more than a per-CPU map can hold in one.
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, uint32_t);
    __type(value, struct ip_memory);
} memory SEC(".maps");

struct list4 {
    __uint(type, BPF_MAP_TYPE_LPM_TRIE);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __uint(max_entries, 1);
    __uint(key_size, sizeof(struct ip_key4));
    __uint(value_size, sizeof(struct ip_list_value));
};

struct list6 {
    __uint(type, BPF_MAP_TYPE_LPM_TRIE);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __uint(max_entries, 1);
    __uint(key_size, sizeof(struct ip_key6));
    __uint(value_size, sizeof(struct ip_list_value));
};

// A list is exchanged as a whole by putting another map into its place.
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
    __uint(max_entries, IP_LIST_COUNT);
    __type(key, uint32_t);
    __array(values, struct list4);
} lists4 SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
    __uint(max_entries, IP_LIST_COUNT);
    __type(key, uint32_t);
    __array(values, struct list6);
} lists6 SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, IP_SCOPED_PREFIXES_MAX);
    __type(key, uint32_t);
    __type(value, struct ip_scopes);
} scopes SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 1 << 20);
} ring SEC(".maps");

// Sources that completed a handshake, and when: what cannot be forged.
struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 65536);
    __type(key, struct ip_address);
    __type(value, uint64_t);
} proven SEC(".maps");

static __always_inline struct ip_memory *own_memory(void) {
    const uint32_t cpu = bpf_get_smp_processor_id();
    return bpf_map_lookup_elem(&memory, &cpu);
}
