/* Requests to the kernel by shared memory (io_uring), many in one call; see ring.c. */
#ifndef RMR_RING_H
#define RMR_RING_H

#include <stddef.h>
#include <stdint.h>

/* Where the kernel's headers lack it, no ring ever opens, and whoever wants one has another way. */
#if defined(__linux__) && defined(__has_include)
#if __has_include(<linux/io_uring.h>)
#define RMR_HAS_RING 1
#include <linux/io_uring.h>
#endif
#endif

struct rmr_ring {
  /* Negative where there is none. */
  int fd;
  /* Requests that were filled in and that the kernel has not been told of. */
  unsigned unsubmitted;
  void *queues;
  size_t queue_bytes;
  void *entries;
  size_t entry_bytes;
  unsigned *sq_head;
  unsigned *sq_tail;
  unsigned *sq_array;
  unsigned sq_mask;
  unsigned *cq_head;
  unsigned *cq_tail;
  unsigned cq_mask;
  void *completions;
};

/* Room for so many requests at a time, a power of two, and for so many answers. */
void rmr_ring_open(struct rmr_ring *ring, unsigned requests, unsigned answers);
void rmr_ring_close(struct rmr_ring *ring);
#ifdef RMR_HAS_RING
/* The next request, zeroed; NULL where there is no room before the next call of rmr_ring_enter. */
struct io_uring_sqe *rmr_ring_next(struct rmr_ring *ring);
#endif
/*
 * Tells the kernel of all requests and waits for so many answers, of any requests; fewer after a
 * signal. 0, or a negative errno: the kernel has not been told of the last ones.
 */
int rmr_ring_enter(struct rmr_ring *ring, unsigned wanted);
/* Takes back the requests that the kernel has not been told of; how many they were. */
unsigned rmr_ring_withdraw(struct rmr_ring *ring);
/* The next answer there is. */
int rmr_ring_take(struct rmr_ring *ring, uint64_t *data, int *result);

#endif
