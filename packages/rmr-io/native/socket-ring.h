/* Messages to several sockets in one call; see socket-ring.c. */
#ifndef RMR_SOCKET_RING_H
#define RMR_SOCKET_RING_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/* A power of two. */
#define RMR_MESSAGES_MAX 16

struct rmr_message {
  int fd;
  /* How many bytes were taken, or a negative errno. */
  int result;
  struct msghdr header;
};

struct rmr_ring {
  /* Negative where there is none. */
  int fd;
  void *queues;
  size_t queue_bytes;
  void *entries;
  size_t entry_bytes;
  unsigned *sq_tail;
  unsigned *sq_array;
  unsigned sq_mask;
  unsigned *cq_head;
  unsigned *cq_tail;
  unsigned cq_mask;
  void *completions;
};

void rmr_ring_open(struct rmr_ring *ring);
void rmr_ring_close(struct rmr_ring *ring);
/* Each has its result when this returns; at most RMR_MESSAGES_MAX. */
void rmr_ring_send(struct rmr_ring *ring, struct rmr_message *messages, unsigned count);

#endif
