/*
 * Several messages to the kernel in one call, where it has io_uring.
 *
 * A replicated write goes to all of its members at once. With a call for each, the first receiver
 * may be woken on this processor and run before the second message is sent; sent in one call, all
 * of them are on their way. Messages are sent without waiting, so that each has its result when the
 * call returns. Where there is no ring (an old kernel, a container that forbids it), there is a
 * call for each.
 */
#define _GNU_SOURCE
#include "socket-ring.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#define SEND_FLAGS (MSG_DONTWAIT | MSG_NOSIGNAL)

static int send_one(int fd, const struct msghdr *message) {
  ssize_t taken;
  do {
    taken = sendmsg(fd, message, SEND_FLAGS);
  } while (taken < 0 && errno == EINTR);
  return taken < 0 ? -errno : (int)taken;
}

static void send_each(struct rmr_message *messages, unsigned count) {
  for (unsigned at = 0; at < count; at++) {
    messages[at].result = send_one(messages[at].fd, &messages[at].header);
  }
}

#if defined(__linux__) && defined(__has_include)
#if __has_include(<linux/io_uring.h>)
#define RMR_HAS_RING 1
#endif
#endif

#ifdef RMR_HAS_RING
#include <linux/io_uring.h>
#include <sys/mman.h>
#include <sys/syscall.h>

/* Of a kernel whose ring has one mapping for both queues. */
static int map_ring(struct rmr_ring *ring, const struct io_uring_params *params) {
  if ((params->features & IORING_FEAT_SINGLE_MMAP) == 0) return -1;
  const size_t sq_bytes = params->sq_off.array + params->sq_entries * sizeof(unsigned);
  const size_t cq_bytes = params->cq_off.cqes + params->cq_entries * sizeof(struct io_uring_cqe);
  ring->queue_bytes = sq_bytes > cq_bytes ? sq_bytes : cq_bytes;
  ring->entry_bytes = params->sq_entries * sizeof(struct io_uring_sqe);
  const int access = PROT_READ | PROT_WRITE;
  const int kind = MAP_SHARED | MAP_POPULATE;
  ring->queues = mmap(NULL, ring->queue_bytes, access, kind, ring->fd, IORING_OFF_SQ_RING);
  ring->entries = mmap(NULL, ring->entry_bytes, access, kind, ring->fd, IORING_OFF_SQES);
  if (ring->queues == MAP_FAILED || ring->entries == MAP_FAILED) return -1;
  uint8_t *base = ring->queues;
  ring->sq_tail = (unsigned *)(base + params->sq_off.tail);
  ring->sq_mask = *(unsigned *)(base + params->sq_off.ring_mask);
  ring->sq_array = (unsigned *)(base + params->sq_off.array);
  ring->cq_head = (unsigned *)(base + params->cq_off.head);
  ring->cq_tail = (unsigned *)(base + params->cq_off.tail);
  ring->cq_mask = *(unsigned *)(base + params->cq_off.ring_mask);
  ring->completions = base + params->cq_off.cqes;
  return 0;
}

void rmr_ring_open(struct rmr_ring *ring) {
  struct io_uring_params params;
  memset(&params, 0, sizeof params);
  memset(ring, 0, sizeof *ring);
  ring->fd = (int)syscall(SYS_io_uring_setup, RMR_MESSAGES_MAX, &params);
  if (ring->fd >= 0 && map_ring(ring, &params) != 0) rmr_ring_close(ring);
}

static void unmap(void *memory, size_t bytes) {
  if (memory != NULL && memory != MAP_FAILED) munmap(memory, bytes);
}

void rmr_ring_close(struct rmr_ring *ring) {
  unmap(ring->queues, ring->queue_bytes);
  unmap(ring->entries, ring->entry_bytes);
  if (ring->fd >= 0) close(ring->fd);
  memset(ring, 0, sizeof *ring);
  ring->fd = -1;
}

static void fill(struct rmr_ring *ring, struct rmr_message *messages, unsigned count) {
  unsigned tail = *ring->sq_tail;
  for (unsigned at = 0; at < count; at++, tail++) {
    struct io_uring_sqe *entry = (struct io_uring_sqe *)ring->entries + (tail & ring->sq_mask);
    memset(entry, 0, sizeof *entry);
    entry->opcode = IORING_OP_SENDMSG;
    entry->fd = messages[at].fd;
    entry->addr = (uint64_t)(uintptr_t)&messages[at].header;
    entry->len = 1;
    entry->msg_flags = SEND_FLAGS;
    entry->user_data = at;
    ring->sq_array[tail & ring->sq_mask] = tail & ring->sq_mask;
    messages[at].result = -EAGAIN;
  }
  atomic_store_explicit((_Atomic unsigned *)ring->sq_tail, tail, memory_order_release);
}

/* Answers how many results there were. */
static unsigned take_results(struct rmr_ring *ring, struct rmr_message *messages, unsigned count) {
  unsigned head = *ring->cq_head;
  unsigned taken = 0;
  const unsigned tail =
      atomic_load_explicit((_Atomic unsigned *)ring->cq_tail, memory_order_acquire);
  for (; head != tail; head++, taken++) {
    const struct io_uring_cqe *done =
        (const struct io_uring_cqe *)ring->completions + (head & ring->cq_mask);
    if (done->user_data < count) messages[done->user_data].result = done->res;
  }
  atomic_store_explicit((_Atomic unsigned *)ring->cq_head, head, memory_order_release);
  return taken;
}

void rmr_ring_send(struct rmr_ring *ring, struct rmr_message *messages, unsigned count) {
  if (ring->fd < 0 || count < 2) {
    send_each(messages, count);
    return;
  }
  fill(ring, messages, count);
  unsigned unsubmitted = count;
  for (unsigned done = 0; done < count;) {
    const unsigned wanted = count - done;
    const long submitted = syscall(SYS_io_uring_enter, ring->fd, unsubmitted, wanted,
                                   IORING_ENTER_GETEVENTS, NULL, 0);
    if (submitted < 0 && errno != EINTR && errno != EAGAIN && errno != EBUSY) {
      /* Never so after a ring was made; what is in it is not known any more. */
      rmr_ring_close(ring);
      for (unsigned at = 0; at < count; at++) messages[at].result = -EIO;
      return;
    }
    if (submitted > 0) unsubmitted -= (unsigned)submitted;
    done += take_results(ring, messages, count);
  }
}

#else

void rmr_ring_open(struct rmr_ring *ring) {
  memset(ring, 0, sizeof *ring);
  ring->fd = -1;
}

void rmr_ring_close(struct rmr_ring *ring) {
  ring->fd = -1;
}

void rmr_ring_send(struct rmr_ring *ring, struct rmr_message *messages, unsigned count) {
  (void)ring;
  send_each(messages, count);
}

#endif
