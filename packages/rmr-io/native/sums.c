/*
 * Checksums for JavaScript, with as little as possible between the two.
 *
 * Calling out of JavaScript costs some 20 ns, and every argument and result several more. So memory
 * that never moves is made known once and has a number from then on, and what is asked about it
 * goes through a few numbers in memory that both sides see. Bytes of any other memory are named by
 * a DataView, which costs three times as much and is asked anew each time where they are.
 *
 * Invariant: a slot names memory that lives, does not move and cannot be taken away until the slot
 * is emptied. JavaScript promises that; it fills slots with arenas of its own making alone.
 */
#include "addon.h"
#include "crc32c.h"

static int is_part(double at, double bytes, size_t size) {
  return at >= 0 && bytes >= 0 && at + bytes <= (double)size;
}

/* fillSlot(slot, buffer) */
static napi_value fill_slot(napi_env env, napi_callback_info info) {
  size_t count = 2;
  napi_value args[2];
  uint32_t slot;
  void *bytes;
  size_t size;
  RMR_CHECK(env, napi_get_cb_info(env, info, &count, args, NULL, NULL));
  RMR_CHECK(env, napi_get_value_uint32(env, args[0], &slot));
  RMR_CHECK(env, napi_get_arraybuffer_info(env, args[1], &bytes, &size));
  struct rmr_instance *instance = rmr_instance_of(env);
  if (instance == NULL || slot >= RMR_SLOT_COUNT) {
    napi_throw_range_error(env, NULL, "no such slot");
    return NULL;
  }
  instance->slots[slot].bytes = bytes;
  instance->slots[slot].size = size;
  return NULL;
}

/* emptySlot(slot) */
static napi_value empty_slot(napi_env env, napi_callback_info info) {
  size_t count = 1;
  napi_value args[1];
  uint32_t slot;
  RMR_CHECK(env, napi_get_cb_info(env, info, &count, args, NULL, NULL));
  RMR_CHECK(env, napi_get_value_uint32(env, args[0], &slot));
  struct rmr_instance *instance = rmr_instance_of(env);
  if (instance == NULL || slot >= RMR_SLOT_COUNT) {
    napi_throw_range_error(env, NULL, "no such slot");
    return NULL;
  }
  instance->slots[slot].bytes = NULL;
  instance->slots[slot].size = 0;
  return NULL;
}

/* The memory that the job names, with so many bytes from its place on; or a pending exception. */
static const struct rmr_slot *slot_of_job(napi_env env, const struct rmr_instance *instance,
                                          double bytes) {
  const struct rmr_job *job = instance->job;
  if (!(job->slot >= 0 && job->slot < RMR_SLOT_COUNT)) {
    napi_throw_range_error(env, NULL, "no such slot");
    return NULL;
  }
  const struct rmr_slot *slot = &instance->slots[(size_t)job->slot];
  if (slot->bytes == NULL || !is_part(job->at, job->bytes, slot->size) ||
      !is_part(job->at, bytes, slot->size)) {
    napi_throw_range_error(env, NULL, "bytes outside of the memory of their slot");
    return NULL;
  }
  return slot;
}

/* sumOfSlot(): the job says of what, and takes the sum. */
static napi_value sum_of_slot(napi_env env, napi_callback_info info) {
  (void)info;
  struct rmr_instance *instance = rmr_instance_of(env);
  if (instance == NULL) return NULL;
  struct rmr_job *job = instance->job;
  const struct rmr_slot *slot = slot_of_job(env, instance, job->bytes);
  if (slot == NULL) return NULL;
  job->sum = rmr_crc32c(slot->bytes + (size_t)job->at, (size_t)job->bytes);
  return NULL;
}

/* Where the sums of blocks go: `count` words from `from` on. NULL with a pending exception. */
static uint32_t *words_of(napi_env env, napi_value words, uint32_t from, uint32_t count) {
  napi_typedarray_type type;
  size_t length;
  void *data;
  RMR_CHECK(env, napi_get_typedarray_info(env, words, &type, &length, &data, NULL, NULL));
  if (type != napi_int32_array || (uint64_t)from + count > length) {
    napi_throw_range_error(env, NULL, "sums outside of their words");
    return NULL;
  }
  return (uint32_t *)data + from;
}

/*
 * sumBlocksOfSlot(words, from, count): the job says where the first block is and how long each of
 * them is.
 */
static napi_value sum_blocks_of_slot(napi_env env, napi_callback_info info) {
  size_t args_count = 3;
  napi_value args[3];
  uint32_t from;
  uint32_t count;
  RMR_CHECK(env, napi_get_cb_info(env, info, &args_count, args, NULL, NULL));
  RMR_CHECK(env, napi_get_value_uint32(env, args[1], &from));
  RMR_CHECK(env, napi_get_value_uint32(env, args[2], &count));
  uint32_t *words = words_of(env, args[0], from, count);
  struct rmr_instance *instance = rmr_instance_of(env);
  if (words == NULL || instance == NULL) return NULL;
  const struct rmr_job *job = instance->job;
  const struct rmr_slot *slot = slot_of_job(env, instance, job->bytes * count);
  if (slot == NULL) return NULL;
  rmr_crc32c_blocks(slot->bytes + (size_t)job->at, (size_t)job->bytes, count, words);
  return NULL;
}

/* sumBlocksOfView(view, at, bytes, words, from, count) */
static napi_value sum_blocks_of_view(napi_env env, napi_callback_info info) {
  size_t args_count = 6;
  napi_value args[6];
  void *bytes;
  size_t size;
  double at;
  double length;
  uint32_t from;
  uint32_t count;
  RMR_CHECK(env, napi_get_cb_info(env, info, &args_count, args, NULL, NULL));
  RMR_CHECK(env, napi_get_dataview_info(env, args[0], &size, &bytes, NULL, NULL));
  RMR_CHECK(env, napi_get_value_double(env, args[1], &at));
  RMR_CHECK(env, napi_get_value_double(env, args[2], &length));
  RMR_CHECK(env, napi_get_value_uint32(env, args[4], &from));
  RMR_CHECK(env, napi_get_value_uint32(env, args[5], &count));
  uint32_t *words = words_of(env, args[3], from, count);
  if (words == NULL) return NULL;
  if (!is_part(at, length, size) || !is_part(at, length * count, size)) {
    napi_throw_range_error(env, NULL, "bytes outside of their view");
    return NULL;
  }
  rmr_crc32c_blocks((const uint8_t *)bytes + (size_t)at, (size_t)length, count, words);
  return NULL;
}

typedef uint32_t (*sum_function)(const uint8_t *bytes, size_t count);

static napi_value sum_of_view_by(napi_env env, napi_callback_info info, sum_function sum_of) {
  size_t count = 3;
  napi_value args[3];
  void *bytes;
  size_t size;
  double at;
  double length;
  napi_value sum;
  RMR_CHECK(env, napi_get_cb_info(env, info, &count, args, NULL, NULL));
  RMR_CHECK(env, napi_get_dataview_info(env, args[0], &size, &bytes, NULL, NULL));
  RMR_CHECK(env, napi_get_value_double(env, args[1], &at));
  RMR_CHECK(env, napi_get_value_double(env, args[2], &length));
  if (!is_part(at, length, size)) {
    napi_throw_range_error(env, NULL, "bytes outside of their view");
    return NULL;
  }
  uint32_t value = sum_of((const uint8_t *)bytes + (size_t)at, (size_t)length);
  RMR_CHECK(env, napi_create_uint32(env, value, &sum));
  return sum;
}

/* sumOfView(view, at, bytes) */
static napi_value sum_of_view(napi_env env, napi_callback_info info) {
  return sum_of_view_by(env, info, rmr_crc32c);
}

/* sumOfViewByTable(view, at, bytes): what a processor without the instruction would do. */
static napi_value sum_of_view_by_table(napi_env env, napi_callback_info info) {
  return sum_of_view_by(env, info, rmr_crc32c_by_table);
}

static napi_value export_values(napi_env env, napi_value exports) {
  struct rmr_instance *instance = rmr_instance_of(env);
  napi_value job;
  napi_value means;
  napi_value slot_count;
  void **memory = (void **)&instance->job;
  RMR_CHECK(env, napi_create_arraybuffer(env, sizeof *instance->job, memory, &job));
  RMR_CHECK(env, napi_create_reference(env, job, 1, &instance->job_memory));
  RMR_CHECK(env, napi_set_named_property(env, exports, "job", job));
  const char *text = rmr_crc32c_means();
  RMR_CHECK(env, napi_create_string_utf8(env, text, NAPI_AUTO_LENGTH, &means));
  RMR_CHECK(env, napi_set_named_property(env, exports, "sumMeans", means));
  RMR_CHECK(env, napi_create_uint32(env, RMR_SLOT_COUNT, &slot_count));
  RMR_CHECK(env, napi_set_named_property(env, exports, "slotCount", slot_count));
  return exports;
}

int rmr_export_sums(napi_env env, napi_value exports) {
  return export_values(env, exports) != NULL &&
         rmr_export(env, exports, "fillSlot", fill_slot) &&
         rmr_export(env, exports, "emptySlot", empty_slot) &&
         rmr_export(env, exports, "sumOfSlot", sum_of_slot) &&
         rmr_export(env, exports, "sumOfView", sum_of_view) &&
         rmr_export(env, exports, "sumBlocksOfSlot", sum_blocks_of_slot) &&
         rmr_export(env, exports, "sumBlocksOfView", sum_blocks_of_view) &&
         rmr_export(env, exports, "sumOfViewByTable", sum_of_view_by_table);
}
