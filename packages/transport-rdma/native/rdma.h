/*
 * What the parts of this addon share: an engine has devices, listeners, regions and lines.
 *
 * An engine is one endpoint's. A line is a queue pair with a completion queue of its own, so that
 * nothing is left of it when it is gone. A region is memory of JavaScript's that a device may
 * reach; it is taken away from the device only when no line is left that could.
 */
#ifndef RMR_RDMA_H
#define RMR_RDMA_H

#define NAPI_VERSION 8
#include <infiniband/verbs.h>
#include <node_api.h>
#include <rdma/rdma_cma.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "loop.h"
#include "table.h"

#define RMR_ARENAS_MAX 256
/* Of what comes over a raw line by SEND: a part of what texts have for that. */
#define RMR_RAW_SAID_BYTES_MAX (32 * 1024)
/* Said and not yet sent, of one line. */
#define RMR_SAYS_MAX 8
/* Pieces of a frame: head with text, and payload. */
#define RMR_PIECES 2
/* What one read or write moves: some devices take no more than 8 MiB. */
#define RMR_MOVE_BYTES_MAX (1 << 20)

struct rmr_engine;

/* Memory of JavaScript's, which stays where it is as long as the reference is held. */
struct rmr_memory {
  uint8_t *bytes;
  size_t size;
  napi_ref ref;
};

/* A device as this engine uses it. */
struct rmr_device {
  struct rmr_engine *engine;
  struct ibv_context *verbs;
  struct ibv_pd *pd;
  struct ibv_comp_channel *channel;
  uv_poll_t *poll; /* of the channel */
  struct ibv_context *watcher;
  struct ibv_cq *filler;
  /* Of arenas: no other machine has a right to them. */
  struct ibv_mr *arenas[RMR_ARENAS_MAX];
  bool is_gone;
  int user_count; /* lines and regions */
  struct rmr_line *closed; /* whose completion queues are still there */
  struct rmr_device *next;
};

struct rmr_region {
  struct rmr_device *device;
  struct rmr_memory memory;
  struct ibv_mr *mr;
};

/* How deep the queues of a line are, and whether its frames are told by immediate data. */
struct rmr_depths {
  uint32_t sends;
  uint32_t receives;
};

enum rmr_line_state {
  RMR_LINE_RESOLVING,
  RMR_LINE_ASKED,      /* somebody wants to be accepted */
  RMR_LINE_CONNECTING,
  RMR_LINE_UP,
  RMR_LINE_OVER,       /* broken: JavaScript was told, and closes it */
  RMR_LINE_CLOSED      /* nothing is left but its completion queue */
};

struct rmr_line {
  struct rmr_engine *engine;
  int number;
  enum rmr_line_state state;
  bool tells_by_send;
  bool is_link; /* greetings come over it */
  bool is_raw;  /* somebody else's protocol: what comes is told as it is */
  bool is_told; /* JavaScript knows that it is over, and why */
  int why;
  int detail;
  enum ibv_wc_status fault; /* of its first work that failed */
  int end_why; /* it ends, and is over when what came before is told */
  int end_detail;
  struct rdma_cm_id *id;
  struct rmr_device *device;
  struct ibv_cq *cq;
  bool has_qp;
  struct rmr_depths depths;
  /* Where receives go that are no immediate data, and what is said. */
  uint8_t *said;
  uint32_t said_stride;
  struct ibv_mr *said_mr;
  uint32_t says;
  /* Works and posts, counted since ever; works that the device is through with. */
  uint32_t work_count;
  uint32_t work_done;
  uint32_t post_count;
  uint32_t works_unsignaled;
  uint32_t read_count; /* posts that read, since ever */
  uint32_t waits_in;   /* the round of posts in which it had no room */
  unsigned int events_unacked;
  bool is_hot;
  struct rmr_line *next_hot;
  struct rmr_line *next_closed;
  uint32_t closed_at; /* tick of the engine */
  /* Ours: heads are sent from there, frames arrive there. Theirs: where frames go. */
  struct rmr_region *slots;
  struct rmr_region *room;
  uint64_t peer_address;
  uint32_t peer_key;
  uint32_t peer_bytes;
  /* What a request to connect carries. */
  uint8_t private_data[RMR_PRIVATE_BYTES_MAX];
  uint8_t private_bytes;
};

struct rmr_listener {
  struct rmr_engine *engine;
  int number;
  struct rdma_cm_id *id;
};

struct rmr_list {
  void **items;
  int count;
  int given_up_count;
};

struct rmr_engine {
  napi_env env;
  struct uv_loop_s *loop;
  uv_poll_t *poll;
  int set;
  int timer;
  struct rdma_event_channel *channel;
  napi_async_context context;
  napi_async_cleanup_hook_handle cleanup;
  napi_ref on_turn;
  struct rmr_memory words;
  struct rmr_memory arenas[RMR_ARENAS_MAX];
  int arena_count;
  struct rmr_table table;
  struct rmr_list lines;
  struct rmr_list listeners;
  struct rmr_list regions;
  struct rmr_device *devices;
  /* The manager's devices: none of them goes while we have them. */
  struct ibv_context **held;
  struct rmr_line *hot;
  int user_count;
  uint32_t post_round;
  uint32_t ticks; /* seconds in which the loop was waited for */
  bool lets_go;    /* a device was closed that is still held */
  bool is_polling; /* in a call of the loop */
  bool is_kicked;  /* JavaScript wants a turn */
  int kick; /* asks the loop for a turn */
  int untold_count; /* lines that are over, and JavaScript does not know */
  bool is_closed;
  int holders; /* what of Node's still knows it */
  int handle_count; /* of the loop, that are not closed */
  int64_t window_ns;
  int64_t turn_ended_ns;
  int visits_awake; /* that are to come, see turns.c */
};

/* Leaves the function with a pending exception where a call of Node-API fails. */
#define RMR_CHECK(env, call)                   \
  do {                                         \
    if ((call) != napi_ok) {                   \
      rmr_throw_last((env), #call);            \
      return NULL;                             \
    }                                          \
  } while (0)

/* addon.c */
void rmr_throw_last(napi_env env, const char *call);
int rmr_export(napi_env env, napi_value exports, const char *name, napi_callback function);
/* Arguments: an engine first, then numbers; false with a pending exception. */
bool rmr_args(napi_env env, napi_callback_info info, size_t count, napi_value *args);
struct rmr_engine *rmr_engine_of(napi_env env, napi_value value);
bool rmr_int(napi_env env, napi_value value, int32_t *into);
napi_value rmr_int_value(napi_env env, int32_t value);
bool rmr_hold(napi_env env, napi_value array_buffer, struct rmr_memory *memory);
void rmr_let_go(napi_env env, struct rmr_memory *memory);
/* The bytes of a Uint8Array; false with a pending exception. */
bool rmr_bytes(napi_env env, napi_value value, uint8_t **bytes, size_t *size);

/* lists: numbers for things. -1 where there is no memory. */
int rmr_list_add(struct rmr_list *list, void *item);
void *rmr_list_at(const struct rmr_list *list, int number);
/* The number is free again after the next sweep. */
void rmr_list_drop(struct rmr_list *list, int number);
void rmr_list_sweep(struct rmr_list *list);

/* engine.c */
bool rmr_use(struct rmr_engine *engine);
void rmr_unuse(struct rmr_engine *engine);
/* Of a descriptor that is watched, for as long as anything else keeps the process; or NULL. */
uv_poll_t *rmr_poll(struct rmr_engine *engine, int fd, void *data, uv_poll_cb on_ready);
/* The descriptor may be closed at once. */
void rmr_poll_end(struct rmr_engine *engine, uv_poll_t *poll);
/* A turn, unless the loop is in one: a line has something to tell that nobody else will say. */
void rmr_kick_if_idle(const struct rmr_engine *engine);
int rmr_export_engine(napi_env env, napi_value exports);

/* turns.c */
/* What the set of an engine tells, beside devices that fail. */
#define RMR_OF_MANAGER 0
#define RMR_OF_TIMER 2
#define RMR_OF_KICK 4
void rmr_begin_turn(struct rmr_engine *engine);
void rmr_tell_of_lines(struct rmr_engine *engine);
/* The loop gives us a turn soon, whether devices have anything to tell or not. */
void rmr_kick(const struct rmr_engine *engine);
void rmr_on_set(uv_poll_t *poll, int status, int events);
void rmr_on_device(uv_poll_t *poll, int status, int events);

/* device.c: NULL, with an errno, where it cannot be had. */
struct rmr_device *rmr_device_for(struct rmr_engine *engine, struct ibv_context *verbs);
void rmr_device_unuse(struct rmr_device *device);
void rmr_device_events(struct rmr_device *device);
void rmr_device_failures(struct rmr_device *device);
void rmr_watch_devices(struct rmr_engine *engine);
/* Each second that the loop waits for us. */
void rmr_tick(struct rmr_engine *engine);
/* The same, and whenever something is begun. */
void rmr_sweep_devices(struct rmr_engine *engine);
void rmr_close_devices(struct rmr_engine *engine);

/* manager.c: what the connection manager tells. */
void rmr_listener_close(struct rmr_listener *listener);
void rmr_manager_events(struct rmr_engine *engine);
int rmr_export_manager(napi_env env, napi_value exports);

/* lines.c */
struct rmr_line *rmr_line_new(struct rmr_engine *engine, struct rdma_cm_id *id);
struct rmr_line *rmr_line_with(const struct rmr_engine *engine, const struct rdma_cm_id *id);
/* 0, or an errno: the queue pair, with all its receives posted. */
int rmr_line_equip(struct rmr_line *line);
void rmr_line_close(struct rmr_line *line);
/* Of lines that were closed: what is left of all of them, or of those closed a while ago. */
void rmr_bury_lines(struct rmr_device *device, bool are_all);
/* It broke: JavaScript is told once. */
void rmr_line_over(struct rmr_line *line, int why, int detail);
/* The same, as soon as all that has come by it is told. */
void rmr_line_end(struct rmr_line *line, int why, int detail);
void rmr_line_heat(struct rmr_line *line);
int rmr_receive(struct rmr_line *line, const uint32_t *slots, uint32_t count);
int rmr_export_lines(napi_env env, napi_value exports);

/* regions.c */
void rmr_region_close(struct rmr_engine *engine, int number);
int rmr_export_regions(napi_env env, napi_value exports);

/* posts.c and reaps.c */
int rmr_export_posts(napi_env env, napi_value exports);
/* In the wr_id of what was sent: works in the high half, posts in the low one; or reads there. */
#define RMR_WORK_SENT (1ull << 63)
#define RMR_WORK_READ (1ull << 62)
#define RMR_WORKS_MASK 0x3fffffffu
/* So many rows at most; true if nothing is left to tell. */
bool rmr_reap(struct rmr_line *line, int rows_max);
/* A row, or NULL where there is none left. */
int32_t *rmr_arrival(struct rmr_engine *engine, int line, int event);
void rmr_arrival_text(struct rmr_engine *engine, int32_t *row, const void *bytes, size_t count);
int rmr_export_reaps(napi_env env, napi_value exports);

/* codes.c: what went wrong, as WHY_* of src/codes.ts. */
int rmr_why_of_errno(int error);
int rmr_why_of_work(enum ibv_wc_status status);
int rmr_why_of_manager(const struct rdma_cm_event *event);

#endif
