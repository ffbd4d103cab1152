/*
 * An engine: what waits in Node's loop for all devices of an endpoint, and calls JavaScript once
 * with everything that has come.
 *
 * Completion queues are polled as long as they have something, and a moment longer where the last
 * turn was not long ago: a device that has to wake somebody costs more than the work it tells of.
 * Then they are armed, and looked at once more, so that nothing comes in between.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "codes.h"
#include "rdma.h"

#define READY_MAX 32
/* The loop gets its turn after so long, whatever arrives: timers are due in milliseconds. */
#define STAY_NS_MAX 1000000
/* Looks at our own set before one at everything that the loop waits for. */
#define LOOKS_AT_SET 16
#define WINDOW_US_MAX 1000
#define LOOK_FOR_DEVICES_S 1
/* What the set tells, beside devices. */
#define OF_MANAGER 0
#define OF_TIMER 2
#define OF_KICK 4
/* Of one line and look, so that others have their turn. */
#define ROWS_OF_LINE_MAX (RMR_ARRIVALS_MAX / 4)

static int64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* The loop gives us a turn soon, whether devices have anything to tell or not. */
static void kick(const struct rmr_engine *engine) {
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
    if (what == OF_MANAGER) rmr_manager_events(engine);
    else if (what == OF_KICK) is_kicked |= read(engine->kick, &rounds, sizeof rounds) > 0;
    else if (what == OF_TIMER) is_due = read(engine->timer, &rounds, sizeof rounds) > 0;
    else if ((what & 1) != 0) rmr_device_failures((struct rmr_device *)(uintptr_t)(what & ~1ull));
    else rmr_device_events((struct rmr_device *)(uintptr_t)what);
  }
  /* Behind the others, which may be about a device that goes. */
  if (is_due) rmr_tick(engine);
  return is_kicked;
}

static void tell_of_lines(struct rmr_engine *engine) {
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

static void reap_hot(struct rmr_engine *engine) {
  for (struct rmr_line *line = engine->hot; line != NULL; line = line->next_hot) {
    if (line->state != RMR_LINE_OVER) rmr_reap(line, ROWS_OF_LINE_MAX);
  }
  rotate_hot(engine);
}

static void begin_turn(struct rmr_engine *engine) {
  engine->table.arrival_count = 0;
  engine->table.texts_used = 0;
  rmr_list_sweep(&engine->lines);
  rmr_list_sweep(&engine->listeners);
}

/* Whether there is anything for a turn. */
static bool look(struct rmr_engine *engine) {
  begin_turn(engine);
  reap_hot(engine);
  const bool is_kicked = look_at_set(engine);
  if (engine->table.arrival_count == 0) reap_hot(engine);
  tell_of_lines(engine);
  return is_kicked || engine->table.arrival_count > 0;
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
  tell_of_lines(engine);
  return engine->table.arrival_count > 0;
}

/* An exception is nobody's to catch here. */
static void call_turn(struct rmr_engine *engine) {
  napi_env env = engine->env;
  napi_value function;
  napi_value receiver;
  napi_value count;
  napi_value answer;
  if (napi_get_reference_value(env, engine->on_turn, &function) != napi_ok ||
      napi_get_undefined(env, &receiver) != napi_ok ||
      napi_create_int32(env, engine->table.arrival_count, &count) != napi_ok) {
    return;
  }
  if (napi_call_function(env, receiver, function, 1, &count, &answer) == napi_pending_exception) {
    napi_value error;
    if (napi_get_and_clear_last_exception(env, &error) == napi_ok) napi_fatal_exception(env, error);
  }
}

static void run_turn(struct rmr_engine *engine) {
  napi_env env = engine->env;
  napi_handle_scope scope;
  napi_callback_scope callbacks;
  napi_value resource;
  if (napi_open_handle_scope(env, &scope) != napi_ok) return;
  /* Node ignores the resource. */
  if (napi_get_undefined(env, &resource) == napi_ok &&
      napi_open_callback_scope(env, resource, engine->context, &callbacks) == napi_ok) {
    call_turn(engine);
    napi_close_callback_scope(env, callbacks);
  }
  napi_close_handle_scope(env, scope);
  engine->turn_ended_ns = now_ns();
}

/* Whether to wait awake: the last turn was just now, and nothing else is due in the loop. */
static bool lingers(const struct rmr_engine *engine, bool is_worth_it, int looks) {
  if (engine->hot == NULL || !is_worth_it || engine->window_ns == 0) return false;
  if (now_ns() - engine->turn_ended_ns >= engine->window_ns) return false;
  if (uv_backend_timeout(engine->loop) == 0) return false;
  struct pollfd of_loop = {.fd = uv_backend_fd(engine->loop), .events = POLLIN};
  if (looks % LOOKS_AT_SET == 0 && poll(&of_loop, 1, 0) != 0) return false;
  sched_yield();
  return true;
}

/* Everything that there is, as long as there is some; but others of the loop have their turn. */
static void run_turns(struct rmr_engine *engine) {
  const int64_t began = now_ns();
  const bool is_worth_it = began - engine->turn_ended_ns <= engine->window_ns;
  for (int looks = 1;; looks++) {
    bool is_any = look(engine);
    const bool is_time_up = now_ns() - began > STAY_NS_MAX;
    if (!is_any && !is_time_up && lingers(engine, is_worth_it, looks)) continue;
    if (!is_any) is_any = arm(engine);
    if (!is_any) return;
    run_turn(engine);
    if (engine->is_closed) return;
    if (engine->user_count == 0) rmr_sweep_devices(engine);
    if (is_time_up) {
      /* Lines that are hot are not armed. */
      kick(engine);
      return;
    }
    looks = 0;
  }
}

static void on_poll(uv_poll_t *poll, int status, int events) {
  (void)status;
  (void)events;
  struct rmr_engine *engine = uv_handle_get_data((uv_handle_t *)poll);
  engine->is_polling = true;
  run_turns(engine);
  engine->is_polling = false;
}

/* Without users nothing keeps the process, but devices that are taken away are still seen. */
bool rmr_use(struct rmr_engine *engine) {
  if (engine->is_closed) return false;
  if (engine->user_count++ == 0) uv_ref((uv_handle_t *)engine->poll);
  return true;
}

void rmr_unuse(struct rmr_engine *engine) {
  if (--engine->user_count == 0 && !engine->is_closed) uv_unref((uv_handle_t *)engine->poll);
}

void rmr_kick_if_idle(const struct rmr_engine *engine) {
  if (!engine->is_polling && !engine->is_closed) kick(engine);
}

static void drop_holder(struct rmr_engine *engine) {
  if (--engine->holders > 0) return;
  free(engine->lines.items);
  free(engine->listeners.items);
  free(engine->regions.items);
  free(engine);
}

static void on_closed(uv_handle_t *handle) {
  struct rmr_engine *engine = uv_handle_get_data(handle);
  if (engine->cleanup != NULL) napi_remove_async_cleanup_hook(engine->cleanup);
  free(handle);
  drop_holder(engine);
}

/* Queue pairs first, then the memory that they reach, then the devices. */
static void close_all(struct rmr_engine *engine) {
  if (engine->is_closed) return;
  engine->is_closed = true;
  for (int number = 0; number < engine->lines.count; number++) {
    struct rmr_line *line = rmr_list_at(&engine->lines, number);
    if (line != NULL) rmr_line_close(line);
  }
  for (int number = 0; number < engine->listeners.count; number++) {
    struct rmr_listener *listener = rmr_list_at(&engine->listeners, number);
    if (listener != NULL) rmr_listener_close(listener);
  }
  for (int number = 0; number < engine->regions.count; number++) {
    rmr_region_close(engine, number);
  }
  rmr_close_devices(engine);
  if (engine->held != NULL) rdma_free_devices(engine->held);
  engine->held = NULL;
  if (engine->channel != NULL) rdma_destroy_event_channel(engine->channel);
  if (engine->timer >= 0) close(engine->timer);
  if (engine->kick >= 0) close(engine->kick);
  if (engine->set >= 0) close(engine->set);
  for (int arena = 0; arena < engine->arena_count; arena++) {
    rmr_let_go(engine->env, &engine->arenas[arena]);
  }
  rmr_let_go(engine->env, &engine->words);
  if (engine->on_turn != NULL) napi_delete_reference(engine->env, engine->on_turn);
  if (engine->context != NULL) napi_async_destroy(engine->env, engine->context);
  if (engine->poll != NULL) uv_close((uv_handle_t *)engine->poll, on_closed);
}

/* The thread ends: Node waits until its loop is empty. */
static void end_engine(napi_async_cleanup_hook_handle hook, void *data) {
  struct rmr_engine *engine = data;
  if (engine->is_closed) return;
  (void)hook;
  close_all(engine);
}

static void forget_engine(napi_env env, void *data, void *hint) {
  (void)env;
  (void)hint;
  struct rmr_engine *engine = data;
  close_all(engine);
  drop_holder(engine);
}

static bool hold_arenas(napi_env env, napi_value arenas, struct rmr_engine *engine) {
  uint32_t count;
  if (napi_get_array_length(env, arenas, &count) != napi_ok || count > RMR_ARENAS_MAX) return false;
  for (uint32_t nth = 0; nth < count; nth++) {
    napi_value arena;
    if (napi_get_element(env, arenas, nth, &arena) != napi_ok ||
        !rmr_hold(env, arena, &engine->arenas[nth])) {
      return false;
    }
    engine->arena_count++;
  }
  return true;
}

static bool lay_out(struct rmr_engine *engine) {
  struct rmr_table *table = &engine->table;
  const size_t arrivals = RMR_ARRIVALS_MAX * RMR_ARRIVAL_WORDS * sizeof(int32_t);
  const size_t posts = RMR_POSTS_MAX * RMR_POST_WORDS * sizeof(int32_t);
  if (engine->words.size != arrivals + posts + RMR_TEXTS_BYTES) return false;
  table->arrivals = (int32_t *)(void *)engine->words.bytes;
  table->posts = (int32_t *)(void *)(engine->words.bytes + arrivals);
  table->texts = engine->words.bytes + arrivals + posts;
  return true;
}

/* 0, or an errno. */
static int watch(const struct rmr_engine *engine, int fd, uint64_t what) {
  struct epoll_event event = {.events = EPOLLIN, .data.u64 = what};
  return epoll_ctl(engine->set, EPOLL_CTL_ADD, fd, &event) == 0 ? 0 : errno;
}

/* 0, or an errno. */
static int open_channel(struct rmr_engine *engine) {
  engine->set = epoll_create1(EPOLL_CLOEXEC);
  if (engine->set < 0) return errno;
  errno = 0;
  engine->channel = rdma_create_event_channel();
  if (engine->channel == NULL) return errno == 0 ? ENODEV : errno;
  const int flags = fcntl(engine->channel->fd, F_GETFL);
  if (flags < 0 || fcntl(engine->channel->fd, F_SETFL, flags | O_NONBLOCK) != 0) return errno;
  return watch(engine, engine->channel->fd, OF_MANAGER);
}

/* 0, or an errno. */
static int start_timer(struct rmr_engine *engine) {
  const struct timespec second = {.tv_sec = LOOK_FOR_DEVICES_S};
  const struct itimerspec often = {.it_interval = second, .it_value = second};
  engine->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  if (engine->timer < 0 || timerfd_settime(engine->timer, 0, &often, NULL) != 0) return errno;
  engine->kick = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (engine->kick < 0) return errno;
  const int error = watch(engine, engine->timer, OF_TIMER);
  return error != 0 ? error : watch(engine, engine->kick, OF_KICK);
}

static bool join_loop(napi_env env, struct rmr_engine *engine) {
  napi_value name;
  engine->poll = calloc(1, uv_handle_size(RMR_UV_POLL));
  if (engine->poll == NULL) return false;
  uv_handle_set_data((uv_handle_t *)engine->poll, engine);
  if (napi_get_uv_event_loop(env, &engine->loop) != napi_ok ||
      uv_poll_init(engine->loop, engine->poll, engine->set) != 0) {
    free(engine->poll);
    engine->poll = NULL;
    return false;
  }
  engine->holders++;
  if (uv_poll_start(engine->poll, RMR_UV_READABLE, on_poll) != 0) return false;
  uv_unref((uv_handle_t *)engine->poll);
  return napi_create_string_utf8(env, "rmr-rdma", NAPI_AUTO_LENGTH, &name) == napi_ok &&
         napi_async_init(env, NULL, name, &engine->context) == napi_ok &&
         napi_add_async_cleanup_hook(env, end_engine, engine, &engine->cleanup) == napi_ok;
}

/*
 * openEngine(words, arenas, onTurn, microseconds): an engine, or the code of why there is none.
 * Words are shared as table.h says; after a turn it waits awake for so long.
 */
static napi_value open_engine(napi_env env, napi_callback_info info) {
  napi_value args[4];
  napi_value result;
  uint32_t microseconds;
  if (!rmr_args(env, info, 4, args)) return NULL;
  RMR_CHECK(env, napi_get_value_uint32(env, args[3], &microseconds));
  struct rmr_engine *engine = calloc(1, sizeof *engine);
  if (engine == NULL) return rmr_int_value(env, WHY_NO_MEMORY);
  engine->env = env;
  engine->set = -1;
  engine->timer = -1;
  engine->kick = -1;
  engine->holders = 1;
  if (microseconds > WINDOW_US_MAX) microseconds = WINDOW_US_MAX;
  engine->window_ns = (int64_t)microseconds * 1000;
  int error = open_channel(engine);
  if (error == 0) error = start_timer(engine);
  const bool is_open = error == 0 && rmr_hold(env, args[0], &engine->words) && lay_out(engine) &&
                       hold_arenas(env, args[1], engine) &&
                       napi_create_reference(env, args[2], 1, &engine->on_turn) == napi_ok &&
                       join_loop(env, engine);
  if (is_open) rmr_watch_devices(engine);
  if (is_open && napi_create_external(env, engine, forget_engine, NULL, &result) == napi_ok) {
    return result;
  }
  forget_engine(env, engine, NULL);
  bool is_pending = false;
  napi_is_exception_pending(env, &is_pending);
  return is_pending ? NULL : rmr_int_value(env, error == 0 ? WHY_INVALID : rmr_why_of_errno(error));
}

/* closeEngine(engine): idempotent. */
static napi_value close_engine(napi_env env, napi_callback_info info) {
  napi_value args[1];
  if (!rmr_args(env, info, 1, args)) return NULL;
  struct rmr_engine *engine = rmr_engine_of(env, args[0]);
  if (engine != NULL) close_all(engine);
  return NULL;
}

/*
 * tell(engine): a turn that JavaScript wants. How many rows there are of lines that broke; what
 * devices have to tell is left to the loop, which alone arms them again.
 */
static napi_value tell(napi_env env, napi_callback_info info) {
  napi_value args[1];
  if (!rmr_args(env, info, 1, args)) return NULL;
  struct rmr_engine *engine = rmr_engine_of(env, args[0]);
  if (engine == NULL) return NULL;
  if (engine->is_closed) return rmr_int_value(env, 0);
  begin_turn(engine);
  tell_of_lines(engine);
  return rmr_int_value(env, engine->table.arrival_count);
}

/* wake(engine): a turn from the loop, soon. */
static napi_value wake(napi_env env, napi_callback_info info) {
  napi_value args[1];
  if (!rmr_args(env, info, 1, args)) return NULL;
  const struct rmr_engine *engine = rmr_engine_of(env, args[0]);
  if (engine != NULL && !engine->is_closed) kick(engine);
  return NULL;
}

int rmr_export_engine(napi_env env, napi_value exports) {
  return rmr_export(env, exports, "openEngine", open_engine) &&
         rmr_export(env, exports, "closeEngine", close_engine) &&
         rmr_export(env, exports, "tell", tell) && rmr_export(env, exports, "wake", wake);
}
