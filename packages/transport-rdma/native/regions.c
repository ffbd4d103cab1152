/*
 * Regions: memory of JavaScript's that a device may reach, and for whom.
 *
 * Rights are as few as can be: a region for what a peer writes gives the right to write, one for
 * what it reads the right to read, both to the memory of one session or one request alone. A region
 * is closed when nothing that could reach it is left.
 */
#include <errno.h>
#include <stdlib.h>

#include "codes.h"
#include "rdma.h"

/* RIGHTS_* in src/native-addon.ts. */
static const int RIGHTS[] = {
    0,
    IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE,
    IBV_ACCESS_REMOTE_READ,
};
#define RIGHTS_COUNT ((int)(sizeof RIGHTS / sizeof RIGHTS[0]))

static struct rmr_region *open_region(struct rmr_device *device, uint8_t *bytes, size_t size,
                                      int rights) {
  struct rmr_region *region = calloc(1, sizeof *region);
  if (region == NULL) return NULL;
  region->device = device;
  region->mr = ibv_reg_mr(device->pd, bytes, size, RIGHTS[rights]);
  if (region->mr != NULL) {
    device->user_count++;
    return region;
  }
  free(region);
  return NULL;
}

static void drop_region(struct rmr_engine *engine, struct rmr_region *region) {
  ibv_dereg_mr(region->mr);
  rmr_device_unuse(region->device);
  rmr_let_go(engine->env, &region->memory);
  free(region);
}

/* The number of a region, or a negative code. */
static int number_for(struct rmr_engine *engine, struct rmr_region *region) {
  if (region == NULL) return -rmr_why_of_errno(errno);
  const int number = rmr_list_add(&engine->regions, region);
  if (number >= 0) return number;
  drop_region(engine, region);
  return -WHY_NO_MEMORY;
}

/* openRegion(engine, line, memory, rights): all of an ArrayBuffer, on the device of the line. */
static napi_value open_of_buffer(napi_env env, napi_callback_info info) {
  napi_value args[4];
  int32_t number;
  int32_t rights;
  if (!rmr_args(env, info, 4, args)) return NULL;
  struct rmr_engine *engine = rmr_engine_of(env, args[0]);
  if (engine == NULL || !rmr_int(env, args[1], &number) || !rmr_int(env, args[3], &rights)) {
    return NULL;
  }
  const struct rmr_line *line = rmr_list_at(&engine->lines, number);
  if (line == NULL || line->device == NULL || rights < 0 || rights >= RIGHTS_COUNT) {
    return rmr_int_value(env, -WHY_INVALID);
  }
  struct rmr_memory memory = {0};
  if (!rmr_hold(env, args[2], &memory)) return NULL;
  struct rmr_region *region = open_region(line->device, memory.bytes, memory.size, rights);
  if (region == NULL) rmr_let_go(env, &memory);
  else region->memory = memory;
  return rmr_int_value(env, number_for(engine, region));
}

/* exposeArena(engine, line, arena, at, bytes, rights): a part of an arena, for one request. */
static napi_value expose_arena(napi_env env, napi_callback_info info) {
  napi_value args[6];
  int32_t numbers[5];
  if (!rmr_args(env, info, 6, args)) return NULL;
  struct rmr_engine *engine = rmr_engine_of(env, args[0]);
  if (engine == NULL) return NULL;
  for (int nth = 0; nth < 5; nth++) {
    if (!rmr_int(env, args[nth + 1], &numbers[nth])) return NULL;
  }
  const struct rmr_line *line = rmr_list_at(&engine->lines, numbers[0]);
  const int arena = numbers[1];
  const bool is_known = line != NULL && line->device != NULL && arena >= 0 &&
                        arena < engine->arena_count && numbers[4] >= 0 &&
                        numbers[4] < RIGHTS_COUNT;
  if (!is_known) return rmr_int_value(env, -WHY_INVALID);
  const struct rmr_memory *memory = &engine->arenas[arena];
  const bool is_inside = numbers[2] >= 0 && numbers[3] > 0 &&
                         (size_t)numbers[2] + (size_t)numbers[3] <= memory->size;
  if (!is_inside) return rmr_int_value(env, -WHY_INVALID);
  struct rmr_region *region = open_region(line->device, memory->bytes + numbers[2],
                                          (size_t)numbers[3], numbers[4]);
  return rmr_int_value(env, number_for(engine, region));
}

/* regionKey(engine, region, into): address, low and high word, and key for the peer. */
static napi_value region_key(napi_env env, napi_callback_info info) {
  napi_value args[3];
  int32_t number;
  napi_typedarray_type type;
  size_t count;
  void *data;
  if (!rmr_args(env, info, 3, args)) return NULL;
  struct rmr_engine *engine = rmr_engine_of(env, args[0]);
  if (engine == NULL || !rmr_int(env, args[1], &number)) return NULL;
  RMR_CHECK(env, napi_get_typedarray_info(env, args[2], &type, &count, &data, NULL, NULL));
  const struct rmr_region *region = rmr_list_at(&engine->regions, number);
  if (region == NULL || type != napi_int32_array || count < 3) {
    napi_throw_range_error(env, NULL, "there is no such region, or no room for its key");
    return NULL;
  }
  const uint64_t address = (uint64_t)(uintptr_t)region->mr->addr;
  uint32_t *words = data;
  words[0] = (uint32_t)address;
  words[1] = (uint32_t)(address >> 32);
  words[2] = region->mr->rkey;
  return NULL;
}

void rmr_region_close(struct rmr_engine *engine, int number) {
  struct rmr_region *region = rmr_list_at(&engine->regions, number);
  if (region == NULL) return;
  engine->regions.items[number] = NULL;
  drop_region(engine, region);
}

static napi_value close_region(napi_env env, napi_callback_info info) {
  napi_value args[2];
  int32_t number;
  if (!rmr_args(env, info, 2, args)) return NULL;
  struct rmr_engine *engine = rmr_engine_of(env, args[0]);
  if (engine != NULL && rmr_int(env, args[1], &number)) rmr_region_close(engine, number);
  return NULL;
}

int rmr_export_regions(napi_env env, napi_value exports) {
  return rmr_export(env, exports, "openRegion", open_of_buffer) &&
         rmr_export(env, exports, "exposeArena", expose_arena) &&
         rmr_export(env, exports, "regionKey", region_key) &&
         rmr_export(env, exports, "closeRegion", close_region);
}
