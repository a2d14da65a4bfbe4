#include "tcp_peers.h"

#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

// The older of the two requests: it alone asks for both families at once, and the kernel's table of connections, which
// takes milliseconds to go through, is gone through once.
struct request {
    struct nlmsghdr header;
    struct inet_diag_req body;
    struct nlattr attribute;
    struct inet_diag_bc_op operation;
    struct inet_diag_hostcond condition;
    uint8_t address[16];
};

static size_t address_bytes(int family) { return family == AF_INET ? 4 : 16; }

static size_t prepare(struct request *request, int family, const uint8_t *address, uint8_t prefix) {
    memset(request, 0, sizeof(*request));
    request->header.nlmsg_type = TCPDIAG_GETSOCK;
    request->header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    request->header.nlmsg_seq = 1;
    request->body.idiag_states = 1 << TCP_ESTABLISHED;
    size_t length = NLMSG_LENGTH(sizeof(request->body));
    if (prefix > 0) {
        size_t code = sizeof(request->operation) + sizeof(request->condition) + address_bytes(family);
        request->attribute.nla_type = INET_DIAG_REQ_BYTECODE;
        request->attribute.nla_len = (uint16_t)(sizeof(request->attribute) + code);
        request->operation.code = INET_DIAG_BC_D_COND;
        request->operation.yes = (uint8_t)code;
        // Beyond the end: no match.
        request->operation.no = (uint16_t)(code + 4);
        request->condition.family = (uint8_t)family;
        request->condition.prefix_len = prefix;
        request->condition.port = -1;
        memcpy(request->address, address, address_bytes(family));
        length += request->attribute.nla_len;
    }
    request->header.nlmsg_len = (uint32_t)length;
    return length;
}

int ip_tcp_peers(int family, const uint8_t *address, uint8_t prefix, struct ip_tcp_peer *peers, int peers_max) {
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    if (fd < 0) return -errno;
    struct timeval patience = {1, 0};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    struct request request;
    size_t length = prepare(&request, family, address, prefix);
    int found = send(fd, &request, length, 0) < 0 ? -errno : 0;
    char buffer[32768] __attribute__((aligned(8)));
    for (int done = found < 0; !done;) {
        ssize_t received = recv(fd, buffer, sizeof(buffer), 0);
        if (received <= 0) {
            found = received == 0 ? -EPROTO : -errno;
            break;
        }
        struct nlmsghdr *header = (struct nlmsghdr *)buffer;
        for (; !done && NLMSG_OK(header, received); header = NLMSG_NEXT(header, received)) {
            if (header->nlmsg_type == NLMSG_DONE || header->nlmsg_type == NLMSG_ERROR) {
                int code = header->nlmsg_len >= NLMSG_LENGTH(sizeof(int)) ? *(int *)NLMSG_DATA(header) : 0;
                if (code < 0) found = code;
                done = 1;
            } else if (header->nlmsg_len >= NLMSG_LENGTH(sizeof(struct inet_diag_msg))) {
                const struct inet_diag_msg *connection = NLMSG_DATA(header);
                if (found < peers_max) {
                    struct ip_tcp_peer *peer = &peers[found];
                    peer->family = connection->idiag_family;
                    peer->inode = connection->idiag_inode;
                    memcpy(peer->address, connection->id.idiag_dst, sizeof(peer->address));
                }
                found++;
            }
        }
    }
    close(fd);
    return found;
}
