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

/* The thread ends. */
void rmr_end_sockets(struct rmr_sockets *all) {
  for (int number = 0; number < all->number_next; number++) {
    if (all->by_number[number] != NULL) rmr_close_socket(all->by_number[number]);
  }
  rmr_ring_close(&all->ring);
  free(all);
}

/* Of this thread, made with its first engine; NULL with a pending exception. */
static struct rmr_sockets *sockets_of(napi_env env) {
  struct rmr_turns *turns = rmr_turns_of(env);
  if (turns != NULL && turns->sockets == NULL) {
    struct rmr_sockets *all = calloc(1, sizeof *all);
    if (all != NULL) {
      all->turns = turns;
      rmr_ring_open(&all->ring, RMR_MESSAGES_MAX, 2 * RMR_MESSAGES_MAX);
    }
    turns->sockets = all;
  }
  if (turns != NULL && turns->sockets != NULL) return turns->sockets;
  napi_throw_error(env, NULL, "no memory for sockets, or turns were not started");
  return NULL;
}

/* JavaScript is told nothing any more, and has the memory to itself. */
static void end_references(napi_env env, struct rmr_engine *engine) {
  napi_ref *references[] = {&engine->on_event, &engine->chunk_memory, &engine->words_memory};
  for (size_t at = 0; at < sizeof references / sizeof references[0]; at++) {
    if (*references[at] != NULL) napi_delete_reference(env, *references[at]);
    *references[at] = NULL;
  }
}

/* Its memory has been collected, or the thread has ended before it was closed. */
static void end_engine(napi_env env, void *data, void *hint) {
  (void)hint;
  end_references(env, data);
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
  struct rmr_sockets *all = sockets_of(env);
  if (all == NULL) return NULL;
  struct rmr_engine *engine = calloc(1, sizeof *engine);
  if (engine == NULL) {
    napi_throw_error(env, NULL, "no memory for an engine of sockets");
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
  if (!rmr_turns_use(all->turns)) {
    free(socket);
    return NULL;
  }
  socket->source.on_ready = rmr_on_socket_ready;
  socket->engine = engine;
  socket->place.slot = NO_SLOT;
  socket->fd = fd;
  socket->is_open = 1;
  const int is_known = all->free_count > 0;
  socket->number = is_known ? all->free_numbers[--all->free_count] : all->number_next++;
  all->by_number[socket->number] = socket;
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

/* copyFd(fd): another descriptor of the same, or a negative errno. */
static napi_value copy_fd(napi_env env, napi_callback_info info) {
  size_t count = 1;
  napi_value args[1];
  napi_value number;
  int32_t fd;
  RMR_CHECK(env, napi_get_cb_info(env, info, &count, args, NULL, NULL));
  RMR_CHECK(env, napi_get_value_int32(env, args[0], &fd));
  const int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
  RMR_CHECK(env, napi_create_int32(env, copy < 0 ? -errno : copy, &number));
  return number;
}

struct rmr_socket *rmr_socket_of(napi_env env, napi_value value) {
  int32_t number;
  RMR_CHECK(env, napi_get_value_int32(env, value, &number));
  const struct rmr_turns *turns = rmr_turns_of(env);
  struct rmr_sockets *all = turns == NULL ? NULL : turns->sockets;
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
  socket->place = socket->engine->words->place;
  rmr_watch(socket, socket->events | (uint32_t)EPOLLIN);
  return NULL;
}

/* sealFrames(engine, slot, count): the first seals of the words, in the memory of a slot. */
static napi_value seal_frames(napi_env env, napi_callback_info info) {
  size_t arg_count = 3;
  napi_value args[3];
  void *data;
  uint32_t slot;
  uint32_t count;
  RMR_CHECK(env, napi_get_cb_info(env, info, &arg_count, args, NULL, NULL));
  RMR_CHECK(env, napi_get_value_external(env, args[0], &data));
  RMR_CHECK(env, napi_get_value_uint32(env, args[1], &slot));
  RMR_CHECK(env, napi_get_value_uint32(env, args[2], &count));
  const struct rmr_engine *engine = data;
  const struct rmr_instance *instance = rmr_instance_of(env);
  uint8_t *bytes = instance == NULL ? NULL : rmr_slot_memory(instance, slot, 0, 1);
  int is_right = bytes != NULL && engine->on_event != NULL && count <= SEALS_MAX;
  for (uint32_t nth = 0; is_right && nth < count; nth++) {
    const struct rmr_seal *seal = &engine->words->seals[nth];
    is_right = rmr_frame_seal(&engine->words->shape, seal, bytes, instance->slots[slot].size);
  }
  if (!is_right) napi_throw_range_error(env, NULL, "a head outside of the memory of its slot");
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
  end_references(env, engine);
  return NULL;
}

int rmr_export_sockets(napi_env env, napi_value exports) {
  return rmr_export(env, exports, "openSockets", open_sockets) &&
         rmr_export(env, exports, "openSocket", open_socket) &&
         rmr_export(env, exports, "copyFd", copy_fd) &&
         rmr_export(env, exports, "readSocket", read_socket) &&
         rmr_export(env, exports, "sealFrames", seal_frames) &&
         rmr_export(env, exports, "closeSocket", close_socket_number) &&
         rmr_export(env, exports, "closeSockets", close_sockets) &&
         rmr_export_socket_writes(env, exports);
}
