#define _GNU_SOURCE
#include "sandbox.h"

#include "privileges.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/landlock.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

int ip_become_user(uint32_t uid, uint32_t gid, const uint32_t *groups, size_t group_count) {
    gid_t list[64];
    if (group_count > sizeof(list) / sizeof(list[0])) return -EINVAL;
    for (size_t i = 0; i < group_count; i++) list[i] = groups[i];
    // The bounding set goes while there is still the right to change it.
    for (int capability = 0; capability < 64; capability++)
        if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0) break;
    if (setgroups(group_count, list) != 0) return -errno;
    if (setresgid(gid, gid, gid) != 0) return -errno;
    if (setresuid(uid, uid, uid) != 0) return -errno;
    return ip_limit_capabilities(0);
}

#define DEPTH_MAX 16
#define ENTRIES_MAX 1000000

static int64_t give_below(int directory, dev_t device, uint32_t uid, uint32_t gid, int depth, int64_t *seen) {
    int64_t failed = 0;
    DIR *listing = fdopendir(directory);
    if (!listing) {
        close(directory);
        return 1;
    }
    struct dirent *entry;
    while ((entry = readdir(listing)) && ++*seen < ENTRIES_MAX) {
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")) continue;
        struct stat status;
        int parent = dirfd(listing);
        if (fstatat(parent, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0) continue;
        if (status.st_dev != device) continue;
        int is_directory = S_ISDIR(status.st_mode);
        if (!is_directory && status.st_nlink > 1) continue;
        if (status.st_uid == 0 && uid != 0 && fchownat(parent, entry->d_name, uid, gid, AT_SYMLINK_NOFOLLOW) != 0)
            failed++;
        if (!is_directory || depth >= DEPTH_MAX) continue;
        int child = openat(parent, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (child >= 0) failed += give_below(child, device, uid, gid, depth + 1, seen);
    }
    closedir(listing);
    return failed;
}

int64_t ip_give_directory(const char *path, uint32_t uid, uint32_t gid) {
    struct stat status;
    int64_t seen = 0;
    int directory = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (directory < 0) return -errno;
    if (fstat(directory, &status) != 0 || (status.st_uid == 0 && fchown(directory, uid, gid) != 0)) {
        int code = errno;
        close(directory);
        return -code;
    }
    return give_below(directory, status.st_dev, uid, gid, 0, &seen);
}

int ip_give_file(const char *path, uint32_t uid, uint32_t gid) {
    struct stat status;
    int file = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (file < 0) return errno == ENOENT ? 0 : -errno;
    int result = 0;
    if (fstat(file, &status) != 0) result = -errno;
    else if (status.st_uid == 0 && (S_ISREG(status.st_mode) || S_ISSOCK(status.st_mode)) && status.st_nlink == 1 &&
             fchownat(file, "", uid, gid, AT_EMPTY_PATH) != 0)
        result = -errno;
    close(file);
    return result;
}

int ip_look_at(const char *path, struct ip_ownership *found) {
    struct stat status;
    if (stat(path, &status) != 0) return -errno;
    *found = (struct ip_ownership){status.st_uid, status.st_gid, status.st_mode};
    return 0;
}

// MARK: Landlock

// Of later headers than some builders have.
#ifndef LANDLOCK_ACCESS_FS_REFER
#define LANDLOCK_ACCESS_FS_REFER (1ULL << 13)
#endif
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14)
#endif
#define ACCESS_NET_CONNECT_TCP (1ULL << 1)
#define RULE_NET_PORT 2
#define SCOPE_ABSTRACT_UNIX_SOCKET (1ULL << 0)
#define SCOPE_SIGNAL (1ULL << 1)

// Laid out like the kernel's, with what version 6 knows; older kernels are given as many bytes as they know.
struct ruleset_attributes {
    uint64_t handled_access_fs;
    uint64_t handled_access_net;
    uint64_t scoped;
};
struct net_port_attributes {
    uint64_t allowed_access;
    uint64_t port;
};

int ip_landlock_version(void) {
    int version = (int)syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    return version > 0 ? version : 0;
}

static int allow_path(int ruleset, const char *path, uint64_t access) {
    struct landlock_path_beneath_attr rule = {.allowed_access = access};
    rule.parent_fd = open(path, O_PATH | O_CLOEXEC);
    if (rule.parent_fd < 0) return -errno;
    int result = syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0 ? 0 : -errno;
    close(rule.parent_fd);
    return result;
}

int ip_landlock_restrict(const struct ip_landlock_rules *rules) {
    int version = ip_landlock_version();
    if (version < 1) return -ENOSYS;
    uint64_t write = LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |
                     LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |
                     LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK |
                     LANDLOCK_ACCESS_FS_MAKE_SYM;
    if (version >= 2) write |= LANDLOCK_ACCESS_FS_REFER;
    if (version >= 3) write |= LANDLOCK_ACCESS_FS_TRUNCATE;
    struct ruleset_attributes attributes = {.handled_access_fs = write | LANDLOCK_ACCESS_FS_EXECUTE};
    size_t size = sizeof(attributes.handled_access_fs);
    if (version >= 4) {
        attributes.handled_access_net = ACCESS_NET_CONNECT_TCP;
        size = offsetof(struct ruleset_attributes, scoped);
    }
    if (version >= 6) {
        attributes.scoped = SCOPE_SIGNAL | (rules->keeps_abstract_sockets ? 0 : SCOPE_ABSTRACT_UNIX_SOCKET);
        size = sizeof(attributes);
    }
    int ruleset = (int)syscall(SYS_landlock_create_ruleset, &attributes, size, 0);
    if (ruleset < 0) return -errno;
    // Devices are made by nobody.
    uint64_t files = write & ~(uint64_t)(LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_BLOCK);
    uint64_t sockets = LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_REMOVE_FILE;
    int result = allow_path(ruleset, "/dev/null", LANDLOCK_ACCESS_FS_WRITE_FILE);
    for (size_t i = 0; result == 0 && i < rules->writable_count; i++)
        result = allow_path(ruleset, rules->writable[i], files);
    for (size_t i = 0; result == 0 && i < rules->socket_count; i++)
        result = allow_path(ruleset, rules->sockets[i], sockets);
    for (size_t i = 0; result == 0 && version >= 4 && i < rules->port_count; i++) {
        struct net_port_attributes rule = {ACCESS_NET_CONNECT_TCP, rules->ports[i]};
        if (syscall(SYS_landlock_add_rule, ruleset, RULE_NET_PORT, &rule, 0) != 0) result = -errno;
    }
    if (result == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) result = -errno;
    if (result == 0 && syscall(SYS_landlock_restrict_self, ruleset, 0) != 0) result = -errno;
    close(ruleset);
    return result;
}
