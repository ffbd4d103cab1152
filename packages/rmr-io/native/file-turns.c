/*
 * Moves that wait for a device: a ring of the kernel's takes all of a turn in one call, and what
 * has ended comes with whatever else is ready in a turn (turns.c). No thread of ours waits.
 *
 * A move keeps the thread alive until it has ended, and JavaScript keeps its memory so long. A
 * thread that ends waits for its moves, since the kernel still reads and writes that memory; but
 * not for ever, as a device may never answer.
 */
#define _GNU_SOURCE
#define _FILE_OFFSET_BITS 64
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "moves.h"
#include "ring.h"
#include "turns.h"

/* How long a thread that ends waits for its moves. */
#define END_MS_MAX 10000

/* How a move ended, in memory that JavaScript sees: its tag and its result. */
struct ended {
  int32_t tag;
  int32_t result;
};

struct rmr_files {
  struct rmr_source source;
  struct rmr_turns *turns;
  struct rmr_ring ring;
  uint32_t events;
  unsigned in_flight;
  napi_ref on_ended;
  napi_ref ended_memory;
  struct ended *ended;
};

static void count_one_less(struct rmr_files *files) {
  if (--files->in_flight == 0) rmr_turns_unuse(files->turns);
}

static void on_ready(struct rmr_source *source, uint32_t events) {
  (void)events;
  struct rmr_files *files = (struct rmr_files *)source;
  napi_env env = files->turns->env;
  napi_handle_scope scope;
  napi_value count;
  uint64_t tag;
  int result;
  uint32_t taken = 0;
  while (taken < MOVES_MAX && rmr_ring_take(&files->ring, &tag, &result)) {
    files->ended[taken].tag = (int32_t)tag;
    files->ended[taken].result = result;
    taken++;
    count_one_less(files);
  }
  if (taken == 0 || napi_open_handle_scope(env, &scope) != napi_ok) return;
  if (napi_create_uint32(env, taken, &count) == napi_ok) {
    rmr_turns_call(files->turns, files->on_ended, 1, &count);
  }
  napi_close_handle_scope(env, scope);
}

/* The thread ends. */
void rmr_end_files(struct rmr_files *files) {
  uint64_t tag;
  int result;
  struct pollfd ready = {.fd = files->ring.fd, .events = POLLIN};
  while (files->in_flight > 0 && poll(&ready, 1, END_MS_MAX) != 0) {
    while (rmr_ring_take(&files->ring, &tag, &result)) count_one_less(files);
  }
  rmr_ring_close(&files->ring);
  napi_delete_reference(files->turns->env, files->on_ended);
  napi_delete_reference(files->turns->env, files->ended_memory);
  free(files);
}

static napi_value init_files(napi_env env, struct rmr_files *files, napi_value on_ended) {
  napi_value words;
  const size_t bytes = MOVES_MAX * sizeof *files->ended;
  RMR_CHECK(env, napi_create_arraybuffer(env, bytes, (void **)&files->ended, &words));
  RMR_CHECK(env, napi_create_reference(env, words, 1, &files->ended_memory));
  RMR_CHECK(env, napi_create_reference(env, on_ended, 1, &files->on_ended));
  return words;
}

/*
 * startFiles(onEnded): once, after startTurns. The memory where onEnded(count) finds tags and
 * results; undefined where there is no ring.
 */
static napi_value start_files(napi_env env, napi_callback_info info) {
  size_t count = 1;
  napi_value args[1];
  RMR_CHECK(env, napi_get_cb_info(env, info, &count, args, NULL, NULL));
  struct rmr_turns *turns = rmr_turns_of(env);
  if (turns == NULL || turns->files != NULL) return NULL;
  struct rmr_files *files = calloc(1, sizeof *files);
  if (files == NULL) return NULL;
  files->source.on_ready = on_ready;
  files->turns = turns;
  rmr_ring_open(&files->ring, MOVES_MAX, MOVES_MAX);
  napi_value words = files->ring.fd < 0 ? NULL : init_files(env, files, args[0]);
  if (words == NULL) {
    rmr_ring_close(&files->ring);
    free(files);
    return NULL;
  }
  rmr_turns_watch(turns, &files->source, files->ring.fd, &files->events, EPOLLIN);
  turns->files = files;
  return words;
}

#ifdef RMR_HAS_RING

static int add_move(struct rmr_files *files, const struct rmr_move *move, uint64_t tag) {
  struct io_uring_sqe *entry = rmr_ring_next(&files->ring);
  if (entry == NULL) return 0;
  entry->fd = move->fd;
  entry->user_data = tag;
  if (move->kind == MOVE_FLUSH) {
    entry->opcode = IORING_OP_FSYNC;
    entry->fsync_flags = IORING_FSYNC_DATASYNC;
    return 1;
  }
  entry->opcode = move->kind == MOVE_READ ? IORING_OP_READ : IORING_OP_WRITE;
  entry->addr = (uint64_t)(uintptr_t)move->memory;
  entry->len = (uint32_t)move->bytes;
  entry->off = (uint64_t)move->offset;
  return 1;
}

#else

static int add_move(struct rmr_files *files, const struct rmr_move *move, uint64_t tag) {
  (void)files;
  (void)move;
  (void)tag;
  return 0;
}

#endif

static int count_one_more(struct rmr_files *files) {
  if (files->in_flight == 0 && !rmr_turns_use(files->turns)) return 0;
  files->in_flight++;
  return 1;
}

static int start_move(struct rmr_files *files, const struct rmr_instance *instance,
                      const double *row) {
  struct rmr_move move;
  if (files->in_flight == MOVES_MAX || !rmr_move_of(instance, row, &move)) return 0;
  if (!count_one_more(files)) return 0;
  if (add_move(files, &move, (uint64_t)(uint32_t)row[MOVE_TAG])) return 1;
  count_one_less(files);
  return 0;
}

/*
 * submitMoves(rows, count): they have started. No more than MOVES_MAX at a time. Answers how many
 * were taken, from the first on; the others have to be done in another way.
 */
static napi_value submit_moves(napi_env env, napi_callback_info info) {
  size_t arg_count = 2;
  napi_value args[2];
  napi_value answer;
  uint32_t count;
  uint32_t taken = 0;
  RMR_CHECK(env, napi_get_cb_info(env, info, &arg_count, args, NULL, NULL));
  RMR_CHECK(env, napi_get_value_uint32(env, args[1], &count));
  const struct rmr_instance *instance = rmr_instance_of(env);
  const struct rmr_turns *turns = rmr_turns_of(env);
  struct rmr_files *files = turns == NULL ? NULL : turns->files;
  const double *row = rmr_moves_of(env, args[0], count);
  if (row == NULL || instance == NULL || files == NULL) return NULL;
  while (taken < count && start_move(files, instance, row)) {
    taken++;
    row += MOVE_STRIDE;
  }
  if (rmr_ring_enter(&files->ring, 0) < 0) {
    /* The kernel has no memory for the last ones. */
    for (unsigned left = rmr_ring_withdraw(&files->ring); left > 0 && taken > 0; left--, taken--) {
      count_one_less(files);
    }
  }
  RMR_CHECK(env, napi_create_uint32(env, taken, &answer));
  return answer;
}

int rmr_export_file_turns(napi_env env, napi_value exports) {
  return rmr_export(env, exports, "startFiles", start_files) &&
         rmr_export(env, exports, "submitMoves", submit_moves);
}
