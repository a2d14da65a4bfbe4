// What a process gives up for good.
#pragma once

#include <linux/capability.h>
#include <stdint.h>

/// Keeps the capabilities of the bit mask `keep` and drops the others from every set, the bounding set too.
/// 0 or -errno.
int ip_limit_capabilities(uint64_t keep);

/// The calling thread's effective capabilities as a bit mask.
uint64_t ip_effective_capabilities(void);

/// no_new_privs, not dumpable, no core files. 0 or -errno.
int ip_harden_process(void);

/// open(2) for reading that follows no symbolic link, in no part of the path (openat2(2)). A descriptor or -errno.
int ip_open_without_links(const char *path);

/// Closes every descriptor from `first` on.
void ip_close_from(int first);
