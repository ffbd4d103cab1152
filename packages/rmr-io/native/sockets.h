/* Sockets of native code: what the loop's side and JavaScript's side of them share. */
#ifndef RMR_SOCKETS_H
#define RMR_SOCKETS_H

#include <stdint.h>
#include <sys/uio.h>

#include "addon.h"
#include "frames.h"
#include "socket-ring.h"
#include "turns.h"

#define SOCKETS_MAX 65536
#define NO_SLOT (-1)

/* What JavaScript says of the next read before it is due. */
struct rmr_place {
  /* Where it goes: a slot and a part of it. */
  double slot;
  double at;
  double bytes;
  /* What of frames is looked at, RMR_CHECK_*, and behind how many bytes, which end one. */
  double check;
  double check_from;
};

/* Heads that are sealed in one call. */
#define SEALS_MAX 256

/* What both sides see; src/native-addon.ts knows where each is. */
struct rmr_words {
  struct rmr_place place;
  struct rmr_frame_shape shape;
  /* Of what was just read into the chunk: frames that were found right, and what of them. */
  int32_t checked_count;
  int32_t checked_what;
  int32_t checked_from;
  struct rmr_seal seals[SEALS_MAX];
};

struct rmr_socket {
  struct rmr_source source;
  struct rmr_engine *engine;
  /* Of those that are closed and that a turn may still name. */
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
  struct rmr_words *words;
  /* Its sockets, as long as they have memory, and one for JavaScript. */
  size_t users;
};

/* Pieces of one write, at most. */
#define PIECES_MAX 160

/* Writes that wait to be sent in one call. */
struct rmr_gathered {
  unsigned count;
  struct rmr_socket *sockets[RMR_MESSAGES_MAX];
  int is_rest[RMR_MESSAGES_MAX];
  size_t bytes[RMR_MESSAGES_MAX];
  struct rmr_message messages[RMR_MESSAGES_MAX];
  struct iovec pieces[RMR_MESSAGES_MAX][PIECES_MAX];
};

/* Of one thread of Node. */
struct rmr_sockets {
  struct rmr_turns *turns;
  struct rmr_socket *closed;
  struct rmr_socket *by_number[SOCKETS_MAX];
  struct rmr_ring ring;
  struct rmr_gathered gathered;
  int number_next;
  int free_count;
  int free_numbers[SOCKETS_MAX];
};

/* sockets.c: the open socket that a value names; NULL with a pending exception. */
struct rmr_socket *rmr_socket_of(napi_env env, napi_value value);

/* socket-writes.c: adds its functions to `exports`; false with a pending exception. */
int rmr_export_socket_writes(napi_env env, napi_value exports);

/* socket-loop.c */

/* What a turn calls when something is ready. */
void rmr_on_socket_ready(struct rmr_source *source, uint32_t events);
/* Which events of the kernel's are waited for from now on. */
void rmr_watch(struct rmr_socket *socket, uint32_t events);
void rmr_close_socket(struct rmr_socket *socket);
/* One user less; the last one frees it. */
void rmr_drop_engine(struct rmr_engine *engine);

#endif
