/*
 * An engine: what waits in Node's loop for all devices of an endpoint.
 *
 * The channel of each device, which tells of completions, is the loop's to watch; everything that
 * happens rarely is in one set beside them. What comes of it are turns (turns.c).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "codes.h"
#include "rdma.h"

#define LOOK_FOR_DEVICES_S 1
#define WINDOW_US_MAX 1000

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
  if (!engine->is_polling && !engine->is_closed) rmr_kick(engine);
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
  free(handle);
  const bool is_last = --engine->handle_count == 0 && engine->is_closed;
  if (is_last && engine->cleanup != NULL) napi_remove_async_cleanup_hook(engine->cleanup);
  drop_holder(engine);
}

uv_poll_t *rmr_poll(struct rmr_engine *engine, int fd, void *data, uv_poll_cb on_ready) {
  uv_poll_t *poll = calloc(1, uv_handle_size(RMR_UV_POLL));
  if (poll == NULL) return NULL;
  if (uv_poll_init(engine->loop, poll, fd) != 0) {
    free(poll);
    return NULL;
  }
  engine->handle_count++;
  engine->holders++;
  uv_handle_set_data((uv_handle_t *)poll, data);
  uv_unref((uv_handle_t *)poll);
  if (uv_poll_start(poll, RMR_UV_READABLE, on_ready) == 0) return poll;
  rmr_poll_end(engine, poll);
  return NULL;
}

void rmr_poll_end(struct rmr_engine *engine, uv_poll_t *poll) {
  uv_handle_set_data((uv_handle_t *)poll, engine);
  uv_close((uv_handle_t *)poll, on_closed);
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
  if (engine->poll != NULL) rmr_poll_end(engine, engine->poll);
  if (engine->set >= 0) close(engine->set);
  for (int arena = 0; arena < engine->arena_count; arena++) {
    rmr_let_go(engine->env, &engine->arenas[arena]);
  }
  rmr_let_go(engine->env, &engine->words);
  if (engine->on_turn != NULL) napi_delete_reference(engine->env, engine->on_turn);
  if (engine->context != NULL) napi_async_destroy(engine->env, engine->context);
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
  return watch(engine, engine->channel->fd, RMR_OF_MANAGER);
}

/* 0, or an errno. */
static int start_timer(struct rmr_engine *engine) {
  const struct timespec second = {.tv_sec = LOOK_FOR_DEVICES_S};
  const struct itimerspec often = {.it_interval = second, .it_value = second};
  engine->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  if (engine->timer < 0 || timerfd_settime(engine->timer, 0, &often, NULL) != 0) return errno;
  engine->kick = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (engine->kick < 0) return errno;
  const int error = watch(engine, engine->timer, RMR_OF_TIMER);
  return error != 0 ? error : watch(engine, engine->kick, RMR_OF_KICK);
}

static bool join_loop(napi_env env, struct rmr_engine *engine) {
  napi_value name;
  if (napi_get_uv_event_loop(env, &engine->loop) != napi_ok) return false;
  engine->poll = rmr_poll(engine, engine->set, engine, rmr_on_set);
  return engine->poll != NULL &&
         napi_create_string_utf8(env, "rmr-rdma", NAPI_AUTO_LENGTH, &name) == napi_ok &&
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
  rmr_begin_turn(engine);
  rmr_tell_of_lines(engine);
  return rmr_int_value(env, engine->table.arrival_count);
}

/* wake(engine): a turn from the loop, soon. */
static napi_value wake(napi_env env, napi_callback_info info) {
  napi_value args[1];
  if (!rmr_args(env, info, 1, args)) return NULL;
  struct rmr_engine *engine = rmr_engine_of(env, args[0]);
  if (engine == NULL || engine->is_closed) return NULL;
  if (engine->is_polling) engine->is_kicked = true;
  else rmr_kick(engine);
  return NULL;
}

int rmr_export_engine(napi_env env, napi_value exports) {
  return rmr_export(env, exports, "openEngine", open_engine) &&
         rmr_export(env, exports, "closeEngine", close_engine) &&
         rmr_export(env, exports, "tell", tell) && rmr_export(env, exports, "wake", wake);
}
