#include "kernel_object.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#if !__has_embed("../../generated/packets.bpf.o")
#error "the kernel program is not there yet: run make (or make kernel), which compiles bpf/ into generated/"
#endif

#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wc23-extensions"
static const unsigned char object_bytes[] __attribute__((aligned(8))) = {
#embed "../../generated/packets.bpf.o"
};
#pragma clang diagnostic pop

struct ip_kernel {
    struct bpf_object *object;
    struct bpf_program *packets;
    struct bpf_link *handshakes;
    char handshake_error[256];
    struct ip_shared *shared;
    uint32_t list_entries;
    uint32_t owner;
    int is_adopted;
};

/// Maps that outlive a program: the next one takes them over.
static const char *const kept[] = {"shared", "counters", "lists4", "lists6", "scopes", "proven"};
#define KEPT (sizeof kept / sizeof kept[0])

// What libbpf last complained of; it has one callback for the process.
static char complaint[512];
static pthread_mutex_t complaining = PTHREAD_MUTEX_INITIALIZER;

static int complain(enum libbpf_print_level level, const char *format, va_list arguments) {
    if (level != LIBBPF_WARN) return 0;
    char line[512];
    vsnprintf(line, sizeof line, format, arguments);
    // A verifier's log is long; its first lines say less than libbpf's own words.
    line[strcspn(line, "\n")] = 0;
    if (strstr(line, "failed") || strstr(line, "Error") || !complaint[0])
        snprintf(complaint, sizeof complaint, "%s", strncmp(line, "libbpf: ", 8) ? line : line + 8);
    return 0;
}

static struct bpf_map *map_of(struct ip_kernel *kernel, const char *name) {
    return bpf_object__find_map_by_name(kernel->object, name);
}

static int descriptor_of(struct ip_kernel *kernel, const char *name) {
    struct bpf_map *map = map_of(kernel, name);
    return map ? bpf_map__fd(map) : -ENOENT;
}

/// The maps of an attached program of ours, by the order of `kept`; -1 where there is none.
static int maps_of_attached(uint32_t interface, uint32_t owner, int *maps) {
    uint32_t id = 0;
    for (size_t i = 0; i < KEPT; i++) maps[i] = -1;
    if (bpf_xdp_query_id((int)interface, 0, &id) || !id) return -ENOENT;
    const int program = bpf_prog_get_fd_by_id(id);
    if (program < 0) return -errno;
    uint32_t ids[32] = {0};
    struct bpf_prog_info info = {.nr_map_ids = 32, .map_ids = (uint64_t)(uintptr_t)ids};
    uint32_t size = sizeof info;
    int result = bpf_obj_get_info_by_fd(program, &info, &size);
    close(program);
    if (result) return -errno;
    if (strcmp(info.name, "packets")) return -EBUSY;
    for (uint32_t i = 0; i < info.nr_map_ids && i < 32; i++) {
        const int map = bpf_map_get_fd_by_id(ids[i]);
        if (map < 0) continue;
        struct bpf_map_info about = {0};
        size = sizeof about;
        int place = -1;
        if (!bpf_obj_get_info_by_fd(map, &about, &size))
            for (size_t k = 0; k < KEPT; k++)
                if (!strncmp(about.name, kept[k], sizeof about.name)) place = (int)k;
        if (place < 0 || maps[place] >= 0) {
            close(map);
        } else {
            maps[place] = map;
        }
    }
    // Whose it is stands in its settings, at the same place in every version.
    struct bpf_map_info about = {0};
    size = sizeof about;
    result = -EBUSY;
    if (maps[0] >= 0 && !bpf_obj_get_info_by_fd(maps[0], &about, &size) &&
        about.value_size >= sizeof(struct ip_settings)) {
        void *memory = mmap(NULL, about.value_size, PROT_READ, MAP_SHARED, maps[0], 0);
        if (memory != MAP_FAILED) {
            if (((const struct ip_settings *)memory)->owner == owner) result = 0;
            munmap(memory, about.value_size);
        }
    }
    if (result)
        for (size_t i = 0; i < KEPT; i++) {
            if (maps[i] >= 0) close(maps[i]);
            maps[i] = -1;
        }
    return result;
}

/// Whether an earlier version's maps can be used by this program: all of them, or none.
static int fits(struct ip_kernel *kernel, const int *maps) {
    for (size_t i = 0; i < KEPT; i++) {
        struct bpf_map_info about = {0};
        uint32_t size = sizeof about;
        struct bpf_map *map = map_of(kernel, kept[i]);
        if (maps[i] < 0 || !map || bpf_obj_get_info_by_fd(maps[i], &about, &size)) return 0;
        if (about.type != (uint32_t)bpf_map__type(map) || about.key_size != bpf_map__key_size(map) ||
            about.value_size != bpf_map__value_size(map))
            return 0;
    }
    return 1;
}

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

static void *map_memory(struct ip_kernel *kernel, const char *name, size_t bytes) {
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor_of(kernel, name), 0);
    return memory == MAP_FAILED ? NULL : memory;
}

static int prepare(struct ip_kernel *kernel, const struct ip_kernel_options *options, const int *maps) {
    struct bpf_program *program;
    bpf_object__for_each_program(program, kernel->object) {
        const char *name = bpf_program__name(program);
        if (!strcmp(name, "packets")) kernel->packets = program;
        const int is_test = !strcmp(name, "passes") || !strcmp(name, "parsed");
        if (is_test) bpf_program__set_autoload(program, options->with_tests);
    }
    int result = bpf_map__set_max_entries(map_of(kernel, "ring"), options->ring_bytes);
    if (!result) result = bpf_map__set_max_entries(map_of(kernel, "memory"), (uint32_t)libbpf_num_possible_cpus());
    kernel->is_adopted = fits(kernel, maps);
    for (size_t i = 0; !result && kernel->is_adopted && i < KEPT; i++)
        result = bpf_map__reuse_fd(map_of(kernel, kept[i]), maps[i]);
    return result;
}

static int load(struct ip_kernel *kernel, const struct ip_kernel_options *options, const int *maps) {
    LIBBPF_OPTS(bpf_object_open_opts, opening, .object_name = "ironpost");
    kernel->object = bpf_object__open_mem(object_bytes, sizeof object_bytes, &opening);
    if (!kernel->object) return -errno;
    int result = prepare(kernel, options, maps);
    if (result) return result;
    struct bpf_program *handshakes = bpf_object__find_program_by_name(kernel->object, "handshakes");
    result = bpf_object__load(kernel->object);
    if (!result) {
        kernel->handshakes = bpf_program__attach_trace(handshakes);
        if (!kernel->handshakes)
            snprintf(kernel->handshake_error, sizeof kernel->handshake_error, "%s", strerror(errno));
        return 0;
    }
    // Handshakes need the kernel's own types (BTF); blocking and counting do not.
    snprintf(kernel->handshake_error, sizeof kernel->handshake_error, "%s", complaint);
    bpf_object__close(kernel->object);
    kernel->object = bpf_object__open_mem(object_bytes, sizeof object_bytes, &opening);
    if (!kernel->object) return -errno;
    result = prepare(kernel, options, maps);
    if (result) return result;
    handshakes = bpf_object__find_program_by_name(kernel->object, "handshakes");
    bpf_program__set_autoload(handshakes, false);
    return bpf_object__load(kernel->object);
}

struct ip_kernel *ip_kernel_load(
    const struct ip_kernel_options *options, const uint32_t *interfaces, size_t count, char *error, size_t error_bytes
) {
    struct ip_kernel *kernel = calloc(1, sizeof *kernel);
    if (!kernel) return NULL;
    kernel->list_entries = options->list_entries;
    kernel->owner = options->owner;
    int maps[KEPT];
    for (size_t i = 0; i < KEPT; i++) maps[i] = -1;
    for (size_t i = 0; i < count && maps[0] < 0; i++) maps_of_attached(interfaces[i], options->owner, maps);
    pthread_mutex_lock(&complaining);
    complaint[0] = 0;
    libbpf_set_print(complain);
    int result = load(kernel, options, maps);
    if (result) snprintf(error, error_bytes, "%s", complaint[0] ? complaint : strerror(-result));
    pthread_mutex_unlock(&complaining);
    for (size_t i = 0; i < KEPT; i++)
        if (maps[i] >= 0) close(maps[i]);
    if (!result && !kernel->is_adopted) {
        for (uint32_t list = 0; !result && list < IP_LIST_COUNT; list++) {
            for (int is_four = 0; !result && is_four < 2; is_four++) {
                const int map =
                    new_list(is_four ? sizeof(struct ip_key4) : sizeof(struct ip_key6), options->list_entries);
                result = map < 0 ? map : put_list(kernel, is_four, list, map);
                if (map >= 0) close(map);
            }
        }
        if (result) snprintf(error, error_bytes, "lists cannot be made: %s", strerror(-result));
    }
    if (!result) {
        kernel->shared = map_memory(kernel, "shared", sizeof *kernel->shared);
        if (!kernel->shared) {
            result = -errno;
            snprintf(error, error_bytes, "maps cannot be shared with the kernel: %s", strerror(errno));
        }
    }
    if (result) {
        ip_kernel_close(kernel);
        return NULL;
    }
    kernel->shared->settings.owner = options->owner;
    return kernel;
}

void ip_kernel_close(struct ip_kernel *kernel) {
    if (kernel->shared) munmap(kernel->shared, sizeof *kernel->shared);
    bpf_link__destroy(kernel->handshakes);
    bpf_object__close(kernel->object);
    free(kernel);
}

int ip_kernel_is_adopted(const struct ip_kernel *kernel) { return kernel->is_adopted; }
int ip_kernel_sees_handshakes(const struct ip_kernel *kernel) { return kernel->handshakes != NULL; }
const char *ip_kernel_handshake_error(const struct ip_kernel *kernel) { return kernel->handshake_error; }
int ip_kernel_ring(const struct ip_kernel *kernel) { return descriptor_of((struct ip_kernel *)kernel, "ring"); }

static int program_info(int program, struct bpf_prog_info *info) {
    uint32_t size = sizeof *info;
    memset(info, 0, sizeof *info);
    return bpf_obj_get_info_by_fd(program, info, &size) ? -errno : 0;
}

uint32_t ip_kernel_program_id(const struct ip_kernel *kernel) {
    struct bpf_prog_info info;
    return program_info(bpf_program__fd(kernel->packets), &info) ? 0 : info.id;
}

uint32_t ip_kernel_verified(const struct ip_kernel *kernel, const char *name) {
    struct bpf_prog_info info;
    struct bpf_program *program = bpf_object__find_program_by_name(kernel->object, name);
    if (!program || bpf_program__fd(program) < 0 || program_info(bpf_program__fd(program), &info)) return 0;
    return info.verified_insns;
}

// MARK: - Interfaces

int ip_kernel_query(uint32_t interface, uint32_t *id, uint8_t *mode) {
    LIBBPF_OPTS(bpf_xdp_query_opts, query);
    const int result = bpf_xdp_query((int)interface, 0, &query);
    if (result) return result;
    *id = query.prog_id;
    *mode = query.attach_mode;
    return 0;
}

int ip_kernel_attach(struct ip_kernel *kernel, uint32_t interface, int is_native) {
    uint32_t id = 0;
    uint8_t mode = 0;
    int result = ip_kernel_query(interface, &id, &mode);
    if (result) return result;
    const uint32_t flags = is_native ? XDP_FLAGS_DRV_MODE : XDP_FLAGS_SKB_MODE;
    if (!id) return bpf_xdp_attach((int)interface, bpf_program__fd(kernel->packets), flags | XDP_FLAGS_UPDATE_IF_NOEXIST, NULL);
    if (id == ip_kernel_program_id(kernel)) return 0;
    int maps[KEPT];
    result = maps_of_attached(interface, kernel->owner, maps);
    for (size_t i = 0; i < KEPT; i++)
        if (maps[i] >= 0) close(maps[i]);
    if (result) return -EBUSY;
    const int old = bpf_prog_get_fd_by_id(id);
    if (old < 0) return -errno;
    // Only if it is still the one that was looked at; packets meet either the old or the new.
    LIBBPF_OPTS(bpf_xdp_attach_opts, options, .old_prog_fd = old);
    const uint32_t present = mode == XDP_ATTACHED_DRV ? XDP_FLAGS_DRV_MODE : XDP_FLAGS_SKB_MODE;
    result = bpf_xdp_attach((int)interface, bpf_program__fd(kernel->packets), present | XDP_FLAGS_REPLACE, &options);
    close(old);
    return result;
}

static int detach(uint32_t interface, uint32_t owner) {
    uint32_t id = 0;
    uint8_t mode = 0;
    int result = ip_kernel_query(interface, &id, &mode);
    if (result || !id) return result;
    int maps[KEPT];
    result = maps_of_attached(interface, owner, maps);
    for (size_t i = 0; i < KEPT; i++)
        if (maps[i] >= 0) close(maps[i]);
    if (result) return -EBUSY;
    const int old = bpf_prog_get_fd_by_id(id);
    if (old < 0) return -errno;
    LIBBPF_OPTS(bpf_xdp_attach_opts, options, .old_prog_fd = old);
    const uint32_t flags = mode == XDP_ATTACHED_DRV ? XDP_FLAGS_DRV_MODE : XDP_FLAGS_SKB_MODE;
    result = bpf_xdp_detach((int)interface, flags | XDP_FLAGS_REPLACE, &options);
    close(old);
    return result ? result : 1;
}

int ip_kernel_detach(struct ip_kernel *kernel, uint32_t interface) {
    const int result = detach(interface, kernel->owner);
    return result < 0 ? result : 0;
}

int ip_kernel_detach_owner(uint32_t owner, uint32_t interface) { return detach(interface, owner); }

// MARK: - Settings, counters, proofs

int ip_kernel_set(struct ip_kernel *kernel, const struct ip_settings *settings) {
    const uint32_t owner = kernel->shared->settings.owner;
    kernel->shared->settings = *settings;
    kernel->shared->settings.owner = owner;
    return 0;
}

int ip_kernel_settings(struct ip_kernel *kernel, struct ip_settings *settings) {
    *settings = kernel->shared->settings;
    return 0;
}

int ip_kernel_counters(struct ip_kernel *kernel, struct ip_counters *total) {
    const int cpus = libbpf_num_possible_cpus();
    if (cpus <= 0) return -EINVAL;
    const size_t words = sizeof(struct ip_counters) / sizeof(uint64_t);
    struct ip_counters *each = calloc((size_t)cpus, sizeof *each);
    if (!each) return -ENOMEM;
    const uint32_t zero = 0;
    const int result = bpf_map_lookup_elem(descriptor_of(kernel, "counters"), &zero, each) ? -errno : 0;
    memset(total, 0, sizeof *total);
    for (int cpu = 0; !result && cpu < cpus; cpu++)
        for (size_t word = 0; word < words; word++) ((uint64_t *)total)[word] += ((uint64_t *)&each[cpu])[word];
    free(each);
    return result;
}

int ip_kernel_proof(struct ip_kernel *kernel, struct ip_address address, uint64_t *when) {
    return bpf_map_lookup_elem(descriptor_of(kernel, "proven"), &address, when) ? -errno : 0;
}

// MARK: - Running

int ip_kernel_run(
    struct ip_kernel *kernel, const char *name, const uint8_t *frame, uint32_t bytes, uint32_t repeat,
    uint32_t *verdict, uint32_t *nanoseconds
) {
    struct bpf_program *program = bpf_object__find_program_by_name(kernel->object, name);
    if (!program) return -ENOENT;
    LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = frame, .data_size_in = bytes, .repeat = (int)repeat);
    const int result = bpf_prog_test_run_opts(bpf_program__fd(program), &run);
    *verdict = run.retval;
    *nanoseconds = run.duration;
    return result ? -errno : 0;
}

int ip_kernel_parsed(struct ip_kernel *kernel, struct ip_packet *packet) {
    const uint32_t zero = 0;
    return bpf_map_lookup_elem(descriptor_of(kernel, "result"), &zero, packet) ? -errno : 0;
}

// MARK: - Lists

/// Entries of one system call.
#define BATCH 4096

struct batch {
    struct ip_key4 key4[BATCH];
    struct ip_key6 key6[BATCH];
    struct ip_list_value value[BATCH];
};

static struct ip_key4 key4_of(const struct ip_list_entry *entry) {
    return (struct ip_key4){.prefix = entry->prefix, .address = entry->address.word[3]};
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

/// Fills one family's map with the entries of that family.
static int fill(
    int map, int is_four, const struct ip_list_entry *entries, size_t count, struct batch *batch, size_t *done
) {
    uint32_t used = 0;
    for (size_t i = 0; i <= count; i++) {
        if (i < count && (entries[i].family == 4) == is_four) {
            if (is_four) {
                batch->key4[used] = key4_of(&entries[i]);
            } else {
                batch->key6[used] = key6_of(&entries[i]);
            }
            batch->value[used] = (struct ip_list_value){
                .expires = entries[i].expires, .hits = entries[i].hits, .scopes = entries[i].scopes,
                .action = entries[i].action, .prefix = entries[i].prefix,
            };
            used++;
        }
        if (used < BATCH && i < count) continue;
        if (!used) continue;
        uint32_t wanted = used;
        LIBBPF_OPTS(bpf_map_batch_opts, options);
        const void *keys = is_four ? (const void *)batch->key4 : (const void *)batch->key6;
        const int result = bpf_map_update_batch(map, keys, batch->value, &wanted, &options) ? -errno : 0;
        *done += result ? wanted : used;
        if (result) return result;
        used = 0;
    }
    return 0;
}

int ip_kernel_list_add(
    struct ip_kernel *kernel, uint32_t list, const struct ip_list_entry *entries, size_t count, size_t *done
) {
    *done = 0;
    struct batch *batch = malloc(sizeof *batch);
    if (!batch) return -ENOMEM;
    int result = 0;
    // First what packets are let in to look for: an entry that is there and not looked for would be a hole.
    for (size_t i = 0; i < count; i++) mark(&kernel->shared->prefilter, &entries[i], (uint8_t)(1 << list));
    for (int is_four = 0; !result && is_four < 2; is_four++) {
        const int map = open_list(kernel, is_four, list);
        result = map < 0 ? map : fill(map, is_four, entries, count, batch, done);
        if (map >= 0) close(map);
    }
    free(batch);
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

int ip_kernel_list_replace(
    struct ip_kernel *kernel, uint32_t list, const struct ip_list_entry *entries, size_t count
) {
    struct batch *batch = malloc(sizeof *batch);
    struct ip_prefilter *filter = calloc(1, sizeof *filter);
    int maps[2] = {-1, -1};
    int result = batch && filter ? 0 : -ENOMEM;
    size_t done = 0;
    for (int is_four = 0; !result && is_four < 2; is_four++) {
        maps[is_four] = new_list(is_four ? sizeof(struct ip_key4) : sizeof(struct ip_key6), kernel->list_entries);
        result = maps[is_four] < 0 ? maps[is_four] : fill(maps[is_four], is_four, entries, count, batch, &done);
    }
    if (!result) {
        const uint8_t bit = (uint8_t)(1 << list);
        uint8_t *now = (uint8_t *)&kernel->shared->prefilter, *then = (uint8_t *)filter;
        for (size_t i = 0; i < count; i++) mark(filter, &entries[i], bit);
        // What is new is looked for before it is there, and what is gone until it is gone.
        for (size_t i = 0; i < sizeof *filter; i++)
            if (then[i] & bit) now[i] |= bit;
        for (int is_four = 0; !result && is_four < 2; is_four++)
            result = put_list(kernel, is_four, list, maps[is_four]);
        if (!result)
            for (size_t i = 0; i < sizeof *filter; i++)
                if (!(then[i] & bit)) now[i] &= (uint8_t)~bit;
    }
    for (int i = 0; i < 2; i++)
        if (maps[i] >= 0) close(maps[i]);
    free(filter);
    free(batch);
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
                entry->address.word[3] = four.address;
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
