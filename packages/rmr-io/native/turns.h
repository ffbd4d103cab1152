/* Turns of a thread: everything of ours that is ready in its loop; see turns.c. */
#ifndef RMR_TURNS_H
#define RMR_TURNS_H

#include <stdint.h>

#include "addon.h"
#include "loop.h"

/* What can be ready: the first member of whatever is in the set. */
struct rmr_source {
  void (*on_ready)(struct rmr_source *source, uint32_t events);
};

/* Of one thread of Node. */
struct rmr_turns {
  napi_env env;
  napi_async_context context;
  napi_ref on_turn_end;
  napi_async_cleanup_hook_handle cleanup;
  struct uv_loop_s *loop;
  uv_poll_t *poll;
  int set;
  /* Sources that keep the thread alive: its loop goes round as long as there are any. */
  int user_count;
  int is_in_turn;
  /* The thread outlives its turns. */
  struct rmr_linger *linger;
  /* Of this thread; NULL where there are none. */
  struct rmr_sockets *sockets;
  struct rmr_files *files;
};

/* The turns of this thread; NULL where startTurns was not called. */
struct rmr_turns *rmr_turns_of(napi_env env);
/* Which events of the kernel's are waited for from now on; what was said before is `events`. */
void rmr_turns_watch(struct rmr_turns *turns, struct rmr_source *source, int fd, uint32_t *events,
                     uint32_t wanted);
/* One source more, or less, for which the thread goes on. False: the loop refuses. */
int rmr_turns_use(struct rmr_turns *turns);
void rmr_turns_unuse(struct rmr_turns *turns);
/* Calls JavaScript inside a turn; what it answers, if that is yes or no. */
int rmr_turns_call(struct rmr_turns *turns, napi_ref function, size_t count,
                   const napi_value *args);

/* sockets.c */
void rmr_end_turn_of_sockets(struct rmr_sockets *all);
void rmr_end_sockets(struct rmr_sockets *all);
/* file-turns.c */
void rmr_end_files(struct rmr_files *files);

#endif
