/*
 * What plain Node cannot do with a file: give back space, make a range zero unwritten, lock it.
 *
 * Giving back space waits for a device, so it is done on one of Node's threads, a batch at a time
 * and one after the other: many holes at once must not take all threads from those who read and
 * write. A batch is copied before it is handed over; no thread but Node's own sees memory of
 * JavaScript. A batch costs one allocation here, its members none.
 */
#define _GNU_SOURCE
#define _FILE_OFFSET_BITS 64
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include "addon.h"

/* The numbers of a member of a batch, in HOLE_STRIDE of src/native-addon.ts. */
enum { HOLE_FD, HOLE_MODE, HOLE_OFFSET, HOLE_BYTES, HOLE_IS_DURABLE, HOLE_ERRNO, HOLE_STRIDE };

#define HOLE_COUNT_MAX 65536

struct hole {
  int fd;
  int mode;
  int is_durable;
  int error;
  off_t offset;
  off_t bytes;
};

struct batch {
  napi_async_work work;
  napi_ref words;
  napi_ref on_ended;
  size_t count;
  struct hole holes[];
};

static int make_hole(const struct hole *hole) {
  int result;
  do {
    result = fallocate(hole->fd, hole->mode, hole->offset, hole->bytes);
  } while (result != 0 && errno == EINTR);
  if (result != 0) return errno;
  if (!hole->is_durable) return 0;
  return fdatasync(hole->fd) == 0 ? 0 : errno;
}

static void run_batch(napi_env env, void *data) {
  (void)env;
  struct batch *batch = data;
  for (size_t at = 0; at < batch->count; at++) {
    batch->holes[at].error = make_hole(&batch->holes[at]);
  }
}

static void free_batch(napi_env env, struct batch *batch) {
  if (batch->work != NULL) napi_delete_async_work(env, batch->work);
  if (batch->words != NULL) napi_delete_reference(env, batch->words);
  if (batch->on_ended != NULL) napi_delete_reference(env, batch->on_ended);
  free(batch);
}

/* The numbers behind a Float64Array that has room for `count` members, or NULL. */
static double *words_of(napi_env env, napi_value array, size_t count) {
  napi_typedarray_type type;
  size_t length;
  void *data;
  napi_status status = napi_get_typedarray_info(env, array, &type, &length, &data, NULL, NULL);
  if (status != napi_ok) return NULL;
  return type == napi_float64_array && length >= count * HOLE_STRIDE ? data : NULL;
}

static napi_value tell_batch(napi_env env, struct batch *batch) {
  napi_value array;
  napi_value on_ended;
  napi_value receiver;
  RMR_CHECK(env, napi_get_reference_value(env, batch->words, &array));
  RMR_CHECK(env, napi_get_reference_value(env, batch->on_ended, &on_ended));
  RMR_CHECK(env, napi_get_undefined(env, &receiver));
  double *words = words_of(env, array, batch->count);
  if (words == NULL) {
    napi_throw_type_error(env, NULL, "the numbers of a batch were taken away");
    return NULL;
  }
  for (size_t at = 0; at < batch->count; at++) {
    words[at * HOLE_STRIDE + HOLE_ERRNO] = batch->holes[at].error;
  }
  napi_call_function(env, receiver, on_ended, 0, NULL, NULL);
  return NULL;
}

static void end_batch(napi_env env, napi_status status, void *data) {
  struct batch *batch = data;
  /* A thread that ends cancels what has not begun; nobody is left to be told. */
  if (status == napi_ok) tell_batch(env, batch);
  free_batch(env, batch);
}

static napi_value queue_batch(napi_env env, struct batch *batch, napi_value words,
                              napi_value on_ended) {
  napi_value name;
  RMR_CHECK(env, napi_create_reference(env, words, 1, &batch->words));
  RMR_CHECK(env, napi_create_reference(env, on_ended, 1, &batch->on_ended));
  RMR_CHECK(env, napi_create_string_utf8(env, "rmr:holes", NAPI_AUTO_LENGTH, &name));
  RMR_CHECK(env,
            napi_create_async_work(env, NULL, name, run_batch, end_batch, batch, &batch->work));
  RMR_CHECK(env, napi_queue_async_work(env, batch->work));
  return words;
}

/* makeHoles(words, count, onEnded): later, onEnded() finds an errno or 0 in each member. */
static napi_value make_holes(napi_env env, napi_callback_info info) {
  size_t arg_count = 3;
  napi_value args[3];
  uint32_t count;
  RMR_CHECK(env, napi_get_cb_info(env, info, &arg_count, args, NULL, NULL));
  RMR_CHECK(env, napi_get_value_uint32(env, args[1], &count));
  const double *words = count <= HOLE_COUNT_MAX ? words_of(env, args[0], count) : NULL;
  if (words == NULL) {
    napi_throw_type_error(env, NULL, "a batch is a Float64Array with room for its members");
    return NULL;
  }
  struct batch *batch = calloc(1, sizeof *batch + count * sizeof batch->holes[0]);
  if (batch == NULL) {
    napi_throw_error(env, NULL, "no memory for a batch of holes");
    return NULL;
  }
  batch->count = count;
  for (size_t at = 0; at < count; at++, words += HOLE_STRIDE) {
    struct hole *hole = &batch->holes[at];
    hole->fd = (int)words[HOLE_FD];
    hole->mode = (int)words[HOLE_MODE];
    hole->offset = (off_t)words[HOLE_OFFSET];
    hole->bytes = (off_t)words[HOLE_BYTES];
    hole->is_durable = words[HOLE_IS_DURABLE] != 0;
  }
  if (queue_batch(env, batch, args[0], args[2]) == NULL) free_batch(env, batch);
  return NULL;
}

/* lockFile(fd): an errno, or 0 if the lock is ours for as long as the descriptor is open. */
static napi_value lock_file(napi_env env, napi_callback_info info) {
  size_t count = 1;
  napi_value args[1];
  int32_t fd;
  napi_value error;
  RMR_CHECK(env, napi_get_cb_info(env, info, &count, args, NULL, NULL));
  RMR_CHECK(env, napi_get_value_int32(env, args[0], &fd));
  RMR_CHECK(env, napi_create_int32(env, flock(fd, LOCK_EX | LOCK_NB) == 0 ? 0 : errno, &error));
  return error;
}

/* probeHoles(fd, mode, offset, bytes): an errno, or 0; at once, for a range that holds nothing. */
static napi_value probe_holes(napi_env env, napi_callback_info info) {
  size_t count = 4;
  napi_value args[4];
  int32_t fd;
  int32_t mode;
  double offset;
  double bytes;
  napi_value error;
  RMR_CHECK(env, napi_get_cb_info(env, info, &count, args, NULL, NULL));
  RMR_CHECK(env, napi_get_value_int32(env, args[0], &fd));
  RMR_CHECK(env, napi_get_value_int32(env, args[1], &mode));
  RMR_CHECK(env, napi_get_value_double(env, args[2], &offset));
  RMR_CHECK(env, napi_get_value_double(env, args[3], &bytes));
  int result = fallocate(fd, mode, (off_t)offset, (off_t)bytes);
  RMR_CHECK(env, napi_create_int32(env, result == 0 ? 0 : errno, &error));
  return error;
}

int rmr_export_files(napi_env env, napi_value exports) {
  return rmr_export(env, exports, "makeHoles", make_holes) &&
         rmr_export(env, exports, "lockFile", lock_file) &&
         rmr_export(env, exports, "probeHoles", probe_holes);
}
