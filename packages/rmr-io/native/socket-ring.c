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

#ifdef RMR_HAS_RING

static int fill(struct rmr_ring *ring, struct rmr_message *messages, unsigned count) {
  for (unsigned at = 0; at < count; at++) {
    struct io_uring_sqe *entry = rmr_ring_next(ring);
    if (entry == NULL) return 0;
    entry->opcode = IORING_OP_SENDMSG;
    entry->fd = messages[at].fd;
    entry->addr = (uint64_t)(uintptr_t)&messages[at].header;
    entry->len = 1;
    entry->msg_flags = SEND_FLAGS;
    entry->user_data = at;
    messages[at].result = -EAGAIN;
  }
  return 1;
}

/* Answers how many results there were. */
static unsigned take_results(struct rmr_ring *ring, struct rmr_message *messages, unsigned count) {
  unsigned taken = 0;
  uint64_t at;
  int result;
  for (; rmr_ring_take(ring, &at, &result); taken++) {
    if (at < count) messages[at].result = result;
  }
  return taken;
}

static int send_by_ring(struct rmr_ring *ring, struct rmr_message *messages, unsigned count) {
  if (!fill(ring, messages, count)) return 0;
  for (unsigned done = 0; done < count;) {
    if (rmr_ring_enter(ring, count - done) < 0) return 0;
    done += take_results(ring, messages, count);
  }
  return 1;
}

void rmr_send_all(struct rmr_ring *ring, struct rmr_message *messages, unsigned count) {
  if (ring->fd < 0 || count < 2) {
    send_each(messages, count);
  } else if (!send_by_ring(ring, messages, count)) {
    /* Never so after a ring was made; what is in it is not known any more. */
    rmr_ring_close(ring);
    for (unsigned at = 0; at < count; at++) messages[at].result = -EIO;
  }
}

#else

void rmr_send_all(struct rmr_ring *ring, struct rmr_message *messages, unsigned count) {
  (void)ring;
  send_each(messages, count);
}

#endif
