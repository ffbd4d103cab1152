/*
 * The loop's side of sockets: what a turn (turns.c) does with one that is ready.
 *
 * Bytes are read into memory that JavaScript named, and JavaScript is called with how many there
 * are. A socket that is closed in the middle of a turn keeps its memory until the end of it, since
 * the turn may still name it.
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

/* Reads of one socket before the others have their turn. */
#define READS_MAX 16

void rmr_drop_engine(struct rmr_engine *engine) {
  if (--engine->users == 0) free(engine);
}

void rmr_end_turn_of_sockets(struct rmr_sockets *all) {
  while (all->closed != NULL) {
    struct rmr_socket *socket = all->closed;
    all->closed = socket->next_closed;
    rmr_drop_engine(socket->engine);
    free(socket);
  }
}

void rmr_watch(struct rmr_socket *socket, uint32_t events) {
  struct rmr_turns *turns = socket->engine->all->turns;
  rmr_turns_watch(turns, &socket->source, socket->fd, &socket->events, events);
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
  if (!all->turns->is_in_turn) rmr_end_turn_of_sockets(all);
  rmr_turns_unuse(all->turns);
}

/* Tells JavaScript; true if it wants to go on reading. */
static bool tell(struct rmr_socket *socket, int kind, int value) {
  struct rmr_turns *turns = socket->engine->all->turns;
  napi_env env = turns->env;
  napi_handle_scope scope;
  napi_value args[3];
  bool goes_on = false;
  if (napi_open_handle_scope(env, &scope) != napi_ok) return false;
  if (socket->engine->on_event != NULL &&
      napi_create_int32(env, socket->number, &args[0]) == napi_ok &&
      napi_create_int32(env, kind, &args[1]) == napi_ok &&
      napi_create_int32(env, value, &args[2]) == napi_ok) {
    goes_on = rmr_turns_call(turns, socket->engine->on_event, 3, args) != 0;
  }
  napi_close_handle_scope(env, scope);
  return goes_on;
}

/* The memory of the socket's place, or NULL where there is none and the chunk has to do. */
static uint8_t *direct_memory(const struct rmr_socket *socket) {
  const struct rmr_place *place = &socket->place;
  const struct rmr_instance *instance = rmr_instance_of(socket->engine->all->turns->env);
  if (instance == NULL) return NULL;
  return rmr_slot_memory(instance, place->slot, place->at, place->bytes);
}

/* Bytes are in the chunk: JavaScript is told with them how many frames need no further look. */
static void check_frames(const struct rmr_socket *socket, size_t count) {
  const struct rmr_engine *engine = socket->engine;
  struct rmr_words *words = engine->words;
  const int32_t what = (int32_t)socket->place.check;
  const int32_t from = (int32_t)socket->place.check_from;
  const int is_inside = from >= 0 && (size_t)from <= count;
  words->checked_what = what;
  words->checked_from = from;
  words->checked_count =
      is_inside ? rmr_frames_checked(&words->shape, what, engine->chunk + from, count - from) : 0;
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
    engine->words->place.slot = NO_SLOT;
    if (direct == NULL) check_frames(socket, (size_t)count);
    const bool goes_on = tell(socket, direct != NULL ? SOCKET_DIRECT : SOCKET_CHUNK, (int)count);
    if (!socket->is_open) return;
    socket->place = engine->words->place;
    if (!goes_on) {
      rmr_watch(socket, socket->events & ~(uint32_t)EPOLLIN);
      return;
    }
    if ((size_t)count < room) return;
  }
}

void rmr_on_socket_ready(struct rmr_source *source, uint32_t events) {
  struct rmr_socket *socket = (struct rmr_socket *)source;
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
