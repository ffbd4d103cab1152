/*
 * Moves that need not wait: bytes that the kernel has in its cache are copied here and now, all of
 * a turn in one call out of JavaScript. A call for each would cost as much as its copy.
 *
 * Moves that wait for a device are file-turns.c's.
 */
#define _GNU_SOURCE
#define _FILE_OFFSET_BITS 64
#include "moves.h"

#include <errno.h>
#include <unistd.h>

double *rmr_moves_of(napi_env env, napi_value array, uint32_t count) {
  napi_typedarray_type type;
  size_t length;
  void *data;
  if (napi_get_typedarray_info(env, array, &type, &length, &data, NULL, NULL) == napi_ok &&
      type == napi_float64_array && count <= MOVES_MAX && length >= count * (size_t)MOVE_STRIDE) {
    return data;
  }
  napi_throw_type_error(env, NULL, "moves are a Float64Array with room for their rows");
  return NULL;
}

int rmr_move_of(const struct rmr_instance *instance, const double *row, struct rmr_move *move) {
  move->kind = (int)row[MOVE_KIND];
  move->fd = (int)row[MOVE_FD];
  move->bytes = (size_t)row[MOVE_BYTES];
  move->offset = (off_t)row[MOVE_OFFSET];
  if (move->kind == MOVE_FLUSH) return 1;
  move->memory = rmr_slot_memory(instance, row[MOVE_SLOT], row[MOVE_AT], row[MOVE_BYTES]);
  return move->memory != NULL;
}

static ssize_t run_once(const struct rmr_move *move, size_t done) {
  const size_t bytes = move->bytes - done;
  const off_t offset = move->offset + (off_t)done;
  if (move->kind == MOVE_READ) return pread(move->fd, move->memory + done, bytes, offset);
  return pwrite(move->fd, move->memory + done, bytes, offset);
}

/* How many bytes were moved before nothing more was, or a negative errno if there were none. */
static double run(const struct rmr_move *move) {
  size_t done = 0;
  while (done < move->bytes) {
    const ssize_t step = run_once(move, done);
    if (step < 0 && errno == EINTR) continue;
    if (step < 0 && done == 0) return -errno;
    if (step <= 0) break;
    done += (size_t)step;
  }
  return (double)done;
}

/* runMoves(rows, count): each has its result when this returns. */
static napi_value run_moves(napi_env env, napi_callback_info info) {
  size_t arg_count = 2;
  napi_value args[2];
  uint32_t count;
  RMR_CHECK(env, napi_get_cb_info(env, info, &arg_count, args, NULL, NULL));
  RMR_CHECK(env, napi_get_value_uint32(env, args[1], &count));
  const struct rmr_instance *instance = rmr_instance_of(env);
  double *row = rmr_moves_of(env, args[0], count);
  if (row == NULL || instance == NULL) return NULL;
  for (uint32_t nth = 0; nth < count; nth++, row += MOVE_STRIDE) {
    struct rmr_move move;
    const int is_right = rmr_move_of(instance, row, &move) && move.kind != MOVE_FLUSH;
    row[MOVE_RESULT] = is_right ? run(&move) : -EFAULT;
  }
  return NULL;
}

int rmr_export_moves(napi_env env, napi_value exports) {
  return rmr_export(env, exports, "runMoves", run_moves) && rmr_export_file_turns(env, exports);
}
