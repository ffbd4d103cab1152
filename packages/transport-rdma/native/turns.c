/*
 * The turns of an engine: what the loop calls when there is something, and what calls JavaScript
 * once with all of it.
 *
 * Completion queues are polled as long as they have something, and a moment longer where the last
 * turn was not long ago: a device that has to wake somebody costs more than the work it tells of.
 * Then they are armed, and looked at once more, so that nothing comes in between. Where the last
 * turn was just now and nothing else is due, the visit sleeps till a device tells of more. Whatever
 * it does, others of the loop have their turn after a millisecond.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "codes.h"
#include "rdma.h"

#define READY_MAX 32
/* The loop gets its turn after so long, whatever arrives: timers are due in milliseconds. */
#define STAY_NS_MAX 1000000
/* Of looks at lines, one looks at everything else as well: that takes calls of the kernel. */
#define LOOKS_AT_ALL 16
/* Where something else than a device ended a sleep in a turn, so many visits go without one. */
#define VISITS_AWAKE 15
/* Of one line and look, so that others have their turn. */
#define ROWS_OF_LINE_MAX (RMR_ARRIVALS_MAX / 4)

static int64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

void rmr_kick(const struct rmr_engine *engine) {
  const uint64_t one = 1;
  const ssize_t written = write(engine->kick, &one, sizeof one);
  /* It can only be that the counter is full: then it is kicked already. */
  (void)written;
}

/* Whether JavaScript wanted a turn. */
static bool look_at_set(struct rmr_engine *engine) {
  struct epoll_event ready[READY_MAX];
  uint64_t rounds;
  bool is_due = false;
  bool is_kicked = false;
  const int count = epoll_wait(engine->set, ready, READY_MAX, 0);
  for (int nth = 0; nth < count; nth++) {
    const uint64_t what = ready[nth].data.u64;
    if (what == RMR_OF_MANAGER) rmr_manager_events(engine);
    else if (what == RMR_OF_KICK) is_kicked |= read(engine->kick, &rounds, sizeof rounds) > 0;
    else if (what == RMR_OF_TIMER) is_due = read(engine->timer, &rounds, sizeof rounds) > 0;
    else rmr_device_failures((struct rmr_device *)(uintptr_t)what);
  }
  /* Behind the others, which may be about a device that goes. */
  if (is_due) rmr_tick(engine);
  return is_kicked;
}

void rmr_tell_of_lines(struct rmr_engine *engine) {
  for (int number = 0; number < engine->lines.count && engine->untold_count > 0; number++) {
    struct rmr_line *line = rmr_list_at(&engine->lines, number);
    if (line == NULL || line->state != RMR_LINE_OVER || line->is_told) continue;
    int32_t *row = rmr_arrival(engine, line->number, EVENT_OVER);
    if (row == NULL) return;
    row[ARRIVAL_VALUE] = line->why;
    row[ARRIVAL_DETAIL] = line->detail;
    line->is_told = true;
    engine->untold_count--;
  }
}

/* Who was first is last the next time. */
static void rotate_hot(struct rmr_engine *engine) {
  struct rmr_line *first = engine->hot;
  if (first == NULL || first->next_hot == NULL) return;
  struct rmr_line *last = first;
  while (last->next_hot != NULL) last = last->next_hot;
  engine->hot = first->next_hot;
  first->next_hot = NULL;
  last->next_hot = first;
}

/* Of lines that are not hot, what the loop has not told us yet. */
static void look_at_devices(const struct rmr_engine *engine) {
  for (struct rmr_device *device = engine->devices; device != NULL; device = device->next) {
    if (device->channel != NULL) rmr_device_events(device);
  }
}

static void reap_hot(struct rmr_engine *engine) {
  for (struct rmr_line *line = engine->hot; line != NULL; line = line->next_hot) {
    if (line->state != RMR_LINE_OVER) rmr_reap(line, ROWS_OF_LINE_MAX);
  }
  rotate_hot(engine);
}

void rmr_begin_turn(struct rmr_engine *engine) {
  engine->table.arrival_count = 0;
  engine->table.texts_used = 0;
  rmr_list_sweep(&engine->lines);
  rmr_list_sweep(&engine->listeners);
}

/* Whether there is anything for a turn. */
static bool look(struct rmr_engine *engine, bool is_at_all) {
  rmr_begin_turn(engine);
  reap_hot(engine);
  if (is_at_all) {
    /* Devices last: the set may be about one that goes. */
    if (look_at_set(engine)) engine->is_kicked = true;
    look_at_devices(engine);
    if (engine->table.arrival_count == 0) reap_hot(engine);
  }
  rmr_tell_of_lines(engine);
  return engine->is_kicked || engine->table.arrival_count > 0;
}

/* Lines are told to wake us; whether rows came meanwhile. Those with more to tell stay hot. */
static bool arm(struct rmr_engine *engine) {
  engine->table.arrival_count = 0;
  engine->table.texts_used = 0;
  struct rmr_line **at = &engine->hot;
  while (*at != NULL) {
    struct rmr_line *line = *at;
    const bool is_over = line->state == RMR_LINE_OVER;
    if (!is_over && ibv_req_notify_cq(line->cq, 0) != 0) rmr_line_over(line, WHY_BROKEN, errno);
    if (is_over || rmr_reap(line, RMR_ARRIVALS_MAX)) {
      *at = line->next_hot;
      line->is_hot = false;
    } else at = &line->next_hot;
  }
  rmr_tell_of_lines(engine);
  return engine->table.arrival_count > 0;
}

/*
 * In one call with what promises follow, which is cheaper than a scope around it. An exception is
 * nobody's to catch here.
 */
static void call_turn(struct rmr_engine *engine) {
  napi_env env = engine->env;
  napi_value function;
  napi_value receiver;
  napi_value count;
  napi_value answer;
  if (napi_get_reference_value(env, engine->on_turn, &function) != napi_ok ||
      napi_get_global(env, &receiver) != napi_ok ||
      napi_create_int32(env, engine->table.arrival_count, &count) != napi_ok) {
    return;
  }
  const napi_status status =
      napi_make_callback(env, engine->context, receiver, function, 1, &count, &answer);
  if (status == napi_pending_exception) {
    napi_value error;
    if (napi_get_and_clear_last_exception(env, &error) == napi_ok) napi_fatal_exception(env, error);
  }
}

static void run_turn(struct rmr_engine *engine) {
  engine->is_kicked = false;
  napi_handle_scope scope;
  if (napi_open_handle_scope(engine->env, &scope) != napi_ok) return;
  call_turn(engine);
  napi_close_handle_scope(engine->env, scope);
  engine->turn_ended_ns = now_ns();
}

/* Whether to wait awake: the last turn was just now, and nothing else is due in the loop. */
static bool lingers(const struct rmr_engine *engine, int64_t until_ns, bool is_at_all) {
  if (engine->hot == NULL || engine->window_ns == 0) return false;
  const int64_t now = now_ns();
  if (now >= until_ns || now - engine->turn_ended_ns >= engine->window_ns) return false;
  if (uv_backend_timeout(engine->loop) == 0) return false;
  struct pollfd of_loop = {.fd = uv_backend_fd(engine->loop), .events = POLLIN};
  if (is_at_all && poll(&of_loop, 1, 0) != 0) return false;
  sched_yield();
  return true;
}

/*
 * Sleeps till a device tells of something, or whatever else is due in the loop, which has the
 * channels of devices among what it waits for. A round of the loop takes several times as long as
 * this, so it is worth it where devices are what the loop waits for.
 */
static bool is_told_asleep(struct rmr_engine *engine, int64_t until_ns) {
  if (engine->visits_awake > 0) {
    engine->visits_awake--;
    return false;
  }
  const int due_ms = uv_backend_timeout(engine->loop);
  int64_t left_ns = until_ns - now_ns();
  if (due_ms >= 0 && due_ms * (int64_t)1000000 < left_ns) left_ns = due_ms * (int64_t)1000000;
  if (left_ns <= 0) return false;
  struct pollfd of_loop = {.fd = uv_backend_fd(engine->loop), .events = POLLIN};
  const struct timespec left = {.tv_nsec = left_ns};
  if (ppoll(&of_loop, 1, &left, NULL) > 0) look_at_devices(engine);
  if (engine->hot == NULL) engine->visits_awake = VISITS_AWAKE;
  return engine->hot != NULL;
}

/* The engine is closed, or others of the loop have their turn. */
static bool ends_visit(struct rmr_engine *engine) {
  if (engine->is_closed) return true;
  if (engine->user_count == 0) rmr_sweep_devices(engine);
  return false;
}

/* What has come while others waited for the loop; lines that have more to tell are not armed. */
static void end_visit(struct rmr_engine *engine) {
  if (arm(engine)) {
    run_turn(engine);
    if (ends_visit(engine)) return;
  }
  const bool is_more = engine->hot != NULL || engine->untold_count > 0;
  if (is_more || engine->is_kicked) rmr_kick(engine);
}

/*
 * Everything that there is, as long as there is some; but others of the loop have their turn. A
 * device has told of lines, or the set of anything else, which is looked at first then.
 */
static void run_turns(struct rmr_engine *engine, bool is_of_set) {
  const int64_t began = now_ns();
  const int64_t until = began + STAY_NS_MAX;
  const int64_t idle_ns = began - engine->turn_ended_ns;
  const bool is_worth_it = idle_ns <= engine->window_ns;
  const bool is_busy = idle_ns <= STAY_NS_MAX;
  bool has_slept = false;
  for (int looks = is_of_set ? 0 : 1;; looks++) {
    const bool is_at_all = looks % LOOKS_AT_ALL == 0;
    bool is_any = look(engine, is_at_all);
    /* What takes time is a turn, or to wait, which looks at the clock itself. */
    const bool is_time_up = engine->turn_ended_ns > until;
    if (!is_any && is_worth_it && lingers(engine, until, is_at_all)) continue;
    if (!is_any) is_any = arm(engine);
    if (!is_any) {
      /* Once between two turns. */
      if (!is_busy || has_slept || !is_told_asleep(engine, until)) return;
      has_slept = true;
      continue;
    }
    has_slept = false;
    run_turn(engine);
    if (ends_visit(engine)) return;
    if (is_time_up) {
      end_visit(engine);
      return;
    }
  }
}

void rmr_on_set(uv_poll_t *poll, int status, int events) {
  (void)status;
  (void)events;
  struct rmr_engine *engine = uv_handle_get_data((uv_handle_t *)poll);
  engine->is_polling = true;
  run_turns(engine, true);
  engine->is_polling = false;
}

void rmr_on_device(uv_poll_t *poll, int status, int events) {
  (void)status;
  (void)events;
  struct rmr_device *device = uv_handle_get_data((uv_handle_t *)poll);
  struct rmr_engine *engine = device->engine;
  engine->is_polling = true;
  rmr_device_events(device);
  run_turns(engine, false);
  engine->is_polling = false;
}
