#define _GNU_SOURCE
#include "forbidden_acts.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/netlink.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static int closing(int fd) {
    if (fd < 0) return -errno;
    close(fd);
    return 0;
}

static int connect_to(int family, const struct sockaddr *address, socklen_t length) {
    int fd = socket(family, SOCK_STREAM, 0);
    if (fd < 0) return -errno;
    int result = connect(fd, address, length) == 0 ? 0 : -errno;
    close(fd);
    return result;
}

int act_connect_unix(const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strncpy(address.sun_path, path, sizeof(address.sun_path) - 1);
    return connect_to(AF_UNIX, (struct sockaddr *)&address, sizeof(address));
}

int act_connect_tcp(uint16_t port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return connect_to(AF_INET, (struct sockaddr *)&address, sizeof(address));
}

int act_load_bpf(void) {
    union bpf_attr attributes;
    memset(&attributes, 0, sizeof(attributes));
    attributes.map_type = BPF_MAP_TYPE_ARRAY;
    attributes.key_size = 4;
    attributes.value_size = 8;
    attributes.max_entries = 1;
    return closing((int)syscall(SYS_bpf, BPF_MAP_CREATE, &attributes, sizeof(attributes)));
}

int act_ptrace(int pid) {
    if (ptrace(PTRACE_SEIZE, pid, NULL, NULL) != 0) return -errno;
    return 0;
}

int act_read_memory(int pid) {
    char byte;
    struct iovec here = {&byte, 1}, there = {(void *)(uintptr_t)4096, 1};
    // EFAULT: one may, there is nothing at that address.
    return process_vm_readv(pid, &here, 1, &there, 1, 0) >= 0 || errno == EFAULT ? 0 : -errno;
}

int act_signal(int pid) { return kill(pid, SIGCONT) == 0 ? 0 : -errno; }

int act_write_file(const char *path) {
    int result = closing(open(path, O_WRONLY | O_CREAT, 0644));
    if (result == 0) unlink(path);
    return result;
}

int act_read_file(const char *path) { return closing(open(path, O_RDONLY)); }

int act_run_shell(void) {
    char *arguments[] = {"/bin/sh", "-c", ":", NULL};
    pid_t pid;
    int result = posix_spawn(&pid, "/bin/sh", NULL, NULL, arguments, environ);
    if (result != 0) return -result;
    waitpid(pid, NULL, 0);
    return 0;
}

int act_mount(const char *path) {
    if (mount("tmpfs", path, "tmpfs", 0, "size=64k") != 0) return -errno;
    umount2(path, MNT_DETACH);
    return 0;
}

int act_load_module(void) {
    // Garbage: whoever may load modules is told so (ENOEXEC), whoever may not is refused before anybody looks.
    char garbage[64] = {1};
    if (syscall(SYS_init_module, garbage, sizeof(garbage), "") == 0) return 0;
    return errno == EPERM ? -EPERM : 0;
}

int act_measure(void) {
    struct perf_event_attr attributes;
    memset(&attributes, 0, sizeof(attributes));
    attributes.type = PERF_TYPE_SOFTWARE;
    attributes.size = sizeof(attributes);
    attributes.config = PERF_COUNT_SW_CPU_CLOCK;
    return closing((int)syscall(SYS_perf_event_open, &attributes, 0, -1, -1, 0));
}

int act_io_uring(void) {
    char parameters[120];
    memset(parameters, 0, sizeof(parameters));
    return closing((int)syscall(SYS_io_uring_setup, 4, parameters));
}

int act_new_namespace(void) { return unshare(CLONE_NEWNET) == 0 ? 0 : -errno; }

int act_raw_socket(void) { return closing(socket(AF_INET, SOCK_RAW, IPPROTO_ICMP)); }

int act_netlink(void) { return closing(socket(AF_NETLINK, SOCK_DGRAM, NETLINK_NETFILTER)); }

int act_write_and_execute(void) {
    void *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return -errno;
    int result = mprotect(memory, 4096, PROT_READ | PROT_EXEC) == 0 ? 0 : -errno;
    munmap(memory, 4096);
    return result;
}

int act_keyring(void) {
    // KEYCTL_GET_KEYRING_ID of the session's.
    return syscall(SYS_keyctl, 0, -3, 1) >= 0 ? 0 : -errno;
}

int act_become_root(void) {
    // Being root already, without its rights, is not becoming it: then a right of it is tried, with what changes
    // nothing.
    char name[65];
    if (getuid() == 0) {
        gethostname(name, sizeof(name));
        return sethostname(name, strlen(name)) == 0 ? 0 : -errno;
    }
    return setuid(0) == 0 ? 0 : -errno;
}

int act_change_owner(const char *path) { return chown(path, 12345, 12345) == 0 ? 0 : -errno; }
