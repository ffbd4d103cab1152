/* Moves: bytes from files into arenas and back, as rows of numbers; see file-moves.c. */
#ifndef RMR_MOVES_H
#define RMR_MOVES_H

#include <stdint.h>
#include <sys/types.h>

#include "addon.h"

/* The numbers of a move, in MOVE_STRIDE of src/native-addon.ts. */
enum {
  MOVE_KIND,
  MOVE_FD,
  MOVE_SLOT,
  MOVE_AT,
  MOVE_BYTES,
  MOVE_OFFSET,
  MOVE_TAG,
  MOVE_RESULT,
  MOVE_STRIDE
};

enum { MOVE_READ, MOVE_WRITE, MOVE_FLUSH };

/* Rows of one call. */
#define MOVES_MAX 1024

struct rmr_move {
  int kind;
  int fd;
  uint8_t *memory;
  size_t bytes;
  off_t offset;
};

/* The rows behind a Float64Array that has room for `count`; NULL with a pending exception. */
double *rmr_moves_of(napi_env env, napi_value array, uint32_t count);
/* What a row says; false if its memory is not inside of its slot. */
int rmr_move_of(const struct rmr_instance *instance, const double *row, struct rmr_move *move);

/* file-turns.c: adds its functions to `exports`; false with a pending exception. */
int rmr_export_file_turns(napi_env env, napi_value exports);

#endif
