#include "kernel_object.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

struct ip_ring {
    int poll;
    int wake;
    uint64_t *consumer;
    const uint64_t *producer;
    const uint8_t *data;
    size_t bytes;
    size_t page;
};

struct ip_ring *ip_ring_open(int descriptor, uint32_t bytes) {
    struct ip_ring *ring = calloc(1, sizeof *ring);
    if (!ring) return NULL;
    ring->page = (size_t)sysconf(_SC_PAGESIZE);
    ring->bytes = bytes;
    ring->poll = epoll_create1(EPOLL_CLOEXEC);
    ring->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    void *consumer = mmap(NULL, ring->page, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    // The data follow the producer's page, twice in a row, so that no record is cut.
    void *producer = mmap(NULL, ring->page + 2 * ring->bytes, PROT_READ, MAP_SHARED, descriptor, (off_t)ring->page);
    ring->consumer = consumer == MAP_FAILED ? NULL : consumer;
    ring->producer = producer == MAP_FAILED ? NULL : producer;
    struct epoll_event readable = {.events = EPOLLIN};
    if (!ring->consumer || !ring->producer || ring->poll < 0 || ring->wake < 0 ||
        epoll_ctl(ring->poll, EPOLL_CTL_ADD, descriptor, &readable) ||
        epoll_ctl(ring->poll, EPOLL_CTL_ADD, ring->wake, &readable)) {
        const int reason = errno;
        ip_ring_close(ring);
        errno = reason;
        return NULL;
    }
    ring->data = (const uint8_t *)producer + ring->page;
    return ring;
}

void ip_ring_close(struct ip_ring *ring) {
    if (ring->consumer) munmap(ring->consumer, ring->page);
    if (ring->producer) munmap((void *)(uintptr_t)ring->producer, ring->page + 2 * ring->bytes);
    if (ring->poll >= 0) close(ring->poll);
    if (ring->wake >= 0) close(ring->wake);
    free(ring);
}

void ip_ring_wait(struct ip_ring *ring, int milliseconds) {
    struct epoll_event events[2];
    // Whatever ends the wait, the caller looks for itself.
    (void)epoll_wait(ring->poll, events, 2, milliseconds);
}

void ip_ring_wake(struct ip_ring *ring) {
    const uint64_t one = 1;
    // A full counter wakes as well.
    const ssize_t written = write(ring->wake, &one, sizeof one);
    (void)written;
}

size_t ip_ring_read(struct ip_ring *ring, struct ip_record *records, size_t max) {
    const uint32_t busy = 1u << 31, discarded = 1u << 30;
    size_t count = 0;
    uint64_t at = __atomic_load_n(ring->consumer, __ATOMIC_ACQUIRE);
    while (count < max) {
        const uint64_t end = __atomic_load_n(ring->producer, __ATOMIC_ACQUIRE);
        if (at >= end) break;
        const uint8_t *header = ring->data + (at & (ring->bytes - 1));
        const uint32_t length = __atomic_load_n((const uint32_t *)header, __ATOMIC_ACQUIRE);
        if (length & busy) break;
        const uint32_t size = length & ~(busy | discarded);
        if (!(length & discarded) && size == sizeof *records) memcpy(&records[count++], header + 8, sizeof *records);
        at += (size + 8 + 7) / 8 * 8;
        __atomic_store_n(ring->consumer, at, __ATOMIC_RELEASE);
    }
    return count;
}
