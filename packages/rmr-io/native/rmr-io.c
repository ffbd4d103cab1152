/*
 * The native part of @rmr/io: what JavaScript is too slow for. Everything here has a twin in
 * TypeScript with the same results, so a machine without a compiler lacks speed and nothing else.
 *
 * crc32c(buffer: ArrayBuffer, at: number, bytes: number): number
 *   CRC-32C of a part of the buffer. A part that is not inside it throws a RangeError.
 */
#include <node_api.h>
#include <stdint.h>
#include <string.h>

#if defined(__x86_64__)
#include <nmmintrin.h>

static int has_hardware(void) { return __builtin_cpu_supports("sse4.2"); }

__attribute__((target("sse4.2"))) static uint32_t crc32c(const uint8_t *p, size_t n) {
  uint64_t crc = 0xffffffffu;
  for (; n >= 8; n -= 8, p += 8) {
    uint64_t word;
    memcpy(&word, p, 8);
    crc = _mm_crc32_u64(crc, word);
  }
  uint32_t rest = (uint32_t)crc;
  for (; n > 0; n--, p++) rest = _mm_crc32_u8(rest, *p);
  return ~rest;
}
#else
static int has_hardware(void) { return 0; }

static uint32_t crc32c(const uint8_t *p, size_t n) {
  (void)p;
  (void)n;
  return 0;
}
#endif

static napi_value crc32c_of(napi_env env, napi_callback_info info) {
  napi_value argv[3];
  size_t argc = 3;
  void *data = NULL;
  size_t length = 0;
  double at = -1;
  double bytes = -1;
  napi_value result;
  if (napi_get_cb_info(env, info, &argc, argv, NULL, NULL) != napi_ok || argc != 3 ||
      napi_get_arraybuffer_info(env, argv[0], &data, &length) != napi_ok ||
      napi_get_value_double(env, argv[1], &at) != napi_ok ||
      napi_get_value_double(env, argv[2], &bytes) != napi_ok) {
    napi_throw_type_error(env, NULL, "crc32c takes an ArrayBuffer, an offset and a length");
    return NULL;
  }
  if (!(at >= 0) || !(bytes >= 0) || at + bytes > (double)length) {
    napi_throw_range_error(env, NULL, "crc32c of bytes outside of the buffer");
    return NULL;
  }
  uint32_t crc = crc32c((const uint8_t *)data + (size_t)at, (size_t)bytes);
  return napi_create_uint32(env, crc, &result) == napi_ok ? result : NULL;
}

NAPI_MODULE_INIT() {
  napi_value function;
  if (!has_hardware()) return exports;
  if (napi_create_function(env, "crc32c", NAPI_AUTO_LENGTH, crc32c_of, NULL, &function) != napi_ok ||
      napi_set_named_property(env, exports, "crc32c", function) != napi_ok) {
    return NULL;
  }
  return exports;
}
