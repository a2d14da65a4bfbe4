#include "kernel_private.h"

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

const char *const ip_kept[KEPT] = {"shared", "counters", "lists4", "lists6", "scopes", "proven"};

// What libbpf last complained of; it has one callback for the process.
static char complaint[512];
static pthread_mutex_t complaining = PTHREAD_MUTEX_INITIALIZER;

static int complain(enum libbpf_print_level level, const char *format, va_list arguments) {
    if (level != LIBBPF_WARN) return 0;
    char line[512];
    vsnprintf(line, sizeof line, format, arguments);
    // What failed first is the cause; what it entails says less, and a verifier's log is long.
    line[strcspn(line, "\n")] = 0;
    if (!strstr(complaint, "failed") && !strstr(complaint, "Error"))
        snprintf(complaint, sizeof complaint, "%s", strncmp(line, "libbpf: ", 8) ? line : line + 8);
    return 0;
}

/// Whether an earlier version's maps can be used by this program: all of them, or none.
static int fits(struct ip_kernel *kernel, const int *maps) {
    for (size_t i = 0; i < KEPT; i++) {
        struct bpf_map_info about = {0};
        uint32_t size = sizeof about;
        struct bpf_map *map = map_of(kernel, ip_kept[i]);
        if (maps[i] < 0 || !map || bpf_obj_get_info_by_fd(maps[i], &about, &size)) return 0;
        if (about.type != (uint32_t)bpf_map__type(map) || about.key_size != bpf_map__key_size(map) ||
            about.value_size != bpf_map__value_size(map))
            return 0;
    }
    return 1;
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
        if (!strcmp(name, "packets_tc")) kernel->packets_tc = program;
        const int is_test = !strcmp(name, "passes") || !strcmp(name, "parsed");
        if (is_test) bpf_program__set_autoload(program, options->with_tests);
    }
    int result = bpf_map__set_max_entries(map_of(kernel, "ring"), options->ring_bytes);
    if (!result) result = bpf_map__set_max_entries(map_of(kernel, "memory"), (uint32_t)libbpf_num_possible_cpus());
    kernel->is_adopted = fits(kernel, maps);
    for (size_t i = 0; !result && kernel->is_adopted && i < KEPT; i++)
        result = bpf_map__reuse_fd(map_of(kernel, ip_kept[i]), maps[i]);
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
    pthread_mutex_lock(&complaining);
    complaint[0] = 0;
    libbpf_set_print(complain);
    for (size_t i = 0; i < count && maps[0] < 0; i++) ip_maps_of_attached(interfaces[i], options->owner, maps);
    // What it said of interfaces where nothing is attached is no reason.
    complaint[0] = 0;
    int result = load(kernel, options, maps);
    if (result) snprintf(error, error_bytes, "%s", complaint[0] ? complaint : strerror(-result));
    pthread_mutex_unlock(&complaining);
    ip_maps_close(maps);
    if (!result && !kernel->is_adopted) {
        result = ip_lists_make(kernel);
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
