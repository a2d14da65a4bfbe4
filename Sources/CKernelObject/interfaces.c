// Where the program is attached: as an XDP program, or behind traffic control where there can be none.
#include "kernel_private.h"

#include <linux/if_link.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

/// Ours among the filters of an interface's ingress. Its handle says who made the clsact that it hangs on: so the next
/// run knows, too, whether that is to go with it.
#define TC_PRIORITY 9477
enum { TC_HANDLE_ON_OTHERS = 1, TC_HANDLE_ON_OURS = 2 };

void ip_maps_close(int *maps) {
    for (size_t i = 0; i < KEPT; i++) {
        if (maps[i] >= 0) close(maps[i]);
        maps[i] = -1;
    }
}

/// A program's maps, if it is of this owner's.
static int maps_of(uint32_t id, const char *name, uint32_t owner, int *maps) {
    for (size_t i = 0; i < KEPT; i++) maps[i] = -1;
    const int program = bpf_prog_get_fd_by_id(id);
    if (program < 0) return -errno;
    uint32_t ids[32] = {0};
    struct bpf_prog_info info = {.nr_map_ids = 32, .map_ids = (uint64_t)(uintptr_t)ids};
    uint32_t size = sizeof info;
    int result = bpf_obj_get_info_by_fd(program, &info, &size);
    close(program);
    if (result) return -errno;
    if (strcmp(info.name, name)) return -EBUSY;
    for (uint32_t i = 0; i < info.nr_map_ids && i < 32; i++) {
        const int map = bpf_map_get_fd_by_id(ids[i]);
        if (map < 0) continue;
        struct bpf_map_info about = {0};
        size = sizeof about;
        int place = -1;
        if (!bpf_obj_get_info_by_fd(map, &about, &size))
            for (size_t k = 0; k < KEPT; k++)
                if (!strncmp(about.name, ip_kept[k], sizeof about.name)) place = (int)k;
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
    if (result) ip_maps_close(maps);
    return result;
}

/// Whether a program is of this owner's: 0, or -EBUSY.
static int check_owner(uint32_t id, const char *name, uint32_t owner) {
    int maps[KEPT];
    const int result = maps_of(id, name, owner, maps);
    ip_maps_close(maps);
    return result ? -EBUSY : 0;
}

// MARK: - XDP

static int query(uint32_t interface, uint32_t *id, uint8_t *mode) {
    LIBBPF_OPTS(bpf_xdp_query_opts, query);
    const int result = bpf_xdp_query((int)interface, 0, &query);
    if (result) return result;
    *id = query.prog_id;
    *mode = query.attach_mode;
    return 0;
}

static int attach(struct ip_kernel *kernel, uint32_t interface, int is_native) {
    uint32_t id = 0;
    uint8_t mode = 0;
    int result = query(interface, &id, &mode);
    if (result) return result;
    const int program = bpf_program__fd(kernel->packets);
    const uint32_t flags = is_native ? XDP_FLAGS_DRV_MODE : XDP_FLAGS_SKB_MODE;
    if (!id) return bpf_xdp_attach((int)interface, program, flags | XDP_FLAGS_UPDATE_IF_NOEXIST, NULL);
    const int is_ours = id == ip_kernel_program_id(kernel);
    const int is_as_asked = mode == (is_native ? XDP_ATTACHED_DRV : XDP_ATTACHED_SKB);
    if (is_ours && is_as_asked) return 0;
    // The driver refused at the start. To see whether it can do better now, packets would have to pass unseen each time.
    if (is_ours && is_native) return -EOPNOTSUPP;
    if (check_owner(id, "packets", kernel->owner)) return -EBUSY;
    const int old = bpf_prog_get_fd_by_id(id);
    if (old < 0) return -errno;
    // Only if it is still the one that was looked at.
    LIBBPF_OPTS(bpf_xdp_attach_opts, options, .old_prog_fd = old);
    const uint32_t present = mode == XDP_ATTACHED_DRV ? XDP_FLAGS_DRV_MODE : XDP_FLAGS_SKB_MODE;
    if (is_as_asked) {
        // Packets meet either the old or the new.
        result = bpf_xdp_attach((int)interface, program, present | XDP_FLAGS_REPLACE, &options);
    } else {
        // The kernel takes one of the two modes at a time.
        result = bpf_xdp_detach((int)interface, present | XDP_FLAGS_REPLACE, &options);
        if (!result) result = bpf_xdp_attach((int)interface, program, flags | XDP_FLAGS_UPDATE_IF_NOEXIST, NULL);
    }
    close(old);
    return result;
}

static int detach(uint32_t interface, uint32_t owner) {
    uint32_t id = 0;
    uint8_t mode = 0;
    int result = query(interface, &id, &mode);
    if (result || !id) return result;
    if (check_owner(id, "packets", owner)) return -EBUSY;
    const int old = bpf_prog_get_fd_by_id(id);
    if (old < 0) return -errno;
    LIBBPF_OPTS(bpf_xdp_attach_opts, options, .old_prog_fd = old);
    const uint32_t flags = mode == XDP_ATTACHED_DRV ? XDP_FLAGS_DRV_MODE : XDP_FLAGS_SKB_MODE;
    result = bpf_xdp_detach((int)interface, flags | XDP_FLAGS_REPLACE, &options);
    close(old);
    return result ? result : 1;
}

// MARK: - Traffic control

/// The program's id, and the handle of its filter; 0 for none.
static uint32_t query_tc(uint32_t interface, uint32_t *handle) {
    for (*handle = TC_HANDLE_ON_OTHERS; *handle <= TC_HANDLE_ON_OURS; ++*handle) {
        LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)interface, .attach_point = BPF_TC_INGRESS);
        LIBBPF_OPTS(bpf_tc_opts, options, .handle = *handle, .priority = TC_PRIORITY);
        if (!bpf_tc_query(&hook, &options)) return options.prog_id;
    }
    return 0;
}

static int attach_tc(struct ip_kernel *kernel, uint32_t interface) {
    const int program = bpf_program__fd(kernel->packets_tc);
    struct bpf_prog_info info;
    uint32_t handle = 0;
    const uint32_t id = query_tc(interface, &handle);
    if (id && !program_info(program, &info) && info.id == id) return 0;
    if (id && check_owner(id, "packets_tc", kernel->owner)) return -EBUSY;
    LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)interface, .attach_point = BPF_TC_INGRESS);
    const int result = bpf_tc_hook_create(&hook);
    if (result && result != -EEXIST) return result;
    if (!id) handle = result ? TC_HANDLE_ON_OTHERS : TC_HANDLE_ON_OURS;
    LIBBPF_OPTS(
        bpf_tc_opts, options, .handle = handle, .priority = TC_PRIORITY, .prog_fd = program,
        .flags = id ? BPF_TC_F_REPLACE : 0
    );
    return bpf_tc_attach(&hook, &options);
}

/// Whether any filter hangs on one side of an interface's clsact; yes, too, where that cannot be found out.
static int has_filters(uint32_t interface, uint32_t side) {
    const int netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    if (netlink < 0) return 1;
    const struct {
        struct nlmsghdr head;
        struct tcmsg message;
    } request = {
        .head = {
            .nlmsg_len = sizeof request, .nlmsg_type = RTM_GETTFILTER, .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
        },
        .message = {.tcm_ifindex = (int)interface, .tcm_parent = TC_H_MAKE(TC_H_CLSACT, side)},
    };
    char answer[32768] __attribute__((aligned(NLMSG_ALIGNTO)));
    int is_over = 0, result = 1;
    // The kernel answers at once: what was not all said then is taken for a filter.
    if (send(netlink, &request, sizeof request, 0) == (ssize_t)sizeof request) result = 0;
    while (!result && !is_over) {
        const ssize_t bytes = recv(netlink, answer, sizeof answer, MSG_DONTWAIT);
        if (bytes <= 0) result = 1;
        uint32_t left = bytes > 0 ? (uint32_t)bytes : 0;
        for (struct nlmsghdr *one = (void *)answer; NLMSG_OK(one, left); one = NLMSG_NEXT(one, left)) {
            if (one->nlmsg_type == RTM_NEWTFILTER || one->nlmsg_type == NLMSG_ERROR) result = 1;
            if (one->nlmsg_type == NLMSG_DONE) is_over = 1;
        }
    }
    close(netlink);
    return result;
}

static int detach_tc(uint32_t interface, uint32_t owner) {
    uint32_t handle = 0;
    const uint32_t id = query_tc(interface, &handle);
    if (!id) return 0;
    if (check_owner(id, "packets_tc", owner)) return -EBUSY;
    LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)interface, .attach_point = BPF_TC_INGRESS);
    LIBBPF_OPTS(bpf_tc_opts, options, .handle = handle, .priority = TC_PRIORITY);
    const int result = bpf_tc_detach(&hook, &options);
    if (!result && handle == TC_HANDLE_ON_OURS && !has_filters(interface, TC_H_MIN_INGRESS) &&
        !has_filters(interface, TC_H_MIN_EGRESS)) {
        hook.attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS;
        bpf_tc_hook_destroy(&hook);
    }
    return result ? result : 1;
}

// MARK: - Both

int ip_maps_of_attached(uint32_t interface, uint32_t owner, int *maps) {
    uint32_t id = 0;
    uint8_t mode = 0;
    int result = -ENOENT;
    if (!query(interface, &id, &mode) && id) result = maps_of(id, "packets", owner, maps);
    if (!result) return 0;
    uint32_t handle = 0;
    id = query_tc(interface, &handle);
    return id ? maps_of(id, "packets_tc", owner, maps) : result;
}

int ip_kernel_query(struct ip_kernel *kernel, uint32_t interface) {
    uint32_t id = 0;
    uint8_t mode = 0;
    struct bpf_prog_info info;
    const int result = query(interface, &id, &mode);
    if (result) return result;
    if (id && id == ip_kernel_program_id(kernel)) return mode == XDP_ATTACHED_DRV ? IP_ATTACHED_NATIVE : IP_ATTACHED_SKB;
    uint32_t handle = 0;
    id = query_tc(interface, &handle);
    if (id && !program_info(bpf_program__fd(kernel->packets_tc), &info) && id == info.id) return IP_ATTACHED_TC;
    return IP_ATTACHED_NOT;
}

int ip_kernel_attach(struct ip_kernel *kernel, uint32_t interface, enum ip_attachment kind) {
    if (kind == IP_ATTACHED_TC) return attach_tc(kernel, interface);
    const int result = attach(kernel, interface, kind == IP_ATTACHED_NATIVE);
    // Packets would be counted twice.
    if (!result) detach_tc(interface, kernel->owner);
    return result;
}

int ip_kernel_detach(uint32_t owner, uint32_t interface) {
    const int one = detach(interface, owner), other = detach_tc(interface, owner);
    if (one == 1 || other == 1) return 1;
    return one < 0 ? one : other;
}
