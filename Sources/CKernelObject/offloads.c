#include "kernel_object.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static int ask(int socket, const char *name, void *request) {
    struct ifreq interface = {0};
    strncpy(interface.ifr_name, name, sizeof interface.ifr_name - 1);
    interface.ifr_data = request;
    return ioctl(socket, SIOCETHTOOL, &interface) ? -errno : 0;
}

int ip_interface_offloads(const char *name) {
    const int socket_ = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (socket_ < 0) return -errno;
    union {
        struct ethtool_sset_info head;
        uint32_t words[sizeof(struct ethtool_sset_info) / sizeof(uint32_t) + 1];
    } set = {.head = {.cmd = ETHTOOL_GSSET_INFO, .sset_mask = 1ull << ETH_SS_FEATURES}};
    int result = ask(socket_, name, &set);
    const uint32_t count =
        result || !set.head.sset_mask ? 0 : set.words[sizeof(struct ethtool_sset_info) / sizeof(uint32_t)];
    if (!result && (!count || count > 1024)) result = -EOPNOTSUPP;
    struct ethtool_gstrings *names = NULL;
    struct ethtool_gfeatures *features = NULL;
    if (!result) {
        const uint32_t blocks = (count + 31) / 32;
        names = calloc(1, sizeof *names + (size_t)count * ETH_GSTRING_LEN);
        features = calloc(1, sizeof *features + blocks * sizeof features->features[0]);
        if (!names || !features) {
            result = -ENOMEM;
        } else {
            names->cmd = ETHTOOL_GSTRINGS;
            names->string_set = ETH_SS_FEATURES;
            names->len = count;
            features->cmd = ETHTOOL_GFEATURES;
            features->size = blocks;
            result = ask(socket_, name, names);
            if (!result) result = ask(socket_, name, features);
        }
    }
    for (uint32_t i = 0; !result && i < count; i++) {
        const char *feature = (const char *)names->data + i * ETH_GSTRING_LEN;
        if (!(features->features[i / 32].active & 1u << (i % 32))) continue;
        if (!strncmp(feature, "rx-lro", ETH_GSTRING_LEN)) result = 1;
        if (!strncmp(feature, "rx-gro-hw", ETH_GSTRING_LEN)) result = 2;
        if (result) break;
    }
    free(names);
    free(features);
    close(socket_);
    return result;
}
