/*
 * Connections without the streams of Node: descriptors in a set of the kernel's, which is in Node's
 * loop. Here is JavaScript's side but for writes (socket-writes.c); socket-loop.c is the loop's.
 *
 * No memory of JavaScript is kept between two calls but that of arenas and of the common chunk,
 * which do not move (sums.c says why), and nothing is allocated for a read or a write.
 *
 * A socket has one descriptor, a copy that is its own, and a number that JavaScript names it by,
 * which is free again when it is closed.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sockets.h"

static void on_closed(uv_handle_t *handle) {
  struct rmr_sockets *all = uv_handle_get_data(handle);
  napi_remove_async_cleanup_hook(all->cleanup);
  close(all->set);
  rmr_ring_close(&all->ring);
  free(all->poll);
  free(all);
}

/* The thread ends: whatever is open is closed, and Node waits until its loop is empty. */
static void end_all(napi_async_cleanup_hook_handle hook, void *data) {
  (void)hook;
  struct rmr_sockets *all = data;
  for (int number = 0; number < all->number_next; number++) {
    if (all->by_number[number] != NULL) rmr_close_socket(all->by_number[number]);
  }
  uv_close((uv_handle_t *)all->poll, on_closed);
}

static napi_value init_sockets(napi_env env, struct rmr_sockets *all, napi_value on_batch_end) {
  napi_value name;
  RMR_CHECK(env, napi_create_reference(env, on_batch_end, 1, &all->on_batch_end));
  RMR_CHECK(env, napi_create_string_utf8(env, "rmr:sockets", NAPI_AUTO_LENGTH, &name));
  RMR_CHECK(env, napi_async_init(env, NULL, name, &all->context));
  RMR_CHECK(env, napi_get_uv_event_loop(env, &all->loop));
  if (all->set < 0 || uv_poll_init(all->loop, all->poll, all->set) != 0) {
    napi_throw_error(env, NULL, "no descriptor for a set of sockets");
    return NULL;
  }
  uv_handle_set_data((uv_handle_t *)all->poll, all);
  RMR_CHECK(env, napi_add_async_cleanup_hook(env, end_all, all, &all->cleanup));
  return name;
}

/* startSockets(onBatchEnd): once, before there is a socket. */
static napi_value start_sockets(napi_env env, napi_callback_info info) {
  size_t count = 1;
  napi_value args[1];
  RMR_CHECK(env, napi_get_cb_info(env, info, &count, args, NULL, NULL));
  struct rmr_instance *instance = rmr_instance_of(env);
  if (instance == NULL || instance->sockets != NULL) return NULL;
  struct rmr_sockets *all = calloc(1, sizeof *all);
  uv_poll_t *poll = calloc(1, uv_handle_size(RMR_UV_POLL));
  if (all == NULL || poll == NULL) {
    free(all);
    free(poll);
    napi_throw_error(env, NULL, "no memory for sockets");
    return NULL;
  }
  all->env = env;
  all->poll = poll;
  all->linger = &instance->linger;
  all->set = epoll_create1(EPOLL_CLOEXEC);
  rmr_ring_open(&all->ring);
  if (init_sockets(env, all, args[0]) == NULL) {
    /* The loop may know the handle: what was made stays, and is of no use. */
    if (all->set >= 0) close(all->set);
    return NULL;
  }
  instance->sockets = all;
  return NULL;
}

static void end_engine(napi_env env, void *data, void *hint) {
  (void)env;
  (void)hint;
  rmr_drop_engine(data);
}

static napi_value make_engine(napi_env env, struct rmr_engine *engine, napi_value chunk,
                              napi_value on_event) {
  napi_value words;
  napi_value result;
  void *bytes;
  RMR_CHECK(env, napi_get_arraybuffer_info(env, chunk, &bytes, &engine->chunk_bytes));
  engine->chunk = bytes;
  RMR_CHECK(env, napi_create_reference(env, chunk, 1, &engine->chunk_memory));
  RMR_CHECK(env, napi_create_reference(env, on_event, 1, &engine->on_event));
  void **memory = (void **)&engine->words;
  RMR_CHECK(env, napi_create_arraybuffer(env, sizeof *engine->words, memory, &words));
  RMR_CHECK(env, napi_create_reference(env, words, 1, &engine->words_memory));
  RMR_CHECK(env, napi_create_external(env, engine, end_engine, NULL, &result));
  RMR_CHECK(env, napi_set_named_property(env, words, "engine", result));
  return words;
}

/*
 * openSockets(chunk, onEvent): an engine, as the property of the memory in which JavaScript says
 * where the next read goes.
 */
static napi_value open_sockets(napi_env env, napi_callback_info info) {
  size_t count = 2;
  napi_value args[2];
  RMR_CHECK(env, napi_get_cb_info(env, info, &count, args, NULL, NULL));
  const struct rmr_instance *instance = rmr_instance_of(env);
  struct rmr_sockets *all = instance == NULL ? NULL : instance->sockets;
  struct rmr_engine *engine = all == NULL ? NULL : calloc(1, sizeof *engine);
  if (engine == NULL) {
    napi_throw_error(env, NULL, "no memory for sockets, or they were not started");
    return NULL;
  }
  engine->all = all;
  engine->users = 1;
  return make_engine(env, engine, args[0], args[1]);
}

static struct rmr_socket *new_socket(struct rmr_engine *engine, int fd) {
  struct rmr_sockets *all = engine->all;
  if (all->free_count == 0 && all->number_next == SOCKETS_MAX) return NULL;
  struct rmr_socket *socket = calloc(1, sizeof *socket);
  if (socket == NULL) return NULL;
  if (all->open_count == 0 && uv_poll_start(all->poll, RMR_UV_READABLE, rmr_on_poll) != 0) {
    free(socket);
    return NULL;
  }
  socket->engine = engine;
  socket->place.slot = NO_SLOT;
  socket->fd = fd;
  socket->is_open = 1;
  const int is_known = all->free_count > 0;
  socket->number = is_known ? all->free_numbers[--all->free_count] : all->number_next++;
  all->by_number[socket->number] = socket;
  all->open_count++;
  engine->users++;
  return socket;
}

/* openSocket(engine, fd): a number for a copy of a descriptor, or a negative errno. */
static napi_value open_socket(napi_env env, napi_callback_info info) {
  size_t count = 2;
  napi_value args[2];
  napi_value number;
  void *data;
  int32_t fd;
  RMR_CHECK(env, napi_get_cb_info(env, info, &count, args, NULL, NULL));
  RMR_CHECK(env, napi_get_value_external(env, args[0], &data));
  RMR_CHECK(env, napi_get_value_int32(env, args[1], &fd));
  struct rmr_engine *engine = data;
  const int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
  int result = copy < 0 ? -errno : -ENOMEM;
  if (copy >= 0) {
    const struct rmr_socket *socket = engine->on_event == NULL ? NULL : new_socket(engine, copy);
    if (socket != NULL) result = socket->number;
    else close(copy);
  }
  RMR_CHECK(env, napi_create_int32(env, result, &number));
  return number;
}

struct rmr_socket *rmr_socket_of(napi_env env, napi_value value) {
  int32_t number;
  RMR_CHECK(env, napi_get_value_int32(env, value, &number));
  const struct rmr_instance *instance = rmr_instance_of(env);
  struct rmr_sockets *all = instance == NULL ? NULL : instance->sockets;
  const bool is_number = all != NULL && number >= 0 && number < all->number_next;
  struct rmr_socket *socket = is_number ? all->by_number[number] : NULL;
  if (socket == NULL) napi_throw_range_error(env, NULL, "no such socket is open");
  return socket;
}

/* readSocket(number): reads from now on, first to the place in the words. */
static napi_value read_socket(napi_env env, napi_callback_info info) {
  size_t count = 1;
  napi_value args[1];
  RMR_CHECK(env, napi_get_cb_info(env, info, &count, args, NULL, NULL));
  struct rmr_socket *socket = rmr_socket_of(env, args[0]);
  if (socket == NULL) return NULL;
  socket->place = *socket->engine->words;
  rmr_watch(socket, socket->events | (uint32_t)EPOLLIN);
  return NULL;
}

/* closeSocket(number): nothing is read or written any more; the number is free. */
static napi_value close_socket_number(napi_env env, napi_callback_info info) {
  size_t count = 1;
  napi_value args[1];
  RMR_CHECK(env, napi_get_cb_info(env, info, &count, args, NULL, NULL));
  struct rmr_socket *socket = rmr_socket_of(env, args[0]);
  if (socket != NULL) rmr_close_socket(socket);
  return NULL;
}

/* closeSockets(engine): its sockets are closed, and JavaScript is told nothing any more. */
static napi_value close_sockets(napi_env env, napi_callback_info info) {
  size_t count = 1;
  napi_value args[1];
  void *data;
  RMR_CHECK(env, napi_get_cb_info(env, info, &count, args, NULL, NULL));
  RMR_CHECK(env, napi_get_value_external(env, args[0], &data));
  struct rmr_engine *engine = data;
  struct rmr_sockets *all = engine->all;
  for (int number = 0; number < all->number_next; number++) {
    struct rmr_socket *socket = all->by_number[number];
    if (socket != NULL && socket->engine == engine) rmr_close_socket(socket);
  }
  if (engine->on_event == NULL) return NULL;
  RMR_CHECK(env, napi_delete_reference(env, engine->on_event));
  engine->on_event = NULL;
  RMR_CHECK(env, napi_delete_reference(env, engine->chunk_memory));
  RMR_CHECK(env, napi_delete_reference(env, engine->words_memory));
  return NULL;
}

int rmr_export_sockets(napi_env env, napi_value exports) {
  return rmr_export(env, exports, "startSockets", start_sockets) &&
         rmr_export(env, exports, "openSockets", open_sockets) &&
         rmr_export(env, exports, "openSocket", open_socket) &&
         rmr_export(env, exports, "readSocket", read_socket) &&
         rmr_export(env, exports, "closeSocket", close_socket_number) &&
         rmr_export(env, exports, "closeSockets", close_sockets) &&
         rmr_export_socket_writes(env, exports);
}
