// What the files of this target share.
#pragma once

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>
#include "kernel_object.h"

struct ip_kernel {
    struct bpf_object *object;
    struct bpf_program *packets;
    /// The same for traffic control.
    struct bpf_program *packets_tc;
    struct bpf_link *handshakes;
    char handshake_error[256];
    struct ip_shared *shared;
    uint32_t list_entries;
    uint32_t owner;
    int is_adopted;
};

/// Maps that outlive a program: the next one takes them over.
#define KEPT 6
extern const char *const ip_kept[KEPT];

static inline struct bpf_map *map_of(struct ip_kernel *kernel, const char *name) {
    return bpf_object__find_map_by_name(kernel->object, name);
}

static inline int descriptor_of(struct ip_kernel *kernel, const char *name) {
    struct bpf_map *map = map_of(kernel, name);
    return map ? bpf_map__fd(map) : -ENOENT;
}

static inline int program_info(int program, struct bpf_prog_info *info) {
    uint32_t size = sizeof *info;
    memset(info, 0, sizeof *info);
    return bpf_obj_get_info_by_fd(program, info, &size) ? -errno : 0;
}

/// The maps of a program of this owner's that is attached to the interface, by the order of `ip_kept`; -1 where there is
/// none. -ENOENT: nothing is attached; -EBUSY: another's.
int ip_maps_of_attached(uint32_t interface, uint32_t owner, int *maps);
void ip_maps_close(int *maps);

/// Makes the lists that packets are looked up in, empty.
int ip_lists_make(struct ip_kernel *kernel);
