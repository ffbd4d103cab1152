/*
 * The native part of @rmr/io: what plain Node cannot do, or not fast enough, and nothing else.
 *
 * Checksums by an instruction of the processor (sums.c), holes in files and a lock on them
 * (files.c), bytes from and to files in batches (file-moves.c, file-turns.c), connections without
 * streams (sockets.c), the sums of their frames (frames.c), and what waits for all of them
 * (turns.c), awake when they are busy (linger.c). Each has a twin in JavaScript that is used where
 * this is not loaded; src says which one counts. `version` changes with the meaning of anything
 * here, so that JavaScript never calls an addon that was built for another state of the sources.
 */
#include "addon.h"

#include <stdio.h>
#include <stdlib.h>

/* NATIVE_VERSION in src/native-addon.ts. */
#define RMR_NATIVE_VERSION 11

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

struct rmr_instance *rmr_instance_of(napi_env env) {
  void *instance = NULL;
  return napi_get_instance_data(env, &instance) == napi_ok ? instance : NULL;
}

uint8_t *rmr_slot_memory(const struct rmr_instance *instance, double slot, double at,
                         double bytes) {
  if (!(slot >= 0 && slot < RMR_SLOT_COUNT) || !(bytes > 0)) return NULL;
  const struct rmr_slot *known = &instance->slots[(size_t)slot];
  const bool is_inside = at >= 0 && at + bytes <= (double)known->size;
  return known->bytes != NULL && is_inside ? (uint8_t *)known->bytes + (size_t)at : NULL;
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

static void end_instance(napi_env env, void *data, void *hint) {
  (void)hint;
  struct rmr_instance *instance = data;
  if (instance->job_memory != NULL) napi_delete_reference(env, instance->job_memory);
  free(instance);
}

NAPI_MODULE_INIT() {
  struct rmr_instance *instance = calloc(1, sizeof *instance);
  if (instance == NULL) {
    napi_throw_error(env, NULL, "no memory for the native addon");
    return NULL;
  }
  if (napi_set_instance_data(env, instance, end_instance, NULL) != napi_ok) {
    free(instance);
    rmr_throw_last(env, "napi_set_instance_data");
    return NULL;
  }
  rmr_linger_init(&instance->linger);
  napi_value version;
  RMR_CHECK(env, napi_create_uint32(env, RMR_NATIVE_VERSION, &version));
  RMR_CHECK(env, napi_set_named_property(env, exports, "version", version));
  if (!rmr_export_sums(env, exports) || !rmr_export_files(env, exports) ||
      !rmr_export_moves(env, exports) || !rmr_export_turns(env, exports) ||
      !rmr_export_sockets(env, exports) || !rmr_export_linger(env, exports)) {
    return NULL;
  }
  return exports;
}
