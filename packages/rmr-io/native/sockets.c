/*
 * Connections without the streams of Node: descriptors in a set of the kernel's, which is in Node's
 * loop, so that everything that is ready is handed over in one batch.
 *
 * Bytes are read into memory that JavaScript named, and JavaScript is called with how many there
 * are; when all that was ready has been read, it is told that the batch is over, and does what it
 * gathered. What is written goes to the kernel in the call, as far as the kernel takes it; the rest
 * is the caller's, who is told when there is room again. So no memory of JavaScript is kept here
 * between two calls but that of arenas and of the common chunk, which do not move (sums.c says
 * why), and nothing is allocated for a read or a write.
 *
 * A socket has one descriptor, a copy that is its own, and a number that JavaScript names it by.
 * The number is free again when the socket is closed; its memory is when the batch is over.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "addon.h"
#include "loop.h"

/* What JavaScript is told, in SOCKET_* of src/native-addon.ts. */
enum { SOCKET_CHUNK, SOCKET_DIRECT, SOCKET_ENDED, SOCKET_FAILED, SOCKET_ROOM };

/* Sockets of one batch, and reads of one socket before the others have their turn. */
#define READY_MAX 128
#define READS_MAX 16
#define PIECES_MAX 160
#define SOCKETS_MAX 65536
#define NO_SLOT (-1)

/* Where the next read goes, said by JavaScript before it is due: a slot and a part of it. */
struct rmr_place {
  double slot;
  double at;
  double bytes;
};

struct rmr_socket {
  struct rmr_engine *engine;
  /* Of those that are closed and that a batch may still name. */
  struct rmr_socket *next_closed;
  struct rmr_place place;
  int number;
  int fd;
  uint32_t events;
  int is_open;
};

/* The sockets of one engine of JavaScript. */
struct rmr_engine {
  struct rmr_sockets *all;
  napi_ref on_event;
  napi_ref chunk_memory;
  napi_ref words_memory;
  uint8_t *chunk;
  size_t chunk_bytes;
  struct rmr_place *words;
  /* Its sockets, as long as they have memory, and one for JavaScript. */
  size_t users;
};

/* Of one thread of Node. */
struct rmr_sockets {
  napi_env env;
  napi_async_context context;
  napi_ref on_batch_end;
  napi_async_cleanup_hook_handle cleanup;
  uv_poll_t *poll;
  int set;
  int open_count;
  int is_in_batch;
  struct rmr_socket *closed;
  struct rmr_socket *by_number[SOCKETS_MAX];
  int number_next;
  int free_count;
  int free_numbers[SOCKETS_MAX];
};

static void drop_engine(struct rmr_engine *engine) {
  if (--engine->users == 0) free(engine);
}

static void free_closed(struct rmr_sockets *all) {
  while (all->closed != NULL) {
    struct rmr_socket *socket = all->closed;
    all->closed = socket->next_closed;
    drop_engine(socket->engine);
    free(socket);
  }
}

static void on_poll(uv_poll_t *poll, int status, int events);

static void watch(struct rmr_socket *socket, uint32_t events) {
  if (socket->events == events) return;
  struct epoll_event event = {.events = events, .data.ptr = socket};
  /* A descriptor that nobody waits for must not be in the set: its end would be told for ever. */
  const int what =
      events == 0 ? EPOLL_CTL_DEL : socket->events == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
  socket->events = events;
  epoll_ctl(socket->engine->all->set, what, socket->fd, &event);
}

static void close_socket(struct rmr_socket *socket) {
  struct rmr_sockets *all = socket->engine->all;
  if (!socket->is_open) return;
  watch(socket, 0);
  close(socket->fd);
  socket->is_open = 0;
  all->by_number[socket->number] = NULL;
  all->free_numbers[all->free_count++] = socket->number;
  socket->next_closed = all->closed;
  all->closed = socket;
  if (!all->is_in_batch) free_closed(all);
  if (--all->open_count == 0) uv_poll_stop(all->poll);
}

static void on_closed(uv_handle_t *handle) {
  struct rmr_sockets *all = uv_handle_get_data(handle);
  napi_remove_async_cleanup_hook(all->cleanup);
  close(all->set);
  free(all->poll);
  free(all);
}

/* The thread ends: whatever is open is closed, and Node waits until its loop is empty. */
static void end_all(napi_async_cleanup_hook_handle hook, void *data) {
  (void)hook;
  struct rmr_sockets *all = data;
  for (int number = 0; number < all->number_next; number++) {
    if (all->by_number[number] != NULL) close_socket(all->by_number[number]);
  }
  uv_close((uv_handle_t *)all->poll, on_closed);
}

/* Calls JavaScript inside a batch. An exception is nobody's to catch here. */
static bool call(napi_env env, napi_ref function_ref, size_t count, const napi_value *args) {
  napi_value function;
  napi_value receiver;
  napi_value answer;
  bool is_yes = false;
  if (napi_get_reference_value(env, function_ref, &function) != napi_ok ||
      napi_get_undefined(env, &receiver) != napi_ok) {
    return false;
  }
  const napi_status status = napi_call_function(env, receiver, function, count, args, &answer);
  if (status == napi_pending_exception) {
    napi_value error;
    if (napi_get_and_clear_last_exception(env, &error) == napi_ok) napi_fatal_exception(env, error);
    return false;
  }
  return status == napi_ok && napi_get_value_bool(env, answer, &is_yes) == napi_ok && is_yes;
}

/* Tells JavaScript; true if it wants to go on reading. */
static bool tell(struct rmr_socket *socket, int kind, int value) {
  napi_env env = socket->engine->all->env;
  napi_handle_scope scope;
  napi_value args[3];
  bool goes_on = false;
  if (napi_open_handle_scope(env, &scope) != napi_ok) return false;
  if (socket->engine->on_event != NULL &&
      napi_create_int32(env, socket->number, &args[0]) == napi_ok &&
      napi_create_int32(env, kind, &args[1]) == napi_ok &&
      napi_create_int32(env, value, &args[2]) == napi_ok) {
    goes_on = call(env, socket->engine->on_event, 3, args);
  }
  napi_close_handle_scope(env, scope);
  return goes_on;
}

/* The memory of the socket's place, or NULL where there is none and the chunk has to do. */
static uint8_t *direct_memory(const struct rmr_socket *socket) {
  const struct rmr_place *place = &socket->place;
  if (!(place->slot >= 0 && place->slot < RMR_SLOT_COUNT) || !(place->bytes > 0)) return NULL;
  const struct rmr_instance *instance = rmr_instance_of(socket->engine->all->env);
  if (instance == NULL) return NULL;
  const struct rmr_slot *slot = &instance->slots[(size_t)place->slot];
  const bool is_inside = place->at >= 0 && place->at + place->bytes <= (double)slot->size;
  return slot->bytes != NULL && is_inside ? (uint8_t *)slot->bytes + (size_t)place->at : NULL;
}

static void receive(struct rmr_socket *socket) {
  struct rmr_engine *engine = socket->engine;
  for (int reads = 0; reads < READS_MAX; reads++) {
    uint8_t *direct = direct_memory(socket);
    uint8_t *into = direct != NULL ? direct : engine->chunk;
    const size_t room = direct != NULL ? (size_t)socket->place.bytes : engine->chunk_bytes;
    const ssize_t count = recv(socket->fd, into, room, MSG_DONTWAIT);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return;
    if (count <= 0) {
      const int error = errno;
      watch(socket, socket->events & ~(uint32_t)EPOLLIN);
      if (count == 0) tell(socket, SOCKET_ENDED, 0);
      else tell(socket, SOCKET_FAILED, error);
      return;
    }
    engine->words->slot = NO_SLOT;
    const bool goes_on = tell(socket, direct != NULL ? SOCKET_DIRECT : SOCKET_CHUNK, (int)count);
    if (!socket->is_open) return;
    socket->place = *engine->words;
    if (!goes_on) {
      watch(socket, socket->events & ~(uint32_t)EPOLLIN);
      return;
    }
    if ((size_t)count < room) return;
  }
}

static void handle(struct rmr_socket *socket, uint32_t events) {
  const uint32_t wanted = socket->events;
  const bool is_over = (events & (EPOLLERR | EPOLLHUP)) != 0;
  if (!socket->is_open) return;
  if ((wanted & EPOLLOUT) != 0 && (is_over || (events & EPOLLOUT) != 0)) {
    watch(socket, socket->events & ~(uint32_t)EPOLLOUT);
    tell(socket, SOCKET_ROOM, 0);
  }
  const bool is_reading = socket->is_open && (socket->events & EPOLLIN) != 0;
  if (is_reading && (is_over || (events & EPOLLIN) != 0)) receive(socket);
}

static void run_batch(struct rmr_sockets *all) {
  struct epoll_event ready[READY_MAX];
  const int count = epoll_wait(all->set, ready, READY_MAX, 0);
  if (count <= 0) return;
  all->is_in_batch = 1;
  for (int at = 0; at < count; at++) handle(ready[at].data.ptr, ready[at].events);
  all->is_in_batch = 0;
  free_closed(all);
  call(all->env, all->on_batch_end, 0, NULL);
}

static void on_poll(uv_poll_t *poll, int status, int events) {
  (void)status;
  (void)events;
  struct rmr_sockets *all = uv_handle_get_data((uv_handle_t *)poll);
  napi_env env = all->env;
  napi_handle_scope scope;
  napi_callback_scope callbacks;
  napi_value resource;
  if (napi_open_handle_scope(env, &scope) != napi_ok) return;
  /* Node ignores the resource. */
  if (napi_get_undefined(env, &resource) == napi_ok &&
      napi_open_callback_scope(env, resource, all->context, &callbacks) == napi_ok) {
    run_batch(all);
    napi_close_callback_scope(env, callbacks);
  }
  napi_close_handle_scope(env, scope);
}

static napi_value init_sockets(napi_env env, struct rmr_sockets *all, napi_value on_batch_end) {
  napi_value name;
  struct uv_loop_s *loop = NULL;
  RMR_CHECK(env, napi_create_reference(env, on_batch_end, 1, &all->on_batch_end));
  RMR_CHECK(env, napi_create_string_utf8(env, "rmr:sockets", NAPI_AUTO_LENGTH, &name));
  RMR_CHECK(env, napi_async_init(env, NULL, name, &all->context));
  RMR_CHECK(env, napi_get_uv_event_loop(env, &loop));
  if (all->set < 0 || uv_poll_init(loop, all->poll, all->set) != 0) {
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
  all->set = epoll_create1(EPOLL_CLOEXEC);
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
  drop_engine(data);
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
  if (all->open_count == 0 && uv_poll_start(all->poll, RMR_UV_READABLE, on_poll) != 0) {
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

/* The open socket that the first argument names; NULL with a pending exception. */
static struct rmr_socket *socket_of(napi_env env, napi_value value) {
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
  struct rmr_socket *socket = socket_of(env, args[0]);
  if (socket == NULL) return NULL;
  socket->place = *socket->engine->words;
  watch(socket, socket->events | (uint32_t)EPOLLIN);
  return NULL;
}

/* The first pieces of an array of Uint8Array, without `skip` bytes of the first. */
static int pieces_of(napi_env env, napi_value array, uint32_t length, size_t skip,
                     struct iovec *pieces, size_t *bytes) {
  int count = 0;
  *bytes = 0;
  for (uint32_t at = 0; at < length && count < PIECES_MAX; at++) {
    napi_value piece;
    napi_typedarray_type type;
    size_t size;
    void *data;
    if (napi_get_element(env, array, at, &piece) != napi_ok ||
        napi_get_typedarray_info(env, piece, &type, &size, &data, NULL, NULL) != napi_ok ||
        type != napi_uint8_array || skip > size) {
      return -1;
    }
    pieces[count].iov_base = (uint8_t *)data + skip;
    pieces[count].iov_len = size - skip;
    *bytes += size - skip;
    skip = 0;
    count++;
  }
  return count;
}

/*
 * writeSocket(number, pieces, count, skip): how many bytes the kernel has taken, or a negative
 * errno. Where it has not taken all, the engine is told when there is room.
 */
static napi_value write_socket(napi_env env, napi_callback_info info) {
  size_t count = 4;
  napi_value args[4];
  napi_value result;
  uint32_t length;
  uint32_t skip;
  size_t bytes;
  struct iovec pieces[PIECES_MAX];
  RMR_CHECK(env, napi_get_cb_info(env, info, &count, args, NULL, NULL));
  RMR_CHECK(env, napi_get_value_uint32(env, args[2], &length));
  RMR_CHECK(env, napi_get_value_uint32(env, args[3], &skip));
  struct rmr_socket *socket = socket_of(env, args[0]);
  if (socket == NULL) return NULL;
  const int piece_count = pieces_of(env, args[1], length, skip, pieces, &bytes);
  if (piece_count < 0) {
    napi_throw_type_error(env, NULL, "pieces are Uint8Arrays");
    return NULL;
  }
  const struct msghdr message = {.msg_iov = pieces, .msg_iovlen = (size_t)piece_count};
  ssize_t taken;
  do {
    taken = sendmsg(socket->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
  } while (taken < 0 && errno == EINTR);
  if (taken < 0) taken = errno == EAGAIN || errno == EWOULDBLOCK ? 0 : -errno;
  /* What fails is told in the loop as well, and not only here in the middle of somebody's work. */
  const bool is_rest = taken < 0 || (size_t)taken < bytes || (uint32_t)piece_count < length;
  if (is_rest) watch(socket, socket->events | (uint32_t)EPOLLOUT);
  RMR_CHECK(env, napi_create_int32(env, (int32_t)taken, &result));
  return result;
}

/* closeSocket(number): nothing is read or written any more; the number is free. */
static napi_value close_socket_number(napi_env env, napi_callback_info info) {
  size_t count = 1;
  napi_value args[1];
  RMR_CHECK(env, napi_get_cb_info(env, info, &count, args, NULL, NULL));
  struct rmr_socket *socket = socket_of(env, args[0]);
  if (socket != NULL) close_socket(socket);
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
    if (socket != NULL && socket->engine == engine) close_socket(socket);
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
         rmr_export(env, exports, "writeSocket", write_socket) &&
         rmr_export(env, exports, "closeSocket", close_socket_number) &&
         rmr_export(env, exports, "closeSockets", close_sockets);
}
