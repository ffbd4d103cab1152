/*
 * Lingering: after a turn, wait awake for the next bytes for a moment before going to sleep.
 *
 * An IO alone passes through processes that all are asleep, and waking one takes longer than its
 * work: a processor that has stopped, a scheduler that has to start it, a loop that has to go
 * round. Whoever waits awake answers that much sooner. It costs time of the processor, so it is
 * done only
 *
 *  - where the last turn came within the window after the one before: who is asked a hundred times
 *    a second never lingers, and a burst is followed by one window at most;
 *  - as long as nothing else is due in the loop, whose descriptors are looked at now and then;
 *  - by yielding: whoever else wants this processor gets it;
 *  - where there is another processor, on which whom we wait for gets on (src/linger-default.ts).
 */
#define _GNU_SOURCE
#include "linger.h"

#include <poll.h>
#include <sched.h>
#include <time.h>

#include "addon.h"

/* Until JavaScript says how long; and LINGER_US_MAX in src/linger.ts. */
#define WINDOW_US_DEFAULT 300
#define WINDOW_US_MAX 1000

/* The loop gets its turn after so long, whatever arrives: timers are due in milliseconds. */
#define STAY_NS_MAX 1000000

/* Looks at our own set before one at everything that the loop waits for. */
#define LOOKS_AT_SET 16

static int64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

void rmr_linger_init(struct rmr_linger *linger) {
  linger->window_ns = WINDOW_US_DEFAULT * 1000;
}

void rmr_linger_begin(struct rmr_linger *linger) {
  linger->began_ns = now_ns();
  linger->is_worth_it = linger->began_ns - linger->ended_ns <= linger->window_ns;
}

int rmr_linger(struct rmr_linger *linger, const struct uv_loop_s *loop, int set,
               struct epoll_event *ready, int ready_max) {
  linger->ended_ns = now_ns();
  if (linger->window_ns == 0 || !linger->is_worth_it) return 0;
  if (linger->ended_ns - linger->began_ns > STAY_NS_MAX) return 0;
  /* What JavaScript wants at once, such as an immediate. */
  if (uv_backend_timeout(loop) == 0) return 0;
  struct pollfd of_loop = {.fd = uv_backend_fd(loop), .events = POLLIN};
  for (int looks = 0; now_ns() - linger->ended_ns < linger->window_ns; looks++) {
    const int count = epoll_wait(set, ready, ready_max, 0);
    if (count > 0) linger->turns++;
    if (count > 0) return count;
    if (looks % LOOKS_AT_SET == 0 && poll(&of_loop, 1, 0) != 0) return 0;
    sched_yield();
  }
  return 0;
}

/* lingerFor(microseconds): from now on, in this thread; 0 is never. */
static napi_value linger_for(napi_env env, napi_callback_info info) {
  size_t count = 1;
  napi_value args[1];
  uint32_t microseconds;
  RMR_CHECK(env, napi_get_cb_info(env, info, &count, args, NULL, NULL));
  RMR_CHECK(env, napi_get_value_uint32(env, args[0], &microseconds));
  struct rmr_instance *instance = rmr_instance_of(env);
  if (microseconds > WINDOW_US_MAX) {
    napi_throw_range_error(env, NULL, "lingering is for a millisecond at most");
  } else if (instance != NULL) {
    instance->linger.window_ns = (int64_t)microseconds * 1000;
  }
  return NULL;
}

/* lingeredTurns(): how many turns of this thread came while it waited awake. */
static napi_value lingered_turns(napi_env env, napi_callback_info info) {
  (void)info;
  napi_value turns;
  const struct rmr_instance *instance = rmr_instance_of(env);
  RMR_CHECK(env, napi_create_double(env, instance == NULL ? 0 : instance->linger.turns, &turns));
  return turns;
}

int rmr_export_linger(napi_env env, napi_value exports) {
  return rmr_export(env, exports, "lingerFor", linger_for) &&
         rmr_export(env, exports, "lingeredTurns", lingered_turns);
}
