/*
 * The connection manager: who calls, who answers, who hangs up.
 *
 * Addresses and routes are resolved in its own time; a dialed line that has a route has a device
 * too, and JavaScript goes on from there. An event is acknowledged before anybody may close what it
 * is about, since closing waits for that.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "codes.h"
#include "rdma.h"

#define RESOLVE_MS 3000
#define BACKLOG 128
#define ADDRESS_CHARS_MAX 64

union address {
  struct sockaddr any;
  struct sockaddr_in four;
  struct sockaddr_in6 six;
};

static bool address_of(const char *text, uint32_t number, union address *into) {
  memset(into, 0, sizeof *into);
  if (inet_pton(AF_INET, text, &into->four.sin_addr) == 1) {
    into->four.sin_family = AF_INET;
    into->four.sin_port = htons((uint16_t)number);
    return true;
  }
  if (inet_pton(AF_INET6, text, &into->six.sin6_addr) != 1) return false;
  into->six.sin6_family = AF_INET6;
  into->six.sin6_port = htons((uint16_t)number);
  return true;
}

static bool parse_address(napi_env env, napi_value host, napi_value port, union address *into) {
  char text[ADDRESS_CHARS_MAX];
  size_t length;
  uint32_t number;
  return napi_get_value_string_utf8(env, host, text, sizeof text, &length) == napi_ok &&
         napi_get_value_uint32(env, port, &number) == napi_ok && number <= 65535 &&
         address_of(text, number, into);
}

static bool is_of_all(const union address *address) {
  if (address->any.sa_family == AF_INET) return address->four.sin_addr.s_addr == INADDR_ANY;
  return IN6_IS_ADDR_UNSPECIFIED(&address->six.sin6_addr);
}

/* An empty text is none. */
static bool parse_from(napi_env env, napi_value host, union address *into, bool *is_any) {
  char text[ADDRESS_CHARS_MAX];
  size_t length;
  if (napi_get_value_string_utf8(env, host, text, sizeof text, &length) != napi_ok) return false;
  *is_any = length > 0;
  return length == 0 || address_of(text, 0, into);
}

/* listen(engine, host, port): the number of a listener, or a negative code. */
static napi_value listen_at(napi_env env, napi_callback_info info) {
  napi_value args[3];
  union address address;
  if (!rmr_args(env, info, 3, args)) return NULL;
  struct rmr_engine *engine = rmr_engine_of(env, args[0]);
  if (engine == NULL) return NULL;
  if (engine->is_closed || !parse_address(env, args[1], args[2], &address)) {
    return rmr_int_value(env, -WHY_INVALID);
  }
  rmr_sweep_devices(engine);
  struct rmr_listener *listener = calloc(1, sizeof *listener);
  if (listener == NULL) return rmr_int_value(env, -WHY_NO_MEMORY);
  listener->engine = engine;
  int error = 0;
  if (rdma_create_id(engine->channel, &listener->id, listener, RDMA_PS_TCP) != 0) error = errno;
  else if (rdma_bind_addr(listener->id, &address.any) != 0) error = errno;
  else if (rdma_listen(listener->id, BACKLOG) != 0) error = errno;
  /* What the manager says where somebody listens at this port of whatever address. */
  if (error == EADDRNOTAVAIL && is_of_all(&address)) error = EADDRINUSE;
  listener->number = error == 0 ? rmr_list_add(&engine->listeners, listener) : -1;
  if (listener->number >= 0 && rmr_use(engine)) return rmr_int_value(env, listener->number);
  if (listener->number >= 0) rmr_list_drop(&engine->listeners, listener->number);
  if (listener->id != NULL) rdma_destroy_id(listener->id);
  free(listener);
  return rmr_int_value(env, -rmr_why_of_errno(error == 0 ? ENOMEM : error));
}

/* portOf(engine, listener) */
static napi_value port_of(napi_env env, napi_callback_info info) {
  napi_value args[2];
  int32_t number;
  if (!rmr_args(env, info, 2, args)) return NULL;
  struct rmr_engine *engine = rmr_engine_of(env, args[0]);
  if (engine == NULL || !rmr_int(env, args[1], &number)) return NULL;
  const struct rmr_listener *listener = rmr_list_at(&engine->listeners, number);
  return rmr_int_value(env, listener == NULL ? 0 : ntohs(rdma_get_src_port(listener->id)));
}

void rmr_listener_close(struct rmr_listener *listener) {
  struct rmr_engine *engine = listener->engine;
  rdma_destroy_id(listener->id);
  rmr_list_drop(&engine->listeners, listener->number);
  free(listener);
  rmr_unuse(engine);
}

/* closeListener(engine, listener) */
static napi_value close_listener(napi_env env, napi_callback_info info) {
  napi_value args[2];
  int32_t number;
  if (!rmr_args(env, info, 2, args)) return NULL;
  struct rmr_engine *engine = rmr_engine_of(env, args[0]);
  if (engine == NULL || !rmr_int(env, args[1], &number)) return NULL;
  struct rmr_listener *listener = rmr_list_at(&engine->listeners, number);
  if (listener != NULL) rmr_listener_close(listener);
  return NULL;
}

/*
 * dialLine(engine, host, port, from): a line that will have a route, or a negative code. From is an
 * address of ours, where it is not left to the machine.
 */
static napi_value dial_line(napi_env env, napi_callback_info info) {
  napi_value args[4];
  union address address;
  union address from;
  bool is_from;
  struct rdma_cm_id *id;
  if (!rmr_args(env, info, 4, args)) return NULL;
  struct rmr_engine *engine = rmr_engine_of(env, args[0]);
  if (engine == NULL) return NULL;
  if (engine->is_closed || !parse_address(env, args[1], args[2], &address) ||
      !parse_from(env, args[3], &from, &is_from)) {
    return rmr_int_value(env, -WHY_INVALID);
  }
  rmr_sweep_devices(engine);
  if (rdma_create_id(engine->channel, &id, NULL, RDMA_PS_TCP) != 0) {
    return rmr_int_value(env, -rmr_why_of_errno(errno));
  }
  struct rmr_line *line = rmr_line_new(engine, id);
  if (line == NULL) {
    rdma_destroy_id(id);
    return rmr_int_value(env, -WHY_NO_MEMORY);
  }
  if (rdma_resolve_addr(id, is_from ? &from.any : NULL, &address.any, RESOLVE_MS) == 0) {
    return rmr_int_value(env, line->number);
  }
  const int why = rmr_why_of_errno(errno);
  rmr_line_close(line);
  return rmr_int_value(env, -why);
}

struct wish {
  struct rmr_engine *engine;
  struct rmr_line *line;
  struct rdma_conn_param how;
};

/*
 * Of (engine, line, private data, sends, receives, is link): the line gets its queue pair. False
 * with a pending exception; `*why` says what else went wrong.
 */
static bool equip(napi_env env, napi_callback_info info, struct wish *wish, int *why) {
  napi_value args[6];
  int32_t numbers[4];
  uint8_t *bytes;
  size_t size;
  if (!rmr_args(env, info, 6, args)) return false;
  wish->engine = rmr_engine_of(env, args[0]);
  if (wish->engine == NULL || !rmr_int(env, args[1], &numbers[0]) ||
      !rmr_bytes(env, args[2], &bytes, &size)) {
    return false;
  }
  for (int nth = 1; nth < 4; nth++) {
    if (!rmr_int(env, args[nth + 2], &numbers[nth])) return false;
  }
  struct rmr_line *line = rmr_list_at(&wish->engine->lines, numbers[0]);
  wish->line = line;
  *why = WHY_INVALID;
  if (line == NULL || line->state == RMR_LINE_OVER || line->has_qp) return true;
  if (size > RMR_PRIVATE_BYTES_MAX || numbers[1] < 1 || numbers[2] < 1) return true;
  line->depths.sends = (uint32_t)numbers[1];
  line->depths.receives = (uint32_t)numbers[2];
  line->is_link = numbers[3] != 0;
  const int error = rmr_line_equip(line);
  *why = error == 0 ? 0 : rmr_why_of_errno(error);
  if (*why != 0) return true;
  wish->how = (struct rdma_conn_param){
      .private_data = bytes,
      .private_data_len = (uint8_t)size,
      /* As many reads under way as both devices take. */
      .responder_resources = RDMA_MAX_RESP_RES,
      .initiator_depth = RDMA_MAX_INIT_DEPTH,
      .flow_control = 1,
      .retry_count = 7,
      .rnr_retry_count = 7,
  };
  return true;
}

/* connectLine(engine, line, private data, sends, receives, is link): 0, or a code. */
static napi_value connect_line(napi_env env, napi_callback_info info) {
  struct wish wish = {0};
  int why;
  if (!equip(env, info, &wish, &why)) return NULL;
  if (why == 0 && rdma_connect(wish.line->id, &wish.how) != 0) why = rmr_why_of_errno(errno);
  if (why == 0) wish.line->state = RMR_LINE_CONNECTING;
  return rmr_int_value(env, why);
}

/* acceptLine(engine, line, private data, sends, receives, is link): 0, or a code. */
static napi_value accept_line(napi_env env, napi_callback_info info) {
  struct wish wish = {0};
  int why;
  if (!equip(env, info, &wish, &why)) return NULL;
  if (why == 0 && rdma_accept(wish.line->id, &wish.how) != 0) why = rmr_why_of_errno(errno);
  if (why == 0) wish.line->state = RMR_LINE_CONNECTING;
  return rmr_int_value(env, why);
}

/* rejectLine(engine, line, private data): it is closed too. */
static napi_value reject_line(napi_env env, napi_callback_info info) {
  napi_value args[3];
  int32_t number;
  uint8_t *bytes;
  size_t size;
  if (!rmr_args(env, info, 3, args)) return NULL;
  struct rmr_engine *engine = rmr_engine_of(env, args[0]);
  if (engine == NULL || !rmr_int(env, args[1], &number)) return NULL;
  if (!rmr_bytes(env, args[2], &bytes, &size)) return NULL;
  struct rmr_line *line = rmr_list_at(&engine->lines, number);
  if (line == NULL) return NULL;
  /* Whoever called may be gone, then nobody hears it. */
  if (size <= RMR_PRIVATE_BYTES_MAX) rdma_reject(line->id, bytes, (uint8_t)size);
  rmr_line_close(line);
  return NULL;
}

static void take_private(struct rmr_engine *engine, int32_t *row,
                         const struct rdma_cm_event *event) {
  const uint8_t size = event->param.conn.private_data_len;
  if (size > 0 && event->param.conn.private_data != NULL) {
    rmr_arrival_text(engine, row, event->param.conn.private_data, size);
  }
}

/* Somebody calls: a line that JavaScript accepts, rejects or lets be. */
static void on_asked(struct rmr_engine *engine, struct rdma_cm_event *event, int32_t *row) {
  const struct rmr_listener *listener = event->listen_id->context;
  struct rmr_line *line = rmr_line_new(engine, event->id);
  if (line == NULL) {
    row[ARRIVAL_EVENT] = 0;
    rdma_reject(event->id, NULL, 0);
    return;
  }
  line->state = RMR_LINE_ASKED;
  row[ARRIVAL_LINE] = line->number;
  row[ARRIVAL_EVENT] = EVENT_ASKED;
  row[ARRIVAL_VALUE] = listener->number;
  take_private(engine, row, event);
}

static void on_line_event(struct rmr_line *line, struct rdma_cm_event *event, int32_t *row) {
  row[ARRIVAL_LINE] = line->number;
  if (line->state == RMR_LINE_OVER) return;
  switch (event->event) {
    case RDMA_CM_EVENT_ADDR_RESOLVED:
      if (rdma_resolve_route(line->id, RESOLVE_MS) != 0) {
        rmr_line_over(line, rmr_why_of_errno(errno), errno);
      }
      break;
    case RDMA_CM_EVENT_ROUTE_RESOLVED: row[ARRIVAL_EVENT] = EVENT_ROUTED; break;
    case RDMA_CM_EVENT_ESTABLISHED:
      line->state = RMR_LINE_UP;
      row[ARRIVAL_EVENT] = EVENT_CONNECTED;
      take_private(line->engine, row, event);
      break;
    case RDMA_CM_EVENT_TIMEWAIT_EXIT:
    case RDMA_CM_EVENT_ADDR_CHANGE: break;
    case RDMA_CM_EVENT_REJECTED:
      line->state = RMR_LINE_OVER;
      line->is_told = true;
      row[ARRIVAL_EVENT] = EVENT_OVER;
      row[ARRIVAL_VALUE] = WHY_REFUSED;
      row[ARRIVAL_DETAIL] = event->status;
      take_private(line->engine, row, event);
      break;
    default: rmr_line_end(line, rmr_why_of_manager(event), event->status); break;
  }
}

/* NULL where it is no listener's. */
static struct rmr_listener *listener_with(const struct rmr_engine *engine,
                                          const struct rdma_cm_id *id) {
  for (int number = 0; number < engine->listeners.count; number++) {
    struct rmr_listener *listener = rmr_list_at(&engine->listeners, number);
    if (listener != NULL && listener->id == id) return listener;
  }
  return NULL;
}

void rmr_manager_events(struct rmr_engine *engine) {
  struct rmr_table *table = &engine->table;
  while (table->arrival_count < RMR_ARRIVALS_MAX) {
    struct rdma_cm_event *event;
    struct rdma_cm_id *unwanted = NULL;
    struct rmr_listener *gone = NULL;
    if (rdma_get_cm_event(engine->channel, &event) != 0) return;
    /* A row that stays without an event says nothing, and is taken back. */
    int32_t *row = rmr_arrival(engine, -1, 0);
    if (event->event == RDMA_CM_EVENT_CONNECT_REQUEST) {
      on_asked(engine, event, row);
      if (row[ARRIVAL_EVENT] == 0) unwanted = event->id;
    } else {
      struct rmr_line *line = rmr_line_with(engine, event->id);
      if (line != NULL) on_line_event(line, event, row);
      else if (event->event == RDMA_CM_EVENT_DEVICE_REMOVAL) {
        gone = listener_with(engine, event->id);
      }
    }
    if (gone != NULL) {
      row[ARRIVAL_EVENT] = EVENT_GONE;
      row[ARRIVAL_VALUE] = gone->number;
    }
    if (row[ARRIVAL_EVENT] == 0) table->arrival_count--;
    rdma_ack_cm_event(event);
    if (unwanted != NULL) rdma_destroy_id(unwanted);
    /* The device waits until nobody has anything of it. */
    if (gone != NULL) rmr_listener_close(gone);
  }
}

int rmr_export_manager(napi_env env, napi_value exports) {
  return rmr_export(env, exports, "listen", listen_at) &&
         rmr_export(env, exports, "portOf", port_of) &&
         rmr_export(env, exports, "closeListener", close_listener) &&
         rmr_export(env, exports, "dialLine", dial_line) &&
         rmr_export(env, exports, "connectLine", connect_line) &&
         rmr_export(env, exports, "acceptLine", accept_line) &&
         rmr_export(env, exports, "rejectLine", reject_line);
}
