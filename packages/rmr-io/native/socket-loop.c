/*
 * The loop's side of sockets: everything that is ready is handed over in one batch.
 *
 * Bytes are read into memory that JavaScript named, and JavaScript is called with how many there
 * are; when all that was ready has been read, it is told that the batch is over, and does what it
 * gathered. A socket that is closed in the middle of a batch keeps its memory until the end of it,
 * since the batch may still name it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sockets.h"

/* What JavaScript is told, in SOCKET_* of src/native-addon.ts. */
enum { SOCKET_CHUNK, SOCKET_DIRECT, SOCKET_ENDED, SOCKET_FAILED, SOCKET_ROOM };

/* Sockets of one batch, and reads of one socket before the others have their turn. */
#define READY_MAX 128
#define READS_MAX 16

void rmr_drop_engine(struct rmr_engine *engine) {
  if (--engine->users == 0) free(engine);
}

static void free_closed(struct rmr_sockets *all) {
  while (all->closed != NULL) {
    struct rmr_socket *socket = all->closed;
    all->closed = socket->next_closed;
    rmr_drop_engine(socket->engine);
    free(socket);
  }
}

void rmr_watch(struct rmr_socket *socket, uint32_t events) {
  if (socket->events == events) return;
  struct epoll_event event = {.events = events, .data.ptr = socket};
  /* A descriptor that nobody waits for must not be in the set: its end would be told for ever. */
  const int what =
      events == 0 ? EPOLL_CTL_DEL : socket->events == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
  socket->events = events;
  epoll_ctl(socket->engine->all->set, what, socket->fd, &event);
}

void rmr_close_socket(struct rmr_socket *socket) {
  struct rmr_sockets *all = socket->engine->all;
  if (!socket->is_open) return;
  rmr_watch(socket, 0);
  close(socket->fd);
  socket->is_open = 0;
  all->by_number[socket->number] = NULL;
  all->free_numbers[all->free_count++] = socket->number;
  socket->next_closed = all->closed;
  all->closed = socket;
  if (!all->is_in_batch) free_closed(all);
  if (--all->open_count == 0) uv_poll_stop(all->poll);
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
      rmr_watch(socket, socket->events & ~(uint32_t)EPOLLIN);
      if (count == 0) tell(socket, SOCKET_ENDED, 0);
      else tell(socket, SOCKET_FAILED, error);
      return;
    }
    engine->words->slot = NO_SLOT;
    const bool goes_on = tell(socket, direct != NULL ? SOCKET_DIRECT : SOCKET_CHUNK, (int)count);
    if (!socket->is_open) return;
    socket->place = *engine->words;
    if (!goes_on) {
      rmr_watch(socket, socket->events & ~(uint32_t)EPOLLIN);
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
    rmr_watch(socket, socket->events & ~(uint32_t)EPOLLOUT);
    tell(socket, SOCKET_ROOM, 0);
  }
  const bool is_reading = socket->is_open && (socket->events & EPOLLIN) != 0;
  if (is_reading && (is_over || (events & EPOLLIN) != 0)) receive(socket);
}

static void run_batch(struct rmr_sockets *all, struct epoll_event *ready, int count) {
  all->is_in_batch = 1;
  for (int at = 0; at < count; at++) handle(ready[at].data.ptr, ready[at].events);
  all->is_in_batch = 0;
  free_closed(all);
  call(all->env, all->on_batch_end, 0, NULL);
}

/* One turn of JavaScript: what was ready, the end of the batch, and what promises follow. */
static void run_turn(struct rmr_sockets *all, struct epoll_event *ready, int count) {
  napi_env env = all->env;
  napi_handle_scope scope;
  napi_callback_scope callbacks;
  napi_value resource;
  if (napi_open_handle_scope(env, &scope) != napi_ok) return;
  /* Node ignores the resource. */
  if (napi_get_undefined(env, &resource) == napi_ok &&
      napi_open_callback_scope(env, resource, all->context, &callbacks) == napi_ok) {
    run_batch(all, ready, count);
    napi_close_callback_scope(env, callbacks);
  }
  napi_close_handle_scope(env, scope);
}

void rmr_on_poll(uv_poll_t *poll, int status, int events) {
  (void)status;
  (void)events;
  struct rmr_sockets *all = uv_handle_get_data((uv_handle_t *)poll);
  struct epoll_event ready[READY_MAX];
  rmr_linger_begin(all->linger);
  int count = epoll_wait(all->set, ready, READY_MAX, 0);
  while (count > 0) {
    run_turn(all, ready, count);
    if (all->open_count == 0 || !rmr_linger(all->linger, all->loop)) return;
    count = epoll_wait(all->set, ready, READY_MAX, 0);
    if (count > 0) all->linger->turns++;
  }
}
