// What the core must not be able to do, tried for a test. Each returns 0 when it could be done, else -errno.
#pragma once

#include <stdint.h>

int act_connect_unix(const char *path);
int act_connect_tcp(uint16_t port);
int act_load_bpf(void);
int act_ptrace(int pid);
int act_read_memory(int pid);
int act_signal(int pid);
int act_write_file(const char *path);
int act_read_file(const char *path);
int act_run_shell(void);
int act_mount(const char *path);
int act_load_module(void);
int act_measure(void);
int act_io_uring(void);
int act_new_namespace(void);
int act_raw_socket(void);
int act_netlink(void);
int act_write_and_execute(void);
int act_keyring(void);
int act_become_root(void);
int act_change_owner(const char *path);
