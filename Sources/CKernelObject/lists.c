// The lists: what they hold, how they get into the kernel and out of it.
#include "kernel_private.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

static int new_list(uint32_t key_size, uint32_t entries) {
    LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = BPF_F_NO_PREALLOC);
    const int map = bpf_map_create(
        BPF_MAP_TYPE_LPM_TRIE, key_size == sizeof(struct ip_key4) ? "list4" : "list6", key_size,
        sizeof(struct ip_list_value), entries, &options
    );
    return map < 0 ? -errno : map;
}

static int put_list(struct ip_kernel *kernel, int is_four, uint32_t list, int map) {
    const int result =
        bpf_map_update_elem(descriptor_of(kernel, is_four ? "lists4" : "lists6"), &list, &map, BPF_ANY);
    return result ? -errno : 0;
}

int ip_lists_make(struct ip_kernel *kernel) {
    int result = 0;
    for (uint32_t list = 0; !result && list < IP_LIST_COUNT; list++) {
        for (int is_four = 0; !result && is_four < 2; is_four++) {
            const int map = new_list(is_four ? sizeof(struct ip_key4) : sizeof(struct ip_key6), kernel->list_entries);
            result = map < 0 ? map : put_list(kernel, is_four, list, map);
            if (map >= 0) close(map);
        }
    }
    return result;
}

/// Entries of one system call.
#define BATCH 4096

struct batch {
    struct ip_key4 key4[BATCH];
    struct ip_key6 key6[BATCH];
    struct ip_list_value value[BATCH];
};

static struct ip_key4 key4_of(const struct ip_list_entry *entry) {
    return (struct ip_key4){.prefix = entry->prefix, .address = {entry->address.word[3]}};
}

static struct ip_key6 key6_of(const struct ip_list_entry *entry) {
    struct ip_key6 key = {.prefix = entry->prefix};
    memcpy(key.address, entry->address.word, sizeof key.address);
    return key;
}

/// Marks what an entry covers, so that packets from there are looked up at all.
static void mark(struct ip_prefilter *filter, const struct ip_list_entry *entry, uint8_t bit) {
    uint32_t first = 0, last = 0;
    uint8_t *buckets = filter->six;
    if (entry->family == 4) {
        buckets = filter->four;
        first = last = __builtin_bswap32(entry->address.word[3]) >> 16;
        if (entry->prefix < 16) last = first | (0xffffu >> entry->prefix);
    } else if (entry->prefix < 32) {
        last = IP_PREFILTER_BUCKETS - 1;
    } else {
        first = last = ip_bucket6(entry->address.word[0]);
    }
    for (uint32_t bucket = first; bucket <= last; bucket++) buckets[bucket & 0xffff] |= bit;
}

static int open_list(struct ip_kernel *kernel, int is_four, uint32_t list) {
    uint32_t id = 0;
    if (bpf_map_lookup_elem(descriptor_of(kernel, is_four ? "lists4" : "lists6"), &list, &id)) return -errno;
    const int map = bpf_map_get_fd_by_id(id);
    return map < 0 ? -errno : map;
}

/// What one thread puts into one family's map.
struct share {
    int map, is_four;
    const struct ip_list_entry *entries;
    size_t count, done;
    int result;
};

static void *fill_share(void *argument) {
    struct share *share = argument;
    struct batch *batch = malloc(sizeof *batch);
    if (!batch) {
        share->result = -ENOMEM;
        return NULL;
    }
    uint32_t used = 0;
    for (size_t i = 0; i <= share->count; i++) {
        const struct ip_list_entry *entry = share->entries + i;
        if (i < share->count && (entry->family == 4) == share->is_four) {
            if (share->is_four) {
                batch->key4[used] = key4_of(entry);
            } else {
                batch->key6[used] = key6_of(entry);
            }
            batch->value[used] = (struct ip_list_value){
                .expires = entry->expires, .hits = entry->hits, .scopes = entry->scopes,
                .action = entry->action, .prefix = entry->prefix,
            };
            used++;
        }
        if (used < BATCH && i < share->count) continue;
        if (!used) continue;
        uint32_t wanted = used;
        LIBBPF_OPTS(bpf_map_batch_opts, options);
        const void *keys = share->is_four ? (const void *)batch->key4 : (const void *)batch->key6;
        share->result = bpf_map_update_batch(share->map, keys, batch->value, &wanted, &options) ? -errno : 0;
        share->done += share->result ? wanted : used;
        if (share->result) break;
        used = 0;
    }
    free(batch);
    return NULL;
}

/// Entries from which on a second thread is worth its start.
#define SHARED_FROM 16384

/// Fills one family's map with the entries of that family; long lists by two threads, because the kernel takes a
/// microsecond for each entry. Sorted entries take half the time of others: the kernel's way down to them is in its cache.
static int fill(int map, int is_four, const struct ip_list_entry *entries, size_t count, size_t *done) {
    const size_t first = count < SHARED_FROM ? count : count / 2;
    struct share one = {.map = map, .is_four = is_four, .entries = entries, .count = first};
    struct share two = {.map = map, .is_four = is_four, .entries = entries + first, .count = count - first};
    pthread_t helper;
    const int is_helped = two.count && !pthread_create(&helper, NULL, fill_share, &two);
    fill_share(&one);
    if (is_helped) {
        pthread_join(helper, NULL);
    } else if (two.count && !one.result) {
        fill_share(&two);
    }
    *done += one.done + two.done;
    return one.result ? one.result : two.result;
}

int ip_kernel_list_add(
    struct ip_kernel *kernel, uint32_t list, const struct ip_list_entry *entries, size_t count, size_t *done
) {
    *done = 0;
    int result = 0;
    // First what packets are let in to look for: an entry that is there and not looked for would be a hole.
    for (size_t i = 0; i < count; i++) mark(&kernel->shared->prefilter, &entries[i], (uint8_t)(1 << list));
    for (int is_four = 0; !result && is_four < 2; is_four++) {
        const int map = open_list(kernel, is_four, list);
        result = map < 0 ? map : fill(map, is_four, entries, count, done);
        if (map >= 0) close(map);
    }
    return result;
}

int ip_kernel_list_remove(
    struct ip_kernel *kernel, uint32_t list, const struct ip_list_entry *entries, size_t count
) {
    const int four = open_list(kernel, 1, list), six = open_list(kernel, 0, list);
    int result = four < 0 ? four : six < 0 ? six : 0;
    for (size_t i = 0; !result && i < count; i++) {
        const struct ip_key4 key4 = key4_of(&entries[i]);
        const struct ip_key6 key6 = key6_of(&entries[i]);
        const int failed =
            entries[i].family == 4 ? bpf_map_delete_elem(four, &key4) : bpf_map_delete_elem(six, &key6);
        if (failed && errno != ENOENT) result = -errno;
    }
    if (four >= 0) close(four);
    if (six >= 0) close(six);
    return result;
}

/// Whether there is nothing of a family in a list, neither now nor among the entries that are to take its place.
static int stays_empty(
    struct ip_kernel *kernel, int is_four, uint32_t list, const struct ip_list_entry *entries, size_t count
) {
    for (size_t i = 0; i < count; i++)
        if ((entries[i].family == 4) == is_four) return 0;
    struct ip_key6 key;
    const int map = open_list(kernel, is_four, list);
    const int is_empty = map >= 0 && bpf_map_get_next_key(map, NULL, &key) && errno == ENOENT;
    if (map >= 0) close(map);
    return is_empty;
}

int ip_kernel_list_replace(
    struct ip_kernel *kernel, uint32_t list, const struct ip_list_entry *entries, size_t count
) {
    struct ip_prefilter *filter = calloc(1, sizeof *filter);
    int maps[2] = {-1, -1};
    int result = filter ? 0 : -ENOMEM;
    size_t done = 0;
    for (int is_four = 0; !result && is_four < 2; is_four++) {
        // An exchange waits until no packet looks at the old list any more: some 10 ms.
        if (stays_empty(kernel, is_four, list, entries, count)) continue;
        maps[is_four] = new_list(is_four ? sizeof(struct ip_key4) : sizeof(struct ip_key6), kernel->list_entries);
        result = maps[is_four] < 0 ? maps[is_four] : fill(maps[is_four], is_four, entries, count, &done);
    }
    if (!result) {
        const uint8_t bit = (uint8_t)(1 << list);
        uint8_t *now = (uint8_t *)&kernel->shared->prefilter, *then = (uint8_t *)filter;
        for (size_t i = 0; i < count; i++) mark(filter, &entries[i], bit);
        // What is new is looked for before it is there, and what is gone until it is gone.
        for (size_t i = 0; i < sizeof *filter; i++)
            if (then[i] & bit) now[i] |= bit;
        for (int is_four = 0; !result && is_four < 2; is_four++)
            if (maps[is_four] >= 0) result = put_list(kernel, is_four, list, maps[is_four]);
        if (!result)
            for (size_t i = 0; i < sizeof *filter; i++)
                if (!(then[i] & bit)) now[i] &= (uint8_t)~bit;
    }
    for (int i = 0; i < 2; i++)
        if (maps[i] >= 0) close(maps[i]);
    free(filter);
    return result;
}

int64_t ip_kernel_list_read(struct ip_kernel *kernel, uint32_t list, struct ip_list_entry *entries, size_t max) {
    size_t count = 0;
    for (int is_four = 1; is_four >= 0; is_four--) {
        const int map = open_list(kernel, is_four, list);
        if (map < 0) return map;
        uint8_t key[sizeof(struct ip_key6)], next[sizeof(struct ip_key6)];
        const void *previous = NULL;
        while (count < max && !bpf_map_get_next_key(map, previous, next)) {
            struct ip_list_value value;
            memcpy(key, next, sizeof key);
            previous = key;
            if (bpf_map_lookup_elem(map, key, &value)) continue;
            struct ip_list_entry *entry = &entries[count];
            memset(entry, 0, sizeof *entry);
            if (is_four) {
                struct ip_key4 four;
                memcpy(&four, key, sizeof four);
                entry->family = 4;
                entry->address.word[2] = IP_MAPPED_PREFIX;
                entry->address.word[3] = four.address[0];
                entry->prefix = (uint8_t)four.prefix;
            } else {
                struct ip_key6 six;
                memcpy(&six, key, sizeof six);
                entry->family = 6;
                memcpy(entry->address.word, six.address, sizeof six.address);
                entry->prefix = (uint8_t)six.prefix;
            }
            // A lookup finds the longest prefix, which is the key itself.
            entry->action = value.action;
            entry->expires = value.expires;
            entry->hits = value.hits;
            entry->scopes = value.scopes;
            count++;
        }
        close(map);
    }
    return (int64_t)count;
}

int ip_kernel_scopes_set(struct ip_kernel *kernel, uint32_t place, const struct ip_scopes *scopes) {
    return bpf_map_update_elem(descriptor_of(kernel, "scopes"), &place, scopes, BPF_ANY) ? -errno : 0;
}

int ip_kernel_scopes_read(struct ip_kernel *kernel, uint32_t place, struct ip_scopes *scopes) {
    return bpf_map_lookup_elem(descriptor_of(kernel, "scopes"), &place, scopes) ? -errno : 0;
}
