#define _GNU_SOURCE
#include "privileges.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CAPABILITIES_MAX 64

static int read_capabilities(struct __user_cap_data_struct data[2]) {
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    return syscall(SYS_capget, &header, data) == 0 ? 0 : -errno;
}

uint64_t ip_effective_capabilities(void) {
    struct __user_cap_data_struct data[2];
    memset(data, 0, sizeof(data));
    if (read_capabilities(data) != 0) return 0;
    return (uint64_t)data[1].effective << 32 | data[0].effective;
}

int ip_limit_capabilities(uint64_t keep) {
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2];
    memset(data, 0, sizeof(data));
    int result = read_capabilities(data);
    if (result != 0) return result;
    for (int capability = 0; capability < CAPABILITIES_MAX; capability++) {
        if (keep >> capability & 1) continue;
        // EINVAL: the kernel knows no more of them. EPERM: we are not root, and the set means nothing then.
        if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0 && (errno == EINVAL || errno == EPERM)) break;
    }
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    for (int half = 0; half < 2; half++) {
        uint32_t mask = (uint32_t)(keep >> (32 * half));
        data[half].permitted &= mask;
        data[half].effective = data[half].permitted;
        data[half].inheritable = 0;
    }
    return syscall(SYS_capset, &header, data) == 0 ? 0 : -errno;
}

int ip_harden_process(void) {
    struct rlimit none = {0, 0};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return -errno;
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return -errno;
    return setrlimit(RLIMIT_CORE, &none) == 0 ? 0 : -errno;
}

int ip_open_without_links(const char *path) {
    struct open_how how;
    memset(&how, 0, sizeof(how));
    how.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
    how.resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
    int result = (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));
    return result >= 0 ? result : -errno;
}

void ip_close_from(int first) {
#ifdef SYS_close_range
    syscall(SYS_close_range, (unsigned)first, ~0U, 0);
#endif
}
