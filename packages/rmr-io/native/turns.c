/*
 * Turns: whatever of ours is ready, sockets and files alike, is handed over in one go.
 *
 * All descriptors are in one set of the kernel's, which is in Node's loop. When something is ready,
 * each source that is gets its call and JavaScript is told what it brings; when all of them had
 * theirs, it is told that the turn is over, and does what it gathered.
 */
#define _GNU_SOURCE
#include "turns.h"

#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

/* Sources of one turn. */
#define READY_MAX 128

struct rmr_turns *rmr_turns_of(napi_env env) {
  const struct rmr_instance *instance = rmr_instance_of(env);
  return instance == NULL ? NULL : instance->turns;
}

void rmr_turns_watch(struct rmr_turns *turns, struct rmr_source *source, int fd, uint32_t *events,
                     uint32_t wanted) {
  if (*events == wanted) return;
  struct epoll_event event = {.events = wanted, .data.ptr = source};
  /* A descriptor that nobody waits for must not be in the set: its end would be told for ever. */
  const int what = wanted == 0 ? EPOLL_CTL_DEL : *events == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
  *events = wanted;
  epoll_ctl(turns->set, what, fd, &event);
}

/* Calls JavaScript. An exception is nobody's to catch here. */
int rmr_turns_call(struct rmr_turns *turns, napi_ref function_ref, size_t count,
                   const napi_value *args) {
  napi_env env = turns->env;
  napi_value function;
  napi_value receiver;
  napi_value answer;
  bool is_yes = false;
  if (napi_get_reference_value(env, function_ref, &function) != napi_ok ||
      napi_get_undefined(env, &receiver) != napi_ok) {
    return 0;
  }
  const napi_status status = napi_call_function(env, receiver, function, count, args, &answer);
  if (status == napi_pending_exception) {
    napi_value error;
    if (napi_get_and_clear_last_exception(env, &error) == napi_ok) napi_fatal_exception(env, error);
    return 0;
  }
  return status == napi_ok && napi_get_value_bool(env, answer, &is_yes) == napi_ok && is_yes;
}

static void run_sources(struct rmr_turns *turns, struct epoll_event *ready, int count) {
  turns->is_in_turn = 1;
  for (int at = 0; at < count; at++) {
    struct rmr_source *source = ready[at].data.ptr;
    source->on_ready(source, ready[at].events);
  }
  turns->is_in_turn = 0;
  if (turns->sockets != NULL) rmr_end_turn_of_sockets(turns->sockets);
  rmr_turns_call(turns, turns->on_turn_end, 0, NULL);
}

/* One turn of JavaScript: what was ready, the end of the turn, and what promises follow. */
static void run_turn(struct rmr_turns *turns, struct epoll_event *ready, int count) {
  napi_env env = turns->env;
  napi_handle_scope scope;
  napi_callback_scope callbacks;
  napi_value resource;
  if (napi_open_handle_scope(env, &scope) != napi_ok) return;
  /* Node ignores the resource. */
  if (napi_get_undefined(env, &resource) == napi_ok &&
      napi_open_callback_scope(env, resource, turns->context, &callbacks) == napi_ok) {
    run_sources(turns, ready, count);
    napi_close_callback_scope(env, callbacks);
  }
  napi_close_handle_scope(env, scope);
}

static void on_poll(uv_poll_t *poll, int status, int events) {
  (void)status;
  (void)events;
  struct rmr_turns *turns = uv_handle_get_data((uv_handle_t *)poll);
  struct epoll_event ready[READY_MAX];
  rmr_linger_begin(turns->linger);
  int count = epoll_wait(turns->set, ready, READY_MAX, 0);
  while (count > 0) {
    run_turn(turns, ready, count);
    if (turns->user_count == 0) return;
    count = rmr_linger(turns->linger, turns->loop, turns->set, ready, READY_MAX);
  }
}

int rmr_turns_use(struct rmr_turns *turns) {
  if (turns->user_count == 0 && uv_poll_start(turns->poll, RMR_UV_READABLE, on_poll) != 0) return 0;
  turns->user_count++;
  return 1;
}

void rmr_turns_unuse(struct rmr_turns *turns) {
  if (--turns->user_count == 0) uv_poll_stop(turns->poll);
}

static void on_closed(uv_handle_t *handle) {
  struct rmr_turns *turns = uv_handle_get_data(handle);
  napi_remove_async_cleanup_hook(turns->cleanup);
  close(turns->set);
  free(turns->poll);
  free(turns);
}

/* The thread ends: whatever is open is closed, and Node waits until its loop is empty. */
static void end_turns(napi_async_cleanup_hook_handle hook, void *data) {
  (void)hook;
  struct rmr_turns *turns = data;
  if (turns->files != NULL) rmr_end_files(turns->files);
  if (turns->sockets != NULL) rmr_end_sockets(turns->sockets);
  /* Node gives back no reference that is not deleted, also at the end. */
  napi_delete_reference(turns->env, turns->on_turn_end);
  napi_async_destroy(turns->env, turns->context);
  uv_close((uv_handle_t *)turns->poll, on_closed);
}

static napi_value init_turns(napi_env env, struct rmr_turns *turns, napi_value on_turn_end) {
  napi_value name;
  RMR_CHECK(env, napi_create_reference(env, on_turn_end, 1, &turns->on_turn_end));
  RMR_CHECK(env, napi_create_string_utf8(env, "rmr:turns", NAPI_AUTO_LENGTH, &name));
  RMR_CHECK(env, napi_async_init(env, NULL, name, &turns->context));
  RMR_CHECK(env, napi_get_uv_event_loop(env, &turns->loop));
  if (turns->set < 0 || uv_poll_init(turns->loop, turns->poll, turns->set) != 0) {
    napi_throw_error(env, NULL, "no descriptor for what is waited for");
    return NULL;
  }
  uv_handle_set_data((uv_handle_t *)turns->poll, turns);
  RMR_CHECK(env, napi_add_async_cleanup_hook(env, end_turns, turns, &turns->cleanup));
  return name;
}

/* startTurns(onTurnEnd): once, before there is a socket or a file. */
static napi_value start_turns(napi_env env, napi_callback_info info) {
  size_t count = 1;
  napi_value args[1];
  RMR_CHECK(env, napi_get_cb_info(env, info, &count, args, NULL, NULL));
  struct rmr_instance *instance = rmr_instance_of(env);
  if (instance == NULL || instance->turns != NULL) return NULL;
  struct rmr_turns *turns = calloc(1, sizeof *turns);
  uv_poll_t *poll = calloc(1, uv_handle_size(RMR_UV_POLL));
  if (turns == NULL || poll == NULL) {
    free(turns);
    free(poll);
    napi_throw_error(env, NULL, "no memory for turns");
    return NULL;
  }
  turns->env = env;
  turns->poll = poll;
  turns->linger = &instance->linger;
  turns->set = epoll_create1(EPOLL_CLOEXEC);
  if (init_turns(env, turns, args[0]) == NULL) {
    /* The loop may know the handle: what was made stays, and is of no use. */
    if (turns->set >= 0) close(turns->set);
    return NULL;
  }
  instance->turns = turns;
  return NULL;
}

int rmr_export_turns(napi_env env, napi_value exports) {
  return rmr_export(env, exports, "startTurns", start_turns);
}
