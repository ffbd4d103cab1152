/*
 * Faults on purpose, as an addon: what a sanitized build must report, or else its silence means
 * nothing. For faulty.mjs alone; no part of what is shipped.
 *
 * Invariant: each function does the one wrong thing that its name says, and `fine` does none.
 */
#define NAPI_VERSION 8
#include <limits.h>
#include <node_api.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* What the compiler must not see through. */
static volatile int one = 1;
static uint8_t *volatile shown;

static int value_of(napi_env env, napi_callback_info info, uint8_t **bytes, size_t *size) {
  size_t count = 1;
  napi_value args[1];
  void *data = NULL;
  if (napi_get_cb_info(env, info, &count, args, NULL, NULL) != napi_ok || count != 1) return 0;
  if (napi_get_arraybuffer_info(env, args[0], &data, size) != napi_ok) return 0;
  *bytes = data;
  return 1;
}

static napi_value answer(napi_env env, int number) {
  napi_value value = NULL;
  return napi_create_int32(env, number, &value) == napi_ok ? value : NULL;
}

/* fine(buffer): its last byte. */
static napi_value fine(napi_env env, napi_callback_info info) {
  uint8_t *bytes;
  size_t size;
  if (!value_of(env, info, &bytes, &size)) return NULL;
  return answer(env, bytes[size - (size_t)one]);
}

/* overflow(): a byte behind memory of our own. */
static napi_value overflow(napi_env env, napi_callback_info info) {
  (void)info;
  uint8_t *bytes = malloc(24);
  if (bytes == NULL) return NULL;
  shown = bytes;
  shown[23 + one] = 1;
  const int result = shown[0];
  free(bytes);
  return answer(env, result);
}

/* readPast(buffer): a byte behind memory of JavaScript. */
static napi_value read_past(napi_env env, napi_callback_info info) {
  uint8_t *bytes;
  size_t size;
  if (!value_of(env, info, &bytes, &size)) return NULL;
  return answer(env, bytes[size - 1 + (size_t)one]);
}

/* useFreed(): memory that was given back. */
static napi_value use_freed(napi_env env, napi_callback_info info) {
  (void)info;
  uint8_t *bytes = calloc(1, 24);
  if (bytes == NULL) return NULL;
  shown = bytes;
  free(bytes);
  return answer(env, shown[one]);
}

/* addTooMuch(): what C leaves undefined, and no memory is touched. */
static napi_value add_too_much(napi_env env, napi_callback_info info) {
  (void)info;
  return answer(env, INT_MAX + one);
}

static int export_one(napi_env env, napi_value exports, const char *name, napi_callback function) {
  napi_value value;
  return napi_create_function(env, name, NAPI_AUTO_LENGTH, function, NULL, &value) == napi_ok &&
         napi_set_named_property(env, exports, name, value) == napi_ok;
}

NAPI_MODULE_INIT() {
  const int is_whole = export_one(env, exports, "fine", fine) &&
                       export_one(env, exports, "overflow", overflow) &&
                       export_one(env, exports, "readPast", read_past) &&
                       export_one(env, exports, "useFreed", use_freed) &&
                       export_one(env, exports, "addTooMuch", add_too_much);
  if (!is_whole) napi_throw_error(env, NULL, "the faults cannot be exported");
  return exports;
}
