/*
 * Lines: a queue pair, its completion queue, and the small memory that greetings arrive in.
 *
 * The queue pair goes before anything that it could reach: once `rmr_line_close` returns, no write
 * of the peer lands anywhere any more.
 *
 * Its completion queue stays for a while. Soft-RoCE of Linux 6.1 may tell of one that was destroyed
 * a moment ago, and the library, which looks into whatever it is told of, into memory that is gone.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "codes.h"
#include "rdma.h"

/* Inline data: the word that tells of a frame where there is no immediate data. */
#define INLINE_BYTES 16
#define TOLD_BYTES 64
/* At least a second. */
#define TICKS_ASIDE 2

struct rmr_line *rmr_line_new(struct rmr_engine *engine, struct rdma_cm_id *id) {
  struct rmr_line *line = calloc(1, sizeof *line);
  if (line == NULL) return NULL;
  line->engine = engine;
  line->id = id;
  line->number = rmr_list_add(&engine->lines, line);
  if (line->number < 0 || !rmr_use(engine)) {
    if (line->number >= 0) rmr_list_drop(&engine->lines, line->number);
    free(line);
    return NULL;
  }
  id->context = line;
  return line;
}

struct rmr_line *rmr_line_with(const struct rmr_engine *engine, const struct rdma_cm_id *id) {
  for (int number = 0; number < engine->lines.count; number++) {
    struct rmr_line *line = rmr_list_at(&engine->lines, number);
    if (line != NULL && line->id == id) return line;
  }
  return NULL;
}

static int post_all_receives(struct rmr_line *line) {
  uint32_t slots[64];
  uint32_t count = 0;
  int error = 0;
  for (uint32_t slot = 0; slot < line->depths.receives && error == 0; slot++) {
    slots[count++] = slot;
    if (count == 64 || slot + 1 == line->depths.receives) {
      error = rmr_receive(line, slots, count);
      count = 0;
    }
  }
  return error;
}

static int make_queue_pair(struct rmr_line *line) {
  const struct rmr_depths *depths = &line->depths;
  line->cq = ibv_create_cq(line->device->verbs, (int)(depths->sends + depths->receives), line,
                           line->device->channel, 0);
  if (line->cq == NULL) return errno == 0 ? ENOMEM : errno;
  struct ibv_qp_init_attr init = {
      .qp_context = line,
      .send_cq = line->cq,
      .recv_cq = line->cq,
      .qp_type = IBV_QPT_RC,
      .cap = {.max_send_wr = depths->sends,
              .max_recv_wr = depths->receives,
              .max_send_sge = RMR_PIECES,
              .max_recv_sge = 1,
              .max_inline_data = INLINE_BYTES},
  };
  /* Some libraries say nothing of why. */
  errno = 0;
  if (rdma_create_qp(line->id, line->device->pd, &init) != 0) return errno == 0 ? ENOMEM : errno;
  line->has_qp = true;
  return ibv_req_notify_cq(line->cq, 0);
}

int rmr_line_equip(struct rmr_line *line) {
  struct ibv_device_attr limits;
  line->device = rmr_device_for(line->engine, line->id->verbs);
  if (line->device == NULL) return errno == 0 ? ENODEV : errno;
  if (ibv_query_device(line->id->verbs, &limits) != 0) return ENODEV;
  const uint32_t most = (uint32_t)limits.max_qp_wr;
  if (line->depths.sends > most || line->depths.receives > most) return ENOMEM;
  if (!line->is_raw) line->said_stride = line->is_link ? RMR_SAID_BYTES_MAX : TOLD_BYTES;
  const size_t received = (size_t)line->depths.receives * line->said_stride;
  const size_t bytes = received + (size_t)RMR_SAYS_MAX * RMR_SAID_BYTES_MAX;
  if (posix_memalign((void **)&line->said, 4096, bytes) != 0) return ENOMEM;
  memset(line->said, 0, bytes);
  line->said_mr = ibv_reg_mr(line->device->pd, line->said, bytes, IBV_ACCESS_LOCAL_WRITE);
  if (line->said_mr == NULL) return errno == 0 ? ENOMEM : errno;
  const int error = make_queue_pair(line);
  return error != 0 ? error : post_all_receives(line);
}

/* Receives into these slots again. */
int rmr_receive(struct rmr_line *line, const uint32_t *slots, uint32_t count) {
  struct ibv_recv_wr works[64];
  struct ibv_sge pieces[64];
  struct ibv_recv_wr *bad;
  for (uint32_t nth = 0; nth < count; nth++) {
    pieces[nth].addr = (uintptr_t)(line->said + (size_t)slots[nth] * line->said_stride);
    pieces[nth].length = line->said_stride;
    pieces[nth].lkey = line->said_mr->lkey;
    works[nth] = (struct ibv_recv_wr){
        .wr_id = slots[nth],
        .next = nth + 1 < count ? &works[nth + 1] : NULL,
        .sg_list = &pieces[nth],
        .num_sge = 1,
    };
  }
  return count == 0 ? 0 : ibv_post_recv(line->id->qp, works, &bad);
}

void rmr_line_heat(struct rmr_line *line) {
  if (line->is_hot) return;
  line->is_hot = true;
  line->next_hot = line->engine->hot;
  line->engine->hot = line;
}

static void cool(struct rmr_line *line) {
  for (struct rmr_line **at = &line->engine->hot; *at != NULL; at = &(*at)->next_hot) {
    if (*at == line) {
      *at = line->next_hot;
      break;
    }
  }
  line->is_hot = false;
}

void rmr_line_over(struct rmr_line *line, int why, int detail) {
  if (line->state == RMR_LINE_OVER) return;
  line->state = RMR_LINE_OVER;
  line->why = why;
  line->detail = detail;
  line->engine->untold_count++;
}

static void set_aside(struct rmr_line *line) {
  line->state = RMR_LINE_CLOSED;
  line->closed_at = line->engine->ticks;
  line->next_closed = line->device->closed;
  line->device->closed = line;
}

void rmr_line_end(struct rmr_line *line, int why, int detail) {
  struct ibv_qp_attr wish = {.qp_state = IBV_QPS_ERR};
  if (line->state == RMR_LINE_UP && line->end_why == 0) {
    line->end_why = why;
    line->end_detail = detail;
    if (line->fault == 0) line->fault = IBV_WC_WR_FLUSH_ERR;
    /* A device that is gone takes no wishes, and brings nothing either. */
    ibv_modify_qp(line->id->qp, &wish, IBV_QP_STATE);
    rmr_line_heat(line);
  } else if (line->state != RMR_LINE_UP) rmr_line_over(line, why, detail);
  rmr_kick_if_idle(line->engine);
}

void rmr_line_close(struct rmr_line *line) {
  struct rmr_engine *engine = line->engine;
  if (line->state == RMR_LINE_OVER && !line->is_told) engine->untold_count--;
  /* It may be down already, or never have been up. */
  if (line->has_qp) {
    rdma_disconnect(line->id);
    rdma_destroy_qp(line->id);
  }
  if (line->is_hot) cool(line);
  if (line->cq != NULL) {
    if (line->device->channel != NULL) rmr_device_events(line->device);
    if (line->is_hot) cool(line);
    /* Events of other lines were among those. */
    if (engine->hot != NULL) rmr_kick_if_idle(engine);
    ibv_ack_cq_events(line->cq, line->events_unacked);
  }
  if (line->said_mr != NULL) ibv_dereg_mr(line->said_mr);
  free(line->said);
  rdma_destroy_id(line->id);
  if (line->device != NULL) rmr_device_unuse(line->device);
  rmr_list_drop(&engine->lines, line->number);
  if (line->cq == NULL) free(line);
  else set_aside(line);
  rmr_unuse(engine);
}

void rmr_bury_lines(struct rmr_device *device, bool are_all) {
  struct rmr_line **at = &device->closed;
  while (*at != NULL) {
    struct rmr_line *line = *at;
    if (!are_all && line->engine->ticks - line->closed_at < TICKS_ASIDE) {
      at = &line->next_closed;
      continue;
    }
    *at = line->next_closed;
    ibv_destroy_cq(line->cq);
    free(line);
  }
}

static struct rmr_line *line_of(napi_env env, napi_value engine_value, napi_value number_value) {
  int32_t number;
  struct rmr_engine *engine = rmr_engine_of(env, engine_value);
  if (engine == NULL || !rmr_int(env, number_value, &number)) return NULL;
  return rmr_list_at(&engine->lines, number);
}

/* closeLine(engine, line): idempotent. */
static napi_value close_line(napi_env env, napi_callback_info info) {
  napi_value args[2];
  if (!rmr_args(env, info, 2, args)) return NULL;
  struct rmr_line *line = line_of(env, args[0], args[1]);
  if (line != NULL) rmr_line_close(line);
  return NULL;
}

/*
 * breakLine(engine, line): nothing comes or goes any more; that it is over is told behind what had
 * come before.
 */
static napi_value break_line(napi_env env, napi_callback_info info) {
  napi_value args[2];
  if (!rmr_args(env, info, 2, args)) return NULL;
  struct rmr_line *line = line_of(env, args[0], args[1]);
  if (line == NULL || line->state == RMR_LINE_OVER) return NULL;
  rmr_line_end(line, WHY_BROKEN, 0);
  return NULL;
}

/* isIwarp(engine, line): whether its device knows no immediate data. */
static napi_value is_iwarp(napi_env env, napi_callback_info info) {
  napi_value args[2];
  napi_value result;
  if (!rmr_args(env, info, 2, args)) return NULL;
  const struct rmr_line *line = line_of(env, args[0], args[1]);
  const bool is = line != NULL && line->id->verbs != NULL &&
                  line->id->verbs->device->transport_type == IBV_TRANSPORT_IWARP;
  RMR_CHECK(env, napi_get_boolean(env, is, &result));
  return result;
}

/*
 * furnishLine(engine, line, slots, room, words): our regions, and address (low, high), key and
 * bytes of the peer's room.
 */
static napi_value furnish_line(napi_env env, napi_callback_info info) {
  napi_value args[5];
  int32_t slots;
  int32_t room;
  napi_typedarray_type type;
  size_t count;
  void *data;
  if (!rmr_args(env, info, 5, args)) return NULL;
  struct rmr_line *line = line_of(env, args[0], args[1]);
  if (line == NULL || !rmr_int(env, args[2], &slots) || !rmr_int(env, args[3], &room)) return NULL;
  RMR_CHECK(env, napi_get_typedarray_info(env, args[4], &type, &count, &data, NULL, NULL));
  if (type != napi_int32_array || count < 4) {
    napi_throw_range_error(env, NULL, "the room of a peer is four words");
    return NULL;
  }
  const uint32_t *words = data;
  line->slots = rmr_list_at(&line->engine->regions, slots);
  line->room = rmr_list_at(&line->engine->regions, room);
  line->peer_address = (uint64_t)words[0] | (uint64_t)words[1] << 32;
  line->peer_key = words[2];
  line->peer_bytes = words[3];
  return NULL;
}

/* tellBySend(engine, line): one of the two devices knows no immediate data. */
static napi_value tell_by_send(napi_env env, napi_callback_info info) {
  napi_value args[2];
  if (!rmr_args(env, info, 2, args)) return NULL;
  struct rmr_line *line = line_of(env, args[0], args[1]);
  if (line != NULL) line->tells_by_send = true;
  return NULL;
}

/*
 * rawLine(engine, line, bytes): before it connects. What comes over it, up to so many bytes by
 * SEND, is told as it is, and so is immediate data.
 */
static napi_value raw_line(napi_env env, napi_callback_info info) {
  napi_value args[3];
  int32_t bytes;
  if (!rmr_args(env, info, 3, args)) return NULL;
  struct rmr_line *line = line_of(env, args[0], args[1]);
  if (line == NULL || !rmr_int(env, args[2], &bytes)) return NULL;
  if (line->has_qp || bytes < TOLD_BYTES || bytes > RMR_RAW_SAID_BYTES_MAX) {
    napi_throw_range_error(env, NULL, "it is connected, or takes no texts of this size");
    return NULL;
  }
  line->is_raw = true;
  /* Texts lie at multiples of it. */
  line->said_stride = ((uint32_t)bytes + 7) & ~7u;
  return NULL;
}

int rmr_export_lines(napi_env env, napi_value exports) {
  return rmr_export(env, exports, "closeLine", close_line) &&
         rmr_export(env, exports, "breakLine", break_line) &&
         rmr_export(env, exports, "isIwarp", is_iwarp) &&
         rmr_export(env, exports, "furnishLine", furnish_line) &&
         rmr_export(env, exports, "tellBySend", tell_by_send) &&
         rmr_export(env, exports, "rawLine", raw_line);
}
