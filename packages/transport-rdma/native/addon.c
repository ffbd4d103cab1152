/*
 * The native part of @rmr/transport-rdma: queue pairs, their completions and the memory that
 * devices may reach. What travels, and what an answer belongs to, is decided in src.
 *
 * `version` changes with the meaning of anything here, so that JavaScript never calls an addon
 * that was built for another state of the sources.
 */
#include <stdio.h>
#include <stdlib.h>

#include "rdma.h"

/* NATIVE_VERSION in src/native-addon.ts. */
#define RMR_NATIVE_VERSION 3

void rmr_throw_last(napi_env env, const char *call) {
  bool is_pending = false;
  if (napi_is_exception_pending(env, &is_pending) == napi_ok && is_pending) return;
  const napi_extended_error_info *info = NULL;
  const char *why = "no reason given";
  if (napi_get_last_error_info(env, &info) == napi_ok && info->error_message != NULL) {
    why = info->error_message;
  }
  char text[256];
  snprintf(text, sizeof text, "%s: %s", call, why);
  napi_throw_error(env, NULL, text);
}

int rmr_export(napi_env env, napi_value exports, const char *name, napi_callback function) {
  napi_value value;
  if (napi_create_function(env, name, NAPI_AUTO_LENGTH, function, NULL, &value) == napi_ok &&
      napi_set_named_property(env, exports, name, value) == napi_ok) {
    return 1;
  }
  rmr_throw_last(env, name);
  return 0;
}

bool rmr_args(napi_env env, napi_callback_info info, size_t count, napi_value *args) {
  size_t given = count;
  if (napi_get_cb_info(env, info, &given, args, NULL, NULL) == napi_ok && given >= count) {
    return true;
  }
  napi_throw_type_error(env, NULL, "there are arguments missing");
  return false;
}

struct rmr_engine *rmr_engine_of(napi_env env, napi_value value) {
  void *engine = NULL;
  if (napi_get_value_external(env, value, &engine) == napi_ok && engine != NULL) return engine;
  napi_throw_type_error(env, NULL, "this is no engine");
  return NULL;
}

bool rmr_int(napi_env env, napi_value value, int32_t *into) {
  if (napi_get_value_int32(env, value, into) == napi_ok) return true;
  napi_throw_type_error(env, NULL, "this is no number");
  return false;
}

napi_value rmr_int_value(napi_env env, int32_t value) {
  napi_value result;
  RMR_CHECK(env, napi_create_int32(env, value, &result));
  return result;
}

bool rmr_hold(napi_env env, napi_value array_buffer, struct rmr_memory *memory) {
  void *bytes = NULL;
  if (napi_get_arraybuffer_info(env, array_buffer, &bytes, &memory->size) == napi_ok &&
      napi_create_reference(env, array_buffer, 1, &memory->ref) == napi_ok) {
    memory->bytes = bytes;
    return true;
  }
  rmr_throw_last(env, "memory");
  return false;
}

void rmr_let_go(napi_env env, struct rmr_memory *memory) {
  if (memory->ref != NULL) napi_delete_reference(env, memory->ref);
  memory->ref = NULL;
  memory->bytes = NULL;
  memory->size = 0;
}

bool rmr_bytes(napi_env env, napi_value value, uint8_t **bytes, size_t *size) {
  napi_typedarray_type type;
  void *data = NULL;
  const napi_status status =
      napi_get_typedarray_info(env, value, &type, size, &data, NULL, NULL);
  *bytes = data;
  if (status == napi_ok && type == napi_uint8_array) return true;
  napi_throw_type_error(env, NULL, "this is no Uint8Array");
  return false;
}

/* Of a number that is given up, until no row of the turn can name it any more. */
static char given_up;

int rmr_list_add(struct rmr_list *list, void *item) {
  for (int number = 0; number < list->count; number++) {
    if (list->items[number] == NULL) {
      list->items[number] = item;
      return number;
    }
  }
  const int count = list->count == 0 ? 8 : list->count * 2;
  void **items = realloc(list->items, (size_t)count * sizeof *items);
  if (items == NULL) return -1;
  for (int number = list->count; number < count; number++) items[number] = NULL;
  const int number = list->count;
  list->items = items;
  list->count = count;
  items[number] = item;
  return number;
}

void *rmr_list_at(const struct rmr_list *list, int number) {
  if (number < 0 || number >= list->count || list->items[number] == &given_up) return NULL;
  return list->items[number];
}

void rmr_list_drop(struct rmr_list *list, int number) {
  list->items[number] = &given_up;
  list->given_up_count++;
}

void rmr_list_sweep(struct rmr_list *list) {
  for (int number = 0; number < list->count && list->given_up_count > 0; number++) {
    if (list->items[number] != &given_up) continue;
    list->items[number] = NULL;
    list->given_up_count--;
  }
}

NAPI_MODULE_INIT() {
  napi_value version;
  /*
   * A process that starts others must not lose memory that a device has: before the first call.
   * Where the kernel copies such pages, the library's own remedy would keep them from the child,
   * with all else that lies in them, and there is no child.
   */
  if (ibv_is_fork_initialized() != IBV_FORK_UNNEEDED) ibv_fork_init();
  RMR_CHECK(env, napi_create_uint32(env, RMR_NATIVE_VERSION, &version));
  RMR_CHECK(env, napi_set_named_property(env, exports, "version", version));
  if (!rmr_export_engine(env, exports) || !rmr_export_manager(env, exports) ||
      !rmr_export_lines(env, exports) || !rmr_export_regions(env, exports) ||
      !rmr_export_posts(env, exports) || !rmr_export_reaps(env, exports)) {
    return NULL;
  }
  return exports;
}
