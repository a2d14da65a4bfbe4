#define _GNU_SOURCE
#include "sandbox.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
// Numbers from here on are the same calls with another calling convention (x32).
#define FOREIGN_FROM 0x40000000u
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#define FOREIGN_FROM 0x40000000u
#endif

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define LOAD_ARGUMENT(n) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[n]))
#define RETURN(value) BPF_STMT(BPF_RET | BPF_K, (value))
#define REFUSE RETURN(SECCOMP_RET_ERRNO | EPERM)
#define ALLOW RETURN(SECCOMP_RET_ALLOW)
// Skips the next `count` instructions unless the loaded word is `value`.
#define UNLESS(value, count) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), 0, (count))

// Numbers that headers of older builders lack; the same on every architecture.
#ifndef SYS_mount_setattr
#define SYS_mount_setattr 442
#endif

// What the core needs as little as anything else, and the responder works with.
static const int refused_to_core[] = {SYS_execve, SYS_bpf, SYS_perf_event_open, SYS_setns, SYS_quotactl};

static const int refused[] = {
    // Other programs, and other processes' memory and descriptors.
    SYS_execveat, SYS_ptrace, SYS_process_vm_readv, SYS_process_vm_writev, SYS_process_madvise,
    SYS_pidfd_getfd, SYS_kcmp,
    // The kernel's own programming and measuring.
    SYS_userfaultfd, SYS_io_uring_setup, SYS_io_uring_enter, SYS_io_uring_register,
    SYS_init_module, SYS_finit_module, SYS_delete_module, SYS_kexec_load,
#ifdef SYS_kexec_file_load
    SYS_kexec_file_load,
#endif
    SYS_syslog, SYS_fanotify_init, SYS_fanotify_mark, SYS_lookup_dcookie,
    // File systems and namespaces.
    SYS_mount, SYS_umount2, SYS_move_mount, SYS_open_tree, SYS_fsopen, SYS_fsmount, SYS_fsconfig, SYS_fspick,
    SYS_mount_setattr, SYS_pivot_root, SYS_chroot, SYS_unshare, SYS_open_by_handle_at,
    SYS_swapon, SYS_swapoff, SYS_acct,
    // Keys, and what belongs to the whole machine.
    SYS_keyctl, SYS_add_key, SYS_request_key, SYS_reboot, SYS_settimeofday, SYS_clock_settime, SYS_adjtimex,
    SYS_clock_adjtime, SYS_sethostname, SYS_setdomainname, SYS_vhangup, SYS_personality,
#ifdef SYS_iopl
    SYS_iopl, SYS_ioperm, SYS_modify_ldt,
#endif
};

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))
#define FILTER_MAX (2 * (COUNT(refused) + COUNT(refused_to_core)) + 64)

int ip_forbid_calls(enum ip_calls calls) {
#ifndef ARCHITECTURE
    (void)calls;
    return -ENOSYS;
#else
    struct sock_filter filter[FILTER_MAX];
    size_t length = 0;
#define ADD(...) filter[length++] = (struct sock_filter)__VA_ARGS__
    ADD(LOAD(arch));
    ADD(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0));
    ADD(RETURN(SECCOMP_RET_KILL_PROCESS));
    ADD(LOAD(nr));
    ADD(BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, FOREIGN_FROM, 0, 1));
    ADD(REFUSE);
    for (size_t i = 0; i < COUNT(refused); i++) {
        ADD(UNLESS((uint32_t)refused[i], 1));
        ADD(REFUSE);
    }
    for (size_t i = 0; calls != IP_CALLS_OF_RESPONDER && i < COUNT(refused_to_core); i++) {
        ADD(UNLESS((uint32_t)refused_to_core[i], 1));
        ADD(REFUSE);
    }
    if (calls == IP_CALLS_WITHOUT_CONNECT) {
        ADD(UNLESS(SYS_connect, 1));
        ADD(REFUSE);
    }
    // Its flags stand in memory, where a filter cannot look: as if the kernel had none, and libraries use clone.
    ADD(UNLESS(SYS_clone3, 1));
    ADD(RETURN(SECCOMP_RET_ERRNO | ENOSYS));
    ADD(UNLESS(SYS_clone, 4));
    ADD(LOAD_ARGUMENT(0));
    ADD(BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K,
                 CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID |
                     CLONE_NEWNET,
                 0, 1));
    ADD(REFUSE);
    ADD(ALLOW);
    if (calls != IP_CALLS_OF_RESPONDER) {
        // Only unix and IP sockets, and of those none that makes packets by itself; and netlink's routing, which tells the
        // host's own addresses (getifaddrs(3)) and changes nothing without a capability.
        ADD(UNLESS(SYS_socket, 14));
        ADD(LOAD_ARGUMENT(0));
        ADD(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_UNIX, 8, 0));
        ADD(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_INET, 7, 0));
        ADD(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_INET6, 6, 0));
        ADD(UNLESS(AF_NETLINK, 3));
        ADD(LOAD_ARGUMENT(2));
        ADD(UNLESS(NETLINK_ROUTE, 1));
        ADD(ALLOW);
        ADD(REFUSE);
        ADD(REFUSE);
        ADD(LOAD_ARGUMENT(1));
        ADD(BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xF));
        ADD(UNLESS(SOCK_RAW, 1));
        ADD(REFUSE);
        // Falls through with another word loaded than the number.
        ADD(LOAD(nr));
    }
    // Memory is either written or executed.
    ADD(UNLESS(SYS_mprotect, 4));
    ADD(LOAD_ARGUMENT(2));
    ADD(BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 0, 1));
    ADD(REFUSE);
    ADD(ALLOW);
    ADD(UNLESS(SYS_mmap, 5));
    ADD(LOAD_ARGUMENT(2));
    ADD(BPF_STMT(BPF_ALU | BPF_AND | BPF_K, PROT_WRITE | PROT_EXEC));
    ADD(UNLESS(PROT_WRITE | PROT_EXEC, 1));
    ADD(REFUSE);
    ADD(ALLOW);
    ADD(ALLOW);
    struct sock_fprog program = {(unsigned short)length, filter};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return -errno;
    // For every thread, should there be more than this one after all.
    long result = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program);
    if (result > 0) return -EBUSY;
    return result == 0 ? 0 : -errno;
#endif
}
