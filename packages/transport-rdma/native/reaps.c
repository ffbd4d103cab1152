/*
 * What completions say, as rows for JavaScript: frames that have come, posts that have gone.
 *
 * A frame lies in memory that the peer may write at any time. So its head and text are copied
 * before anything in them is believed, and what a payload's sum is compared with is the copy.
 */
#include <arpa/inet.h>
#include <string.h>

#include "codes.h"
#include "crc32c.h"
#include "rdma.h"

#define POLL_MAX 32

static uint32_t load16(const uint8_t *bytes) {
  return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8;
}

static uint32_t load32(const uint8_t *bytes) {
  return load16(bytes) | load16(bytes + 2) << 16;
}

int32_t *rmr_arrival(struct rmr_engine *engine, int line, int event) {
  struct rmr_table *table = &engine->table;
  if (table->arrival_count == RMR_ARRIVALS_MAX) return NULL;
  int32_t *row = table->arrivals + (ptrdiff_t)table->arrival_count++ * RMR_ARRIVAL_WORDS;
  memset(row, 0, RMR_ARRIVAL_WORDS * sizeof *row);
  row[ARRIVAL_LINE] = line;
  row[ARRIVAL_EVENT] = event;
  return row;
}

void rmr_arrival_text(struct rmr_engine *engine, int32_t *row, const void *bytes, size_t count) {
  struct rmr_table *table = &engine->table;
  row[ARRIVAL_AT] = table->texts_used;
  row[ARRIVAL_BYTES] = (int32_t)count;
  memcpy(table->texts + table->texts_used, bytes, count);
  table->texts_used += (int)((count + 7) & ~(size_t)7);
}

/* The frame at this place of the room: right as far as its head says, or the line is over. */
static void take_frame(struct rmr_line *line, size_t place) {
  struct rmr_engine *engine = line->engine;
  const struct rmr_memory *room = line->room != NULL ? &line->room->memory : NULL;
  uint8_t frame[HEAD_BYTES + HEAD_TEXT_BYTES_MAX];
  if (room == NULL || place + HEAD_BYTES > room->size) {
    rmr_line_over(line, WHY_BAD_FRAME, 1);
    return;
  }
  memcpy(frame, room->bytes + place, HEAD_BYTES);
  const size_t text_bytes = load16(frame + HEAD_TEXT_BYTES_AT);
  const size_t payload_bytes = load32(frame + HEAD_PAYLOAD_BYTES_AT);
  const bool is_exposed = (load16(frame + HEAD_FLAGS_AT) & HEAD_FLAG_EXPOSED) != 0;
  const size_t payload_at = place + HEAD_BYTES + text_bytes;
  const size_t placed = is_exposed ? 0 : payload_bytes;
  const bool is_inside = text_bytes <= HEAD_TEXT_BYTES_MAX && payload_bytes <= INT32_MAX &&
                         payload_at + placed <= room->size;
  if (load16(frame) != HEAD_MAGIC || !is_inside) {
    rmr_line_over(line, WHY_BAD_FRAME, 2);
    return;
  }
  memcpy(frame + HEAD_BYTES, room->bytes + place + HEAD_BYTES, text_bytes);
  const uint32_t sum = rmr_crc32c(frame, HEAD_SUM_AT);
  if (rmr_crc32c_on(sum, frame + HEAD_BYTES, text_bytes) != load32(frame + HEAD_SUM_AT)) {
    rmr_line_over(line, WHY_BAD_FRAME, 3);
    return;
  }
  int32_t *row = rmr_arrival(engine, line->number, EVENT_FRAME);
  if (row == NULL) return;
  rmr_arrival_text(engine, row, frame, HEAD_BYTES + text_bytes);
  row[ARRIVAL_BYTES] = (int32_t)text_bytes;
  row[ARRIVAL_PAYLOAD] = (int32_t)payload_bytes;
  row[ARRIVAL_PLACE] = is_exposed || payload_bytes == 0 ? -1 : (int32_t)payload_at;
  row[ARRIVAL_ARENA] = -1;
  row[ARRIVAL_FRAME] = (int32_t)place;
}

static void take_told(struct rmr_line *line, uint32_t told) {
  if (told < RMR_TOLD_WORDS) {
    take_frame(line, (size_t)told * RMR_PLACE_BYTES);
    return;
  }
  int32_t *row = rmr_arrival(line->engine, line->number, EVENT_WORD);
  if (row != NULL) row[ARRIVAL_VALUE] = (int32_t)(told - RMR_TOLD_WORDS);
}

/* Of somebody else's protocol, which JavaScript knows. */
static void take_raw(const struct rmr_line *line, const struct ibv_wc *work, const uint8_t *said) {
  const bool is_written = work->opcode == IBV_WC_RECV_RDMA_WITH_IMM;
  const bool is_told = is_written || (work->wc_flags & IBV_WC_WITH_IMM) != 0;
  int32_t *row = rmr_arrival(line->engine, line->number, is_told ? EVENT_TOLD : EVENT_SAID);
  if (row == NULL) return;
  if (is_told) row[ARRIVAL_VALUE] = (int32_t)ntohl(work->imm_data);
  if (!is_written) rmr_arrival_text(line->engine, row, said, work->byte_len);
}

/* What is received says that the other side is connected, also before the manager does. */
static void take_receive(struct rmr_line *line, const struct ibv_wc *work) {
  if (line->state == RMR_LINE_CONNECTING) line->state = RMR_LINE_UP;
  const uint8_t *said = line->said + (size_t)work->wr_id * line->said_stride;
  if (line->is_raw) take_raw(line, work, said);
  else if (work->opcode == IBV_WC_RECV_RDMA_WITH_IMM) take_told(line, ntohl(work->imm_data));
  else if (work->byte_len == sizeof(uint32_t)) take_told(line, load32(said));
  else {
    int32_t *row = rmr_arrival(line->engine, line->number, EVENT_SAID);
    if (row != NULL) rmr_arrival_text(line->engine, row, said, work->byte_len);
  }
}

static void take_sent(struct rmr_line *line, const struct ibv_wc *work) {
  const uint32_t done = (uint32_t)(work->wr_id >> 32) & RMR_WORKS_MASK;
  const bool is_read = (work->wr_id & RMR_WORK_READ) != 0;
  /* A read may be told of behind what was posted after it. */
  if (((done - line->work_done) & RMR_WORKS_MASK) <= RMR_WORKS_MASK / 2) line->work_done = done;
  int32_t *row = rmr_arrival(line->engine, line->number, is_read ? EVENT_READ : EVENT_SENT);
  if (row != NULL) row[ARRIVAL_VALUE] = (int32_t)(uint32_t)work->wr_id;
}

/*
 * Rows for this line before `end`. A raw one may say more in each than others do, and takes it from
 * what is left of the texts when each row that others may still need has its own.
 */
static int room_for(const struct rmr_line *line, int end) {
  const struct rmr_table *table = &line->engine->table;
  const int rows = end - table->arrival_count;
  if (!line->is_raw) return rows;
  const int kept = (RMR_ARRIVALS_MAX - table->arrival_count) * RMR_SAID_BYTES_MAX;
  const int texts = (RMR_TEXTS_BYTES - table->texts_used - kept) / (int)line->said_stride;
  return texts < rows ? texts : rows;
}

/*
 * What came before a line broke is told before that is: a request that was answered need not be
 * asked again on another path.
 */
bool rmr_reap(struct rmr_line *line, int rows_max) {
  struct rmr_table *table = &line->engine->table;
  const int rows_end = table->arrival_count + rows_max;
  const int end = rows_end < RMR_ARRIVALS_MAX ? rows_end : RMR_ARRIVALS_MAX;
  struct ibv_wc works[POLL_MAX];
  for (;;) {
    uint32_t slots[POLL_MAX];
    uint32_t received = 0;
    const int room = room_for(line, end);
    const int count = ibv_poll_cq(line->cq, room < POLL_MAX ? room : POLL_MAX, works);
    if (count < 0) rmr_line_over(line, WHY_BROKEN, count);
    if (count == 0 && room > 0 && line->fault != 0) {
      if (line->end_why != 0) rmr_line_over(line, line->end_why, line->end_detail);
      else rmr_line_over(line, rmr_why_of_work(line->fault), (int)line->fault);
    }
    if (count <= 0) return room > 0;
    for (int nth = 0; nth < count && line->state != RMR_LINE_OVER; nth++) {
      const struct ibv_wc *work = &works[nth];
      if (work->status != IBV_WC_SUCCESS) {
        if (line->fault == 0) line->fault = work->status;
      } else if ((work->wr_id & RMR_WORK_SENT) != 0) take_sent(line, work);
      else {
        take_receive(line, work);
        slots[received++] = (uint32_t)work->wr_id;
      }
    }
    if (line->state == RMR_LINE_OVER) return true;
    if (line->fault != 0) continue;
    const int error = rmr_receive(line, slots, received);
    if (error != 0) rmr_line_over(line, rmr_why_of_errno(error), error);
  }
}

/* Of payloads whose rows say where they go: copied, and their sums compared. */
static void take_payload(const struct rmr_engine *engine, int32_t *row) {
  row[ARRIVAL_IS_RIGHT] = 0;
  const int arena = row[ARRIVAL_ARENA];
  const struct rmr_line *line = rmr_list_at(&engine->lines, row[ARRIVAL_LINE]);
  if (arena < 0 || arena >= engine->arena_count || line == NULL) return;
  const struct rmr_memory *memory = &engine->arenas[arena];
  const int32_t bytes = row[ARRIVAL_PAYLOAD];
  const int32_t to = row[ARRIVAL_TO];
  const int32_t place = row[ARRIVAL_PLACE];
  if (bytes < 0 || to < 0 || (size_t)to + (size_t)bytes > memory->size) return;
  uint8_t *target = memory->bytes + to;
  if (place >= 0) {
    const struct rmr_memory *room = line->room != NULL ? &line->room->memory : NULL;
    if (room == NULL || (size_t)place + (size_t)bytes > room->size) return;
    memcpy(target, room->bytes + place, (size_t)bytes);
  }
  const uint8_t *head = engine->table.texts + row[ARRIVAL_AT];
  const bool is_summed = (load16(head + HEAD_FLAGS_AT) & HEAD_FLAG_SUMMED) != 0;
  row[ARRIVAL_IS_RIGHT] =
      !is_summed || rmr_crc32c(target, (size_t)bytes) == load32(head + HEAD_PAYLOAD_SUM_AT);
}

/* takePayloads(engine): of all rows that name an arena. */
static napi_value take_payloads(napi_env env, napi_callback_info info) {
  napi_value args[1];
  if (!rmr_args(env, info, 1, args)) return NULL;
  struct rmr_engine *engine = rmr_engine_of(env, args[0]);
  if (engine == NULL) return NULL;
  for (int nth = 0; nth < engine->table.arrival_count; nth++) {
    int32_t *row = engine->table.arrivals + (ptrdiff_t)nth * RMR_ARRIVAL_WORDS;
    if (row[ARRIVAL_EVENT] == EVENT_FRAME && row[ARRIVAL_ARENA] >= 0) take_payload(engine, row);
  }
  return NULL;
}

/* visitFrame(engine, line, place): a row for a frame that had to wait; between turns. */
static napi_value visit_frame(napi_env env, napi_callback_info info) {
  napi_value args[3];
  int32_t number;
  int32_t place;
  if (!rmr_args(env, info, 3, args)) return NULL;
  struct rmr_engine *engine = rmr_engine_of(env, args[0]);
  if (engine == NULL || !rmr_int(env, args[1], &number) || !rmr_int(env, args[2], &place)) {
    return NULL;
  }
  struct rmr_line *line = rmr_list_at(&engine->lines, number);
  const int before = engine->table.arrival_count;
  if (line != NULL && line->state == RMR_LINE_UP && place >= 0) take_frame(line, (size_t)place);
  const int count = engine->table.arrival_count;
  if (count > before) engine->table.arrivals[before * RMR_ARRIVAL_WORDS + ARRIVAL_VALUE] = 1;
  return rmr_int_value(env, count);
}

int rmr_export_reaps(napi_env env, napi_value exports) {
  return rmr_export(env, exports, "takePayloads", take_payloads) &&
         rmr_export(env, exports, "visitFrame", visit_frame);
}
