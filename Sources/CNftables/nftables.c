#define _GNU_SOURCE
#include "nftables.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

// Before connection tracking, which is at -200, and before the usual raw rules at -300.
#define PRIORITY (-310)
#define SOCKET_BYTES (32 << 20)
// A netlink attribute has 16 bits of length.
#define ELEMENTS_BYTES_MAX 60000
#define RECEIVE_BYTES (256 << 10)
#define TIMEOUT_SECONDS 10
// nft(8)'s numbers of the data types, for people who look.
#define TYPE_IPV4 7
#define TYPE_IPV6 8
#define SETS_MAX 1024

// MARK: building

struct buffer {
    uint8_t *bytes;
    size_t used, size;
    int failed;
    uint32_t seq;
};

static uint8_t *reserve(struct buffer *buffer, size_t count) {
    size_t aligned = NLMSG_ALIGN(count);
    if (buffer->failed) return NULL;
    if (buffer->used + aligned > buffer->size) {
        size_t size = buffer->size ? buffer->size * 2 : 65536;
        while (size < buffer->used + aligned) size *= 2;
        uint8_t *bytes = realloc(buffer->bytes, size);
        if (!bytes) {
            buffer->failed = 1;
            return NULL;
        }
        buffer->bytes = bytes;
        buffer->size = size;
    }
    uint8_t *place = buffer->bytes + buffer->used;
    memset(place, 0, aligned);
    buffer->used += aligned;
    return place;
}

// Returns where the message starts.
static size_t message_begin(struct buffer *buffer, uint16_t type, uint16_t flags, uint16_t resource) {
    size_t start = buffer->used;
    uint8_t *place = reserve(buffer, NLMSG_HDRLEN + sizeof(struct nfgenmsg));
    if (!place) return start;
    struct nlmsghdr header = {.nlmsg_type = type, .nlmsg_flags = NLM_F_REQUEST | flags, .nlmsg_seq = buffer->seq++};
    int is_batch = type == NFNL_MSG_BATCH_BEGIN || type == NFNL_MSG_BATCH_END;
    struct nfgenmsg general = {
        .nfgen_family = is_batch ? AF_UNSPEC : NFPROTO_INET, .version = NFNETLINK_V0, .res_id = htons(resource)};
    memcpy(place, &header, sizeof(header));
    memcpy(place + NLMSG_HDRLEN, &general, sizeof(general));
    return start;
}

static void message_end(struct buffer *buffer, size_t start) {
    if (buffer->failed) return;
    uint32_t length = (uint32_t)(buffer->used - start);
    memcpy(buffer->bytes + start + offsetof(struct nlmsghdr, nlmsg_len), &length, sizeof(length));
}

static uint16_t table_type(int message) { return (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | message); }

static void put(struct buffer *buffer, uint16_t type, const void *value, size_t count) {
    uint8_t *place = reserve(buffer, NLA_HDRLEN + count);
    if (!place) return;
    struct nlattr header = {.nla_len = (uint16_t)(NLA_HDRLEN + count), .nla_type = type};
    memcpy(place, &header, sizeof(header));
    memcpy(place + NLA_HDRLEN, value, count);
}

static void put_text(struct buffer *buffer, uint16_t type, const char *text) {
    put(buffer, type, text, strlen(text) + 1);
}

static void put_32(struct buffer *buffer, uint16_t type, uint32_t value) {
    value = htonl(value);
    put(buffer, type, &value, sizeof(value));
}

static void put_64(struct buffer *buffer, uint16_t type, uint64_t value) {
    value = htobe64(value);
    put(buffer, type, &value, sizeof(value));
}

static size_t nest_begin(struct buffer *buffer, uint16_t type) {
    size_t start = buffer->used;
    put(buffer, type | NLA_F_NESTED, NULL, 0);
    return start;
}

static void nest_end(struct buffer *buffer, size_t start) {
    if (buffer->failed) return;
    uint16_t length = (uint16_t)(buffer->used - start);
    memcpy(buffer->bytes + start + offsetof(struct nlattr, nla_len), &length, sizeof(length));
}

static void put_data(struct buffer *buffer, uint16_t type, const void *value, size_t count) {
    size_t data = nest_begin(buffer, type);
    put(buffer, NFTA_DATA_VALUE, value, count);
    nest_end(buffer, data);
}

// MARK: sending

int ipn_open(void) {
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
    if (fd < 0) return -errno;
    int size = SOCKET_BYTES;
    setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
    struct timeval patience = {.tv_sec = TIMEOUT_SECONDS};
    struct sockaddr_nl address = {.nl_family = AF_NETLINK};
    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) != 0
        || bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
        int code = errno;
        close(fd);
        return -code;
    }
    return fd;
}

// Numbers that no earlier call used, so that what is left of one in the socket is told from ours.
static uint32_t first_seq(void) {
    static _Atomic uint32_t next = 1;
    return atomic_fetch_add(&next, 0x10000);
}

static int send_all(int fd, const struct buffer *buffer) {
    struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
    ssize_t sent;
    do {
        sent = sendto(fd, buffer->bytes, buffer->used, 0, (struct sockaddr *)&kernel, sizeof(kernel));
    } while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : 0;
}

typedef int (*visitor)(const struct nlmsghdr *, void *);

// Receives answers to messages `first` to `last`, until `last` is answered or a dump is over.
static int receive(int fd, uint32_t first, uint32_t last, int is_dump, visitor visit, void *context) {
    uint8_t *bytes = malloc(RECEIVE_BYTES);
    if (!bytes) return -ENOMEM;
    int result = 0, is_done = 0, is_interrupted = 0;
    while (!is_done) {
        struct sockaddr_nl sender = {0};
        socklen_t length = sizeof(sender);
        ssize_t count = recvfrom(fd, bytes, RECEIVE_BYTES, 0, (struct sockaddr *)&sender, &length);
        if (count < 0) {
            if (errno == EINTR) continue;
            result = errno == EAGAIN ? -ETIMEDOUT : -errno;
            break;
        }
        // Only the kernel has port 0.
        if (sender.nl_pid != 0) continue;
        size_t rest = (size_t)count;
        for (struct nlmsghdr *message = (struct nlmsghdr *)bytes; NLMSG_OK(message, rest);
             message = NLMSG_NEXT(message, rest)) {
            if (message->nlmsg_seq - first > last - first) continue;
            if (message->nlmsg_flags & NLM_F_DUMP_INTR) is_interrupted = 1;
            if (message->nlmsg_type == NLMSG_DONE) {
                is_done = 1;
            } else if (message->nlmsg_type == NLMSG_ERROR) {
                if (message->nlmsg_len < NLMSG_LENGTH(sizeof(struct nlmsgerr))) continue;
                int error = ((const struct nlmsgerr *)NLMSG_DATA(message))->error;
                if (error && !result) result = error;
                if (message->nlmsg_seq == last || (error && is_dump)) is_done = 1;
            } else if (visit) {
                int visited = visit(message, context);
                if (visited < 0 && !result) result = visited;
                if (!is_dump && message->nlmsg_seq == last) is_done = 1;
            }
        }
    }
    free(bytes);
    return result ? result : is_interrupted ? -EINTR : 0;
}

static int exchange(int fd, struct buffer *buffer, uint32_t first, int is_dump, visitor visit, void *context) {
    int result = buffer->failed ? -ENOMEM : send_all(fd, buffer);
    uint32_t last = buffer->seq - 1;
    free(buffer->bytes);
    if (result < 0) return result;
    return receive(fd, first, last, is_dump, visit, context);
}

// MARK: reading attributes

static const struct nlattr *find(const uint8_t *start, size_t count, uint16_t type) {
    while (count >= NLA_HDRLEN) {
        const struct nlattr *attribute = (const struct nlattr *)start;
        if (attribute->nla_len < NLA_HDRLEN || attribute->nla_len > count) return NULL;
        if ((attribute->nla_type & NLA_TYPE_MASK) == type) return attribute;
        size_t step = NLA_ALIGN(attribute->nla_len);
        if (step > count) return NULL;
        start += step;
        count -= step;
    }
    return NULL;
}

static const uint8_t *payload(const struct nlattr *attribute) { return (const uint8_t *)attribute + NLA_HDRLEN; }
static size_t payload_count(const struct nlattr *attribute) { return attribute->nla_len - NLA_HDRLEN; }

static const struct nlattr *find_in(const struct nlattr *nest, uint16_t type) {
    return nest ? find(payload(nest), payload_count(nest), type) : NULL;
}

static const struct nlattr *find_in_message(const struct nlmsghdr *message, uint16_t type) {
    size_t header = NLMSG_LENGTH(sizeof(struct nfgenmsg));
    if (message->nlmsg_len < header) return NULL;
    return find((const uint8_t *)message + header, message->nlmsg_len - header, type);
}

static int read_text(const struct nlattr *attribute, char *text, size_t size) {
    if (!attribute) return 0;
    size_t count = strnlen((const char *)payload(attribute), payload_count(attribute));
    if (count >= size) return 0;
    memcpy(text, payload(attribute), count);
    text[count] = 0;
    return 1;
}

static uint32_t read_32(const struct nlattr *attribute) {
    uint32_t value = 0;
    if (attribute && payload_count(attribute) >= sizeof(value)) memcpy(&value, payload(attribute), sizeof(value));
    return ntohl(value);
}

static uint64_t read_64(const struct nlattr *attribute) {
    uint64_t value = 0;
    if (attribute && payload_count(attribute) >= sizeof(value)) memcpy(&value, payload(attribute), sizeof(value));
    return be64toh(value);
}

// MARK: sets

static int width(const struct ipn_set *set) { return set->family == 4 ? 32 : 128; }
static size_t address_bytes(const struct ipn_set *set) { return set->family == 4 ? 4 : 16; }
static int is_network(const struct ipn_set *set) { return set->prefix < width(set); }

static int is_valid(const struct ipn_set *set) {
    if (set->family != 4 && set->family != 6) return 0;
    if (set->prefix < 1 || set->prefix > width(set)) return 0;
    return set->protocol == 0 || set->protocol == IPPROTO_TCP || set->protocol == IPPROTO_UDP;
}

// ipv4, ipv4_24, ipv6_128_tcp_22, …
static void set_name(const struct ipn_set *set, char name[IPN_NAME_BYTES]) {
    int used = snprintf(name, IPN_NAME_BYTES, "ipv%d", set->family);
    int is_scoped = set->protocol || set->port;
    if (is_network(set) || is_scoped) used += snprintf(name + used, IPN_NAME_BYTES - (size_t)used, "_%d", set->prefix);
    if (!is_scoped) return;
    const char *protocol = set->protocol == IPPROTO_TCP ? "tcp" : set->protocol == IPPROTO_UDP ? "udp" : "any";
    used += snprintf(name + used, IPN_NAME_BYTES - (size_t)used, "_%s", protocol);
    if (set->port) snprintf(name + used, IPN_NAME_BYTES - (size_t)used, "_%d", set->port);
}

static int set_from_name(const char *name, struct ipn_set *set) {
    unsigned family = 0, prefix = 0, port = 0;
    char protocol[4] = {0};
    int fields = sscanf(name, "ipv%1u_%3u_%3[a-z]_%5u", &family, &prefix, protocol, &port);
    if (fields < 1 || (family != 4 && family != 6) || prefix > 128 || port > 65535) return 0;
    *set = (struct ipn_set){.family = (uint8_t)family, .port = (uint16_t)port};
    set->prefix = fields < 2 ? (uint8_t)width(set) : (uint8_t)prefix;
    if (!strcmp(protocol, "tcp")) set->protocol = IPPROTO_TCP;
    if (!strcmp(protocol, "udp")) set->protocol = IPPROTO_UDP;
    char again[IPN_NAME_BYTES];
    set_name(set, again);
    return is_valid(set) && !strcmp(name, again);
}

struct set_list {
    struct ipn_set sets[SETS_MAX];
    size_t count;
};

static int collect_set(const struct nlmsghdr *message, void *context) {
    struct set_list *list = context;
    char name[IPN_NAME_BYTES];
    struct ipn_set set;
    if (!read_text(find_in_message(message, NFTA_SET_NAME), name, sizeof(name))) return 0;
    if (!set_from_name(name, &set)) return 0;
    if (list->count == SETS_MAX) return -E2BIG;
    list->sets[list->count++] = set;
    return 0;
}

// A rule's comment is the name of its set; each set's rules are written in one transaction.
static int collect_rule(const struct nlmsghdr *message, void *context) {
    struct set_list *list = context;
    const struct nlattr *data = find_in_message(message, NFTA_RULE_USERDATA);
    struct ipn_set set;
    if (!data || payload_count(data) < 3) return 0;
    const char *name = (const char *)payload(data) + 2;
    if (name[payload_count(data) - 3] != 0 || !set_from_name(name, &set)) return 0;
    if (list->count == SETS_MAX) return -E2BIG;
    list->sets[list->count++] = set;
    return 0;
}

static int is_same(const struct ipn_set *one, const struct ipn_set *other) {
    return one->family == other->family && one->prefix == other->prefix && one->protocol == other->protocol
        && one->port == other->port;
}

static int has(const struct set_list *list, const struct ipn_set *set) {
    for (size_t i = 0; i < list->count; i++)
        if (is_same(&list->sets[i], set)) return 1;
    return 0;
}

// -ENOENT is an empty list: there is no table yet.
static int dump(int fd, int message, uint16_t table_attribute, visitor visit, void *context) {
    struct buffer buffer = {.seq = first_seq()};
    uint32_t first = buffer.seq;
    size_t start = message_begin(&buffer, table_type(message), NLM_F_DUMP, 0);
    put_text(&buffer, table_attribute, IPN_TABLE);
    message_end(&buffer, start);
    int result = exchange(fd, &buffer, first, 1, visit, context);
    return result == -ENOENT ? 0 : result;
}

// MARK: rules

static size_t expression_begin(struct buffer *buffer, const char *name, size_t *data) {
    size_t element = nest_begin(buffer, NFTA_LIST_ELEM);
    put_text(buffer, NFTA_EXPR_NAME, name);
    *data = nest_begin(buffer, NFTA_EXPR_DATA);
    return element;
}

static void expression_end(struct buffer *buffer, size_t element, size_t data) {
    nest_end(buffer, data);
    nest_end(buffer, element);
}

static void expect_meta(struct buffer *buffer, uint32_t key, uint8_t value) {
    size_t data, element = expression_begin(buffer, "meta", &data);
    put_32(buffer, NFTA_META_DREG, NFT_REG_1);
    put_32(buffer, NFTA_META_KEY, key);
    expression_end(buffer, element, data);
    element = expression_begin(buffer, "cmp", &data);
    put_32(buffer, NFTA_CMP_SREG, NFT_REG_1);
    put_32(buffer, NFTA_CMP_OP, NFT_CMP_EQ);
    put_data(buffer, NFTA_CMP_DATA, &value, 1);
    expression_end(buffer, element, data);
}

static void load(struct buffer *buffer, uint32_t base, uint32_t offset, uint32_t count) {
    size_t data, element = expression_begin(buffer, "payload", &data);
    put_32(buffer, NFTA_PAYLOAD_DREG, NFT_REG_1);
    put_32(buffer, NFTA_PAYLOAD_BASE, base);
    put_32(buffer, NFTA_PAYLOAD_OFFSET, offset);
    put_32(buffer, NFTA_PAYLOAD_LEN, count);
    expression_end(buffer, element, data);
}

static void put_rule(struct buffer *buffer, const struct ipn_set *set, const char *name, uint8_t protocol) {
    size_t data, element;
    size_t start = message_begin(buffer, table_type(NFT_MSG_NEWRULE), NLM_F_CREATE | NLM_F_APPEND, 0);
    put_text(buffer, NFTA_RULE_TABLE, IPN_TABLE);
    put_text(buffer, NFTA_RULE_CHAIN, IPN_CHAIN);
    size_t expressions = nest_begin(buffer, NFTA_RULE_EXPRESSIONS);
    expect_meta(buffer, NFT_META_NFPROTO, set->family == 4 ? NFPROTO_IPV4 : NFPROTO_IPV6);
    if (protocol) expect_meta(buffer, NFT_META_L4PROTO, protocol);
    if (set->port) {
        uint16_t port = htons(set->port);
        load(buffer, NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2);
        element = expression_begin(buffer, "cmp", &data);
        put_32(buffer, NFTA_CMP_SREG, NFT_REG_1);
        put_32(buffer, NFTA_CMP_OP, NFT_CMP_EQ);
        put_data(buffer, NFTA_CMP_DATA, &port, sizeof(port));
        expression_end(buffer, element, data);
    }
    load(buffer, NFT_PAYLOAD_NETWORK_HEADER, set->family == 4 ? 12 : 8, (uint32_t)address_bytes(set));
    element = expression_begin(buffer, "lookup", &data);
    put_text(buffer, NFTA_LOOKUP_SET, name);
    put_32(buffer, NFTA_LOOKUP_SREG, NFT_REG_1);
    expression_end(buffer, element, data);
    element = expression_begin(buffer, "counter", &data);
    expression_end(buffer, element, data);
    element = expression_begin(buffer, "immediate", &data);
    put_32(buffer, NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
    size_t value = nest_begin(buffer, NFTA_IMMEDIATE_DATA), verdict = nest_begin(buffer, NFTA_DATA_VERDICT);
    put_32(buffer, NFTA_VERDICT_CODE, NF_DROP);
    nest_end(buffer, verdict);
    nest_end(buffer, value);
    expression_end(buffer, element, data);
    nest_end(buffer, expressions);
    uint8_t comment[2 + IPN_NAME_BYTES] = {0, (uint8_t)(strlen(name) + 1)};
    strcpy((char *)comment + 2, name);
    put(buffer, NFTA_RULE_USERDATA, comment, 2u + comment[1]);
    message_end(buffer, start);
}

static void put_set(struct buffer *buffer, const struct ipn_set *set, const char *name, uint32_t number) {
    size_t start = message_begin(buffer, table_type(NFT_MSG_NEWSET), NLM_F_CREATE, 0);
    put_text(buffer, NFTA_SET_TABLE, IPN_TABLE);
    put_text(buffer, NFTA_SET_NAME, name);
    put_32(buffer, NFTA_SET_FLAGS, NFT_SET_TIMEOUT | (is_network(set) ? NFT_SET_INTERVAL : 0));
    put_32(buffer, NFTA_SET_KEY_TYPE, set->family == 4 ? TYPE_IPV4 : TYPE_IPV6);
    put_32(buffer, NFTA_SET_KEY_LEN, (uint32_t)address_bytes(set));
    put_32(buffer, NFTA_SET_ID, number);
    message_end(buffer, start);
}

static size_t batch_mark(struct buffer *buffer, uint16_t type) {
    size_t start = message_begin(buffer, type, 0, NFNL_SUBSYS_NFTABLES);
    message_end(buffer, start);
    return start;
}

// Ends a batch whose last message starts at `last`, sends it, and waits for what became of it.
static int commit(int fd, struct buffer *buffer, uint32_t first, size_t last) {
    if (!buffer->failed) {
        struct nlmsghdr header;
        memcpy(&header, buffer->bytes + last, sizeof(header));
        header.nlmsg_flags |= NLM_F_ACK;
        memcpy(buffer->bytes + last, &header, sizeof(header));
    }
    uint32_t end = buffer->seq;
    batch_mark(buffer, NFNL_MSG_BATCH_END);
    int result = buffer->failed ? -ENOMEM : send_all(fd, buffer);
    free(buffer->bytes);
    return result < 0 ? result : receive(fd, first, end - 1, 0, NULL, NULL);
}

int ipn_ensure(int fd, const struct ipn_set *sets, size_t count) {
    struct set_list *there = calloc(2, sizeof(struct set_list));
    if (!there) return -ENOMEM;
    struct set_list *ruled = there + 1;
    int result = dump(fd, NFT_MSG_GETSET, NFTA_SET_TABLE, collect_set, there);
    if (result == 0) result = dump(fd, NFT_MSG_GETRULE, NFTA_RULE_TABLE, collect_rule, ruled);
    for (size_t i = 0; result == 0 && i < count; i++)
        if (!is_valid(&sets[i])) result = -EINVAL;
    if (result == 0 && there->count + count > SETS_MAX) result = -E2BIG;
    if (result < 0) {
        free(there);
        return result;
    }
    struct buffer buffer = {.seq = first_seq()};
    uint32_t first = buffer.seq;
    batch_mark(&buffer, NFNL_MSG_BATCH_BEGIN);
    size_t start = message_begin(&buffer, table_type(NFT_MSG_NEWTABLE), NLM_F_CREATE, 0);
    put_text(&buffer, NFTA_TABLE_NAME, IPN_TABLE);
    message_end(&buffer, start);
    size_t last = message_begin(&buffer, table_type(NFT_MSG_NEWCHAIN), NLM_F_CREATE, 0);
    put_text(&buffer, NFTA_CHAIN_TABLE, IPN_TABLE);
    put_text(&buffer, NFTA_CHAIN_NAME, IPN_CHAIN);
    size_t hook = nest_begin(&buffer, NFTA_CHAIN_HOOK);
    put_32(&buffer, NFTA_HOOK_HOOKNUM, NF_INET_PRE_ROUTING);
    put_32(&buffer, NFTA_HOOK_PRIORITY, (uint32_t)PRIORITY);
    nest_end(&buffer, hook);
    put_32(&buffer, NFTA_CHAIN_POLICY, NF_ACCEPT);
    put_text(&buffer, NFTA_CHAIN_TYPE, "filter");
    message_end(&buffer, last);
    // Sets that are there and have no rule, because somebody flushed the chain, get theirs again.
    for (size_t i = 0; i < there->count + count; i++) {
        const struct ipn_set *set = i < there->count ? &there->sets[i] : &sets[i - there->count];
        char name[IPN_NAME_BYTES];
        set_name(set, name);
        if (!has(there, set)) {
            last = buffer.used;
            put_set(&buffer, set, name, (uint32_t)i + 1);
        }
        if (has(ruled, set)) continue;
        ruled->sets[ruled->count++] = *set;
        for (int turn = 0; turn < (set->port && !set->protocol ? 2 : 1); turn++) {
            uint8_t protocol = set->port && !set->protocol ? (turn ? IPPROTO_UDP : IPPROTO_TCP) : set->protocol;
            last = buffer.used;
            put_rule(&buffer, set, name, protocol);
        }
    }
    free(there);
    return commit(fd, &buffer, first, last);
}

// MARK: elements

// The first address after a network; 0 when there is none.
static int network_end(const struct ipn_element *element, uint8_t end[16]) {
    memcpy(end, element->address, 16);
    unsigned bit = element->set.prefix - 1u;
    unsigned carry = 0x80u >> (bit % 8);
    for (int i = (int)(bit / 8); i >= 0 && carry; i--) {
        unsigned sum = end[i] + carry;
        end[i] = (uint8_t)sum;
        carry = sum >> 8;
    }
    return carry == 0;
}

static void put_key(struct buffer *buffer, const struct ipn_set *set, const uint8_t *address, uint64_t milliseconds,
                    uint32_t flags) {
    size_t element = nest_begin(buffer, NFTA_LIST_ELEM);
    put_data(buffer, NFTA_SET_ELEM_KEY, address, address_bytes(set));
    if (flags) put_32(buffer, NFTA_SET_ELEM_FLAGS, flags);
    if (milliseconds) put_64(buffer, NFTA_SET_ELEM_TIMEOUT, milliseconds);
    nest_end(buffer, element);
}

// Messages for all elements, which stand together by set; the start of the last one.
static size_t put_elements(struct buffer *buffer, int message, uint16_t flags, const struct ipn_element *elements,
                           size_t count, size_t last) {
    size_t i = 0;
    while (i < count && !buffer->failed) {
        const struct ipn_set *set = &elements[i].set;
        char name[IPN_NAME_BYTES];
        set_name(set, name);
        last = message_begin(buffer, table_type(message), flags, 0);
        put_text(buffer, NFTA_SET_ELEM_LIST_TABLE, IPN_TABLE);
        put_text(buffer, NFTA_SET_ELEM_LIST_SET, name);
        size_t list = nest_begin(buffer, NFTA_SET_ELEM_LIST_ELEMENTS);
        while (i < count && is_same(&elements[i].set, set) && buffer->used - list < ELEMENTS_BYTES_MAX) {
            const struct ipn_element *element = &elements[i++];
            uint64_t time = message == NFT_MSG_NEWSETELEM ? element->milliseconds : 0;
            uint8_t end[16];
            put_key(buffer, set, element->address, time, 0);
            if (is_network(set) && network_end(element, end))
                put_key(buffer, set, end, 0, NFT_SET_ELEM_INTERVAL_END);
        }
        nest_end(buffer, list);
        message_end(buffer, last);
    }
    return last;
}

int ipn_change(int fd, const struct ipn_element *removed, size_t removed_count, const struct ipn_element *added,
               size_t added_count) {
    if (removed_count + added_count == 0) return 0;
    for (size_t i = 0; i < removed_count; i++)
        if (!is_valid(&removed[i].set)) return -EINVAL;
    for (size_t i = 0; i < added_count; i++)
        if (!is_valid(&added[i].set) || !added[i].milliseconds) return -EINVAL;
    struct buffer buffer = {.seq = first_seq()};
    uint32_t first = buffer.seq;
    batch_mark(&buffer, NFNL_MSG_BATCH_BEGIN);
    size_t last = put_elements(&buffer, NFT_MSG_DELSETELEM, 0, removed, removed_count, 0);
    last = put_elements(&buffer, NFT_MSG_NEWSETELEM, NLM_F_CREATE | NLM_F_EXCL, added, added_count, last);
    return commit(fd, &buffer, first, last);
}

struct element_list {
    struct ipn_element *elements;
    size_t count, size, max;
    struct ipn_set set;
};

static int collect_element(const struct nlmsghdr *message, void *context) {
    struct element_list *list = context;
    const struct nlattr *nest = find_in_message(message, NFTA_SET_ELEM_LIST_ELEMENTS);
    if (!nest) return 0;
    const uint8_t *start = payload(nest);
    size_t rest = payload_count(nest);
    while (rest >= NLA_HDRLEN) {
        const struct nlattr *item = (const struct nlattr *)start;
        if (item->nla_len < NLA_HDRLEN || item->nla_len > rest) break;
        const struct nlattr *key = find_in(find_in(item, NFTA_SET_ELEM_KEY), NFTA_DATA_VALUE);
        uint32_t flags = read_32(find_in(item, NFTA_SET_ELEM_FLAGS));
        if (key && payload_count(key) == address_bytes(&list->set) && !(flags & NFT_SET_ELEM_INTERVAL_END)) {
            if (list->count == list->max) return -E2BIG;
            if (list->count == list->size) {
                size_t size = list->size ? list->size * 2 : 1024;
                struct ipn_element *elements = realloc(list->elements, size * sizeof(*elements));
                if (!elements) return -ENOMEM;
                list->elements = elements;
                list->size = size;
            }
            struct ipn_element *element = &list->elements[list->count++];
            *element = (struct ipn_element){.set = list->set};
            memcpy(element->address, payload(key), payload_count(key));
            // One without an end was put there by somebody else.
            const struct nlattr *left = find_in(item, NFTA_SET_ELEM_EXPIRATION);
            element->milliseconds = left ? read_64(left) : UINT64_MAX;
        }
        size_t step = NLA_ALIGN(item->nla_len);
        if (step > rest) break;
        start += step;
        rest -= step;
    }
    return 0;
}

static int64_t list_once(int fd, size_t elements_max, struct ipn_element **elements) {
    struct set_list *sets = calloc(1, sizeof(*sets));
    if (!sets) return -ENOMEM;
    struct element_list list = {.max = elements_max};
    int result = dump(fd, NFT_MSG_GETSET, NFTA_SET_TABLE, collect_set, sets);
    for (size_t i = 0; result == 0 && i < sets->count; i++) {
        struct buffer buffer = {.seq = first_seq()};
        uint32_t first = buffer.seq;
        char name[IPN_NAME_BYTES];
        list.set = sets->sets[i];
        set_name(&list.set, name);
        size_t start = message_begin(&buffer, table_type(NFT_MSG_GETSETELEM), NLM_F_DUMP, 0);
        put_text(&buffer, NFTA_SET_ELEM_LIST_TABLE, IPN_TABLE);
        put_text(&buffer, NFTA_SET_ELEM_LIST_SET, name);
        message_end(&buffer, start);
        result = exchange(fd, &buffer, first, 1, collect_element, &list);
        if (result == -ENOENT) result = 0;
    }
    free(sets);
    if (result < 0) {
        free(list.elements);
        return result;
    }
    *elements = list.elements;
    return (int64_t)list.count;
}

int64_t ipn_list(int fd, size_t elements_max, struct ipn_element **elements) {
    // A dump that somebody changed the table under is begun again.
    for (int attempt = 0; attempt < 5; attempt++) {
        int64_t count = list_once(fd, elements_max, elements);
        if (count != -EINTR) return count;
    }
    return -EBUSY;
}

void ipn_free(struct ipn_element *elements) { free(elements); }

int ipn_flush(int fd) {
    struct buffer buffer = {.seq = first_seq()};
    uint32_t first = buffer.seq;
    batch_mark(&buffer, NFNL_MSG_BATCH_BEGIN);
    size_t start = message_begin(&buffer, table_type(NFT_MSG_DELTABLE), 0, 0);
    put_text(&buffer, NFTA_TABLE_NAME, IPN_TABLE);
    message_end(&buffer, start);
    int result = commit(fd, &buffer, first, start);
    return result == -ENOENT ? 0 : result;
}

static int read_generation(const struct nlmsghdr *message, void *context) {
    const struct nlattr *number = find_in_message(message, NFTA_GEN_ID);
    if (number) *(int64_t *)context = read_32(number);
    return 0;
}

int64_t ipn_generation(int fd) {
    struct buffer buffer = {.seq = first_seq()};
    uint32_t first = buffer.seq;
    int64_t generation = -ENODATA;
    size_t start = message_begin(&buffer, table_type(NFT_MSG_GETGEN), 0, 0);
    message_end(&buffer, start);
    int result = exchange(fd, &buffer, first, 0, read_generation, &generation);
    return result < 0 ? result : generation;
}
