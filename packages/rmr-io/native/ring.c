/*
 * A ring: requests lie in memory that is shared with the kernel, and so do its answers, so that one
 * system call starts as many as there are, and none is needed to see what has ended.
 *
 * Used by one thread. Where there is no ring (an old kernel, a container that forbids it), `fd` is
 * negative, and whoever uses it does without.
 */
#define _GNU_SOURCE
#include "ring.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#ifdef RMR_HAS_RING
#include <sys/mman.h>
#include <sys/syscall.h>

/* The kernel may have no memory for a moment. */
#define TRIES_MAX 1000

/* Of a kernel whose ring has one mapping for both queues, and that loses no answer. */
static int map_ring(struct rmr_ring *ring, const struct io_uring_params *params) {
  const unsigned needed = IORING_FEAT_SINGLE_MMAP | IORING_FEAT_NODROP;
  if ((params->features & needed) != needed) return -1;
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
  ring->sq_head = (unsigned *)(base + params->sq_off.head);
  ring->sq_tail = (unsigned *)(base + params->sq_off.tail);
  ring->sq_mask = *(unsigned *)(base + params->sq_off.ring_mask);
  ring->sq_array = (unsigned *)(base + params->sq_off.array);
  ring->cq_head = (unsigned *)(base + params->cq_off.head);
  ring->cq_tail = (unsigned *)(base + params->cq_off.tail);
  ring->cq_mask = *(unsigned *)(base + params->cq_off.ring_mask);
  ring->completions = base + params->cq_off.cqes;
  return 0;
}

void rmr_ring_open(struct rmr_ring *ring, unsigned requests, unsigned answers) {
  struct io_uring_params params;
  memset(&params, 0, sizeof params);
  memset(ring, 0, sizeof *ring);
  params.flags = IORING_SETUP_CQSIZE;
  params.cq_entries = answers;
  ring->fd = (int)syscall(SYS_io_uring_setup, requests, &params);
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

static unsigned read_shared(unsigned *word) {
  return atomic_load_explicit((_Atomic unsigned *)word, memory_order_acquire);
}

static void write_shared(unsigned *word, unsigned value) {
  atomic_store_explicit((_Atomic unsigned *)word, value, memory_order_release);
}

struct io_uring_sqe *rmr_ring_next(struct rmr_ring *ring) {
  const unsigned tail = *ring->sq_tail;
  if (tail - read_shared(ring->sq_head) > ring->sq_mask) return NULL;
  struct io_uring_sqe *entry = (struct io_uring_sqe *)ring->entries + (tail & ring->sq_mask);
  memset(entry, 0, sizeof *entry);
  ring->sq_array[tail & ring->sq_mask] = tail & ring->sq_mask;
  write_shared(ring->sq_tail, tail + 1);
  ring->unsubmitted++;
  return entry;
}

int rmr_ring_enter(struct rmr_ring *ring, unsigned wanted) {
  const unsigned flags = wanted > 0 ? IORING_ENTER_GETEVENTS : 0;
  for (int tries = 0;;) {
    const long taken =
        syscall(SYS_io_uring_enter, ring->fd, ring->unsubmitted, wanted, flags, NULL, 0);
    if (taken >= 0) {
      ring->unsubmitted -= (unsigned)taken;
      if (ring->unsubmitted == 0) return 0;
    } else if (errno == EINTR) {
      if (ring->unsubmitted == 0) return 0;
    } else if ((errno != EAGAIN && errno != EBUSY) || ++tries == TRIES_MAX) {
      return -errno;
    }
  }
}

unsigned rmr_ring_withdraw(struct rmr_ring *ring) {
  const unsigned count = ring->unsubmitted;
  write_shared(ring->sq_tail, *ring->sq_tail - count);
  ring->unsubmitted = 0;
  return count;
}

int rmr_ring_take(struct rmr_ring *ring, uint64_t *data, int *result) {
  const unsigned head = *ring->cq_head;
  if (head == read_shared(ring->cq_tail)) return 0;
  const struct io_uring_cqe *answer =
      (const struct io_uring_cqe *)ring->completions + (head & ring->cq_mask);
  *data = answer->user_data;
  *result = answer->res;
  write_shared(ring->cq_head, head + 1);
  return 1;
}

#else

void rmr_ring_open(struct rmr_ring *ring, unsigned requests, unsigned answers) {
  (void)requests;
  (void)answers;
  memset(ring, 0, sizeof *ring);
  ring->fd = -1;
}

void rmr_ring_close(struct rmr_ring *ring) {
  ring->fd = -1;
}

int rmr_ring_enter(struct rmr_ring *ring, unsigned wanted) {
  (void)ring;
  (void)wanted;
  return -ENOSYS;
}

unsigned rmr_ring_withdraw(struct rmr_ring *ring) {
  (void)ring;
  return 0;
}

int rmr_ring_take(struct rmr_ring *ring, uint64_t *data, int *result) {
  (void)ring;
  (void)data;
  (void)result;
  return 0;
}

#endif
