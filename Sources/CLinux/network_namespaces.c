#define _GNU_SOURCE
#include "network_namespaces.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/inet_diag.h>
#include <linux/net_namespace.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

// Messages of one dump: a namespace with more has been made to be large.
#define DUMP_MESSAGES_MAX 4096

// A netlink socket that belongs to the namespace `inside`; the thread is back home. -errno when that failed.
static int socket_inside(int inside, int protocol) {
    int home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    if (home < 0) return -errno;
    if (setns(inside, CLONE_NEWNET) != 0) {
        int code = errno;
        close(home);
        return -code;
    }
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
    int code = errno;
    int back = setns(home, CLONE_NEWNET);
    close(home);
    if (back != 0) {
        if (fd >= 0) close(fd);
        return -EXDEV;
    }
    if (fd < 0) return -code;
    struct timeval patience = {1, 0};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    return fd;
}

// The id by which `fd`'s namespace knows the namespace `other`; NETNSA_NSID_NOT_ASSIGNED when it has none.
static int namespace_id(int fd, int other) {
    struct {
        struct nlmsghdr header;
        struct rtgenmsg body;
        char attributes[64];
    } request = {0};
    request.header.nlmsg_type = RTM_GETNSID;
    request.header.nlmsg_flags = NLM_F_REQUEST;
    request.header.nlmsg_len = NLMSG_LENGTH(sizeof(request.body));
    struct rtattr *attribute = (struct rtattr *)((char *)&request + NLMSG_ALIGN(request.header.nlmsg_len));
    attribute->rta_type = NETNSA_FD;
    attribute->rta_len = RTA_LENGTH(sizeof(uint32_t));
    memcpy(RTA_DATA(attribute), &other, sizeof(uint32_t));
    request.header.nlmsg_len = NLMSG_ALIGN(request.header.nlmsg_len) + attribute->rta_len;
    if (send(fd, &request, request.header.nlmsg_len, 0) < 0) return -1;
    char buffer[4096];
    ssize_t length = recv(fd, buffer, sizeof(buffer), 0);
    if (length < (ssize_t)NLMSG_LENGTH(sizeof(struct rtgenmsg))) return -1;
    struct nlmsghdr *header = (struct nlmsghdr *)buffer;
    if (header->nlmsg_type != RTM_NEWNSID || header->nlmsg_len > (size_t)length) return -1;
    struct rtattr *found = (struct rtattr *)((char *)NLMSG_DATA(header) + NLMSG_ALIGN(sizeof(struct rtgenmsg)));
    int left = (int)(header->nlmsg_len - NLMSG_LENGTH(sizeof(struct rtgenmsg)));
    for (; RTA_OK(found, left); found = RTA_NEXT(found, left))
        if (found->rta_type == NETNSA_NSID) return *(int *)RTA_DATA(found);
    return -1;
}

int ip_links_into(int inside, int home, uint32_t *indices, int count_max) {
    int fd = socket_inside(inside, NETLINK_ROUTE);
    if (fd < 0) return fd;
    int home_id = namespace_id(fd, home);
    struct {
        struct nlmsghdr header;
        struct ifinfomsg body;
    } request = {0};
    request.header.nlmsg_len = NLMSG_LENGTH(sizeof(request.body));
    request.header.nlmsg_type = RTM_GETLINK;
    request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    request.header.nlmsg_seq = 2;
    int found = 0;
    // Without an id the namespace has no link that leads home.
    if (home_id < 0) {
        close(fd);
        return 0;
    }
    if (send(fd, &request, request.header.nlmsg_len, 0) < 0) found = -errno;
    static _Thread_local char buffer[32768];
    for (int messages = 0; found >= 0 && messages < DUMP_MESSAGES_MAX;) {
        ssize_t length = recv(fd, buffer, sizeof(buffer), 0);
        if (length <= 0) {
            found = length == 0 ? -EPROTO : -errno;
            break;
        }
        struct nlmsghdr *header = (struct nlmsghdr *)buffer;
        int done = 0;
        for (; NLMSG_OK(header, length); header = NLMSG_NEXT(header, length)) {
            messages++;
            if (header->nlmsg_type == NLMSG_DONE || header->nlmsg_type == NLMSG_ERROR) {
                done = 1;
                break;
            }
            if (header->nlmsg_type != RTM_NEWLINK) continue;
            struct ifinfomsg *link = NLMSG_DATA(header);
            int left = (int)IFLA_PAYLOAD(header);
            int64_t peer = -1, peer_home = -1;
            for (struct rtattr *a = IFLA_RTA(link); RTA_OK(a, left); a = RTA_NEXT(a, left)) {
                if (a->rta_type == IFLA_LINK) peer = *(uint32_t *)RTA_DATA(a);
                if (a->rta_type == IFLA_LINK_NETNSID) peer_home = *(int *)RTA_DATA(a);
            }
            if (peer > 0 && peer_home == home_id && found < count_max) indices[found++] = (uint32_t)peer;
        }
        if (done) break;
    }
    close(fd);
    return found;
}

// Ends the connections of one family and protocol; adds to `closed`. 0 or -errno.
static int close_family(int inside, uint8_t family, uint8_t protocol, uint32_t states, int *closed) {
    int list = socket_inside(inside, NETLINK_SOCK_DIAG);
    if (list < 0) return list;
    int act = socket_inside(inside, NETLINK_SOCK_DIAG);
    if (act < 0) {
        close(list);
        return act;
    }
    struct {
        struct nlmsghdr header;
        struct inet_diag_req_v2 body;
    } request = {0};
    request.header.nlmsg_len = sizeof(request);
    request.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
    request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    request.body.sdiag_family = family;
    request.body.sdiag_protocol = protocol;
    request.body.idiag_states = states;
    int result = 0;
    if (send(list, &request, sizeof(request), 0) < 0) result = -errno;
    static _Thread_local char buffer[32768];
    while (result == 0) {
        ssize_t length = recv(list, buffer, sizeof(buffer), 0);
        if (length <= 0) {
            result = length == 0 ? -EPROTO : -errno;
            break;
        }
        int done = 0;
        struct nlmsghdr *header = (struct nlmsghdr *)buffer;
        for (; NLMSG_OK(header, length); header = NLMSG_NEXT(header, length)) {
            if (header->nlmsg_type == NLMSG_DONE) {
                done = 1;
                break;
            }
            if (header->nlmsg_type == NLMSG_ERROR) {
                result = ((struct nlmsgerr *)NLMSG_DATA(header))->error;
                done = 1;
                break;
            }
            struct inet_diag_msg *found = NLMSG_DATA(header);
            struct {
                struct nlmsghdr header;
                struct inet_diag_req_v2 body;
            } order = {0};
            order.header.nlmsg_len = sizeof(order);
            order.header.nlmsg_type = SOCK_DESTROY;
            order.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
            order.body.sdiag_family = found->idiag_family;
            order.body.sdiag_protocol = protocol;
            order.body.id = found->id;
            struct {
                struct nlmsghdr header;
                struct nlmsgerr body;
                char rest[256];
            } answer;
            if (send(act, &order, sizeof(order), 0) < 0 || recv(act, &answer, sizeof(answer), 0) <= 0) {
                result = -errno;
                done = 1;
                break;
            }
            if (answer.header.nlmsg_type == NLMSG_ERROR && answer.body.error == 0) {
                (*closed)++;
            } else if (answer.header.nlmsg_type == NLMSG_ERROR && answer.body.error != -ENOENT) {
                result = answer.body.error;
            }
        }
        if (done) break;
    }
    close(list);
    close(act);
    return result;
}

int ip_close_connections(int inside) {
    // linux/net/tcp_states.h: all but TIME_WAIT (6), CLOSE (7) and LISTEN (10).
    const uint32_t tcp = 0xFFFu & ~(1u << 6 | 1u << 7 | 1u << 10);
    const uint32_t connected = 1u << 1;
    int closed = 0;
    const uint8_t families[] = {AF_INET, AF_INET6};
    for (int i = 0; i < 2; i++) {
        int result = close_family(inside, families[i], IPPROTO_TCP, tcp, &closed);
        if (result != 0) return result;
        result = close_family(inside, families[i], IPPROTO_UDP, connected, &closed);
        if (result != 0 && result != -EOPNOTSUPP && result != -ENOENT) return result;
    }
    return closed;
}
