/* What the parts of the native addon share: how they fail, and what each thread of Node has. */
#ifndef RMR_ADDON_H
#define RMR_ADDON_H

#define NAPI_VERSION 8
#include <node_api.h>
#include <stddef.h>
#include <stdint.h>

#include "linger.h"

/* Memory that is summed by its number; see sums.c. */
#define RMR_SLOT_COUNT 256

struct rmr_slot {
  const uint8_t *bytes;
  size_t size;
};

/* How a sum is asked for, in memory that JavaScript sees too: numbers cost nothing to pass. */
struct rmr_job {
  double slot;
  double at;
  double bytes;
  uint32_t sum;
  uint32_t unused;
};

/* One per thread of Node that has loaded the addon. */
struct rmr_instance {
  struct rmr_slot slots[RMR_SLOT_COUNT];
  struct rmr_job *job;
  napi_ref job_memory;
  /* Made when there is something to wait for; ends by itself with the thread. */
  struct rmr_turns *turns;
  struct rmr_linger linger;
};

/* Leaves the function with a pending exception where a call of Node-API fails. */
#define RMR_CHECK(env, call)                   \
  do {                                         \
    if ((call) != napi_ok) {                   \
      rmr_throw_last((env), #call);            \
      return NULL;                             \
    }                                          \
  } while (0)

void rmr_throw_last(napi_env env, const char *call);
struct rmr_instance *rmr_instance_of(napi_env env);
/* The memory of a part of a slot; NULL where it is not inside of one. */
uint8_t *rmr_slot_memory(const struct rmr_instance *instance, double slot, double at, double bytes);

/* Add their functions to `exports`; false with a pending exception. */
int rmr_export(napi_env env, napi_value exports, const char *name, napi_callback function);
int rmr_export_sums(napi_env env, napi_value exports);
int rmr_export_files(napi_env env, napi_value exports);
int rmr_export_turns(napi_env env, napi_value exports);
int rmr_export_moves(napi_env env, napi_value exports);
int rmr_export_sockets(napi_env env, napi_value exports);
int rmr_export_linger(napi_env env, napi_value exports);

#endif
