/* Messages to several sockets in one call; see socket-ring.c. */
#ifndef RMR_SOCKET_RING_H
#define RMR_SOCKET_RING_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "ring.h"

/* A power of two. */
#define RMR_MESSAGES_MAX 16

struct rmr_message {
  int fd;
  /* How many bytes were taken, or a negative errno. */
  int result;
  struct msghdr header;
};

/* Each has its result when this returns; at most RMR_MESSAGES_MAX. */
void rmr_send_all(struct rmr_ring *ring, struct rmr_message *messages, unsigned count);

#endif
