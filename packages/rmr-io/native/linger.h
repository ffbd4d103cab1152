/* Waiting awake for the next bytes, for a moment, before going to sleep; see linger.c. */
#ifndef RMR_LINGER_H
#define RMR_LINGER_H

#include <stdint.h>
#include <sys/epoll.h>

#include "loop.h"

/* Of one thread of Node. */
struct rmr_linger {
  /* How long at most; 0: never. */
  int64_t window_ns;
  /* When the loop called, and when the last turn ended. */
  int64_t began_ns;
  int64_t ended_ns;
  /* The last turn came soon after the one before it. */
  int is_worth_it;
  /* Turns that came while it waited. */
  double turns;
};

void rmr_linger_init(struct rmr_linger *linger);
/* The loop calls: something is ready. */
void rmr_linger_begin(struct rmr_linger *linger);
/* After a turn: what has become ready in the set, and how many; 0 if the loop should go on. */
int rmr_linger(struct rmr_linger *linger, const struct uv_loop_s *loop, int set,
               struct epoll_event *ready, int ready_max);

#endif
