/*
 * What JavaScript wants sent, all of a turn in one call: rows become works, and the works of a line
 * go to its device together.
 *
 * A device tells only now and then that it is through with works, and always where JavaScript wants
 * to know. What finds no room in the queue of its line waits in its row for the next call.
 *
 * Software iWARP sends memory of ours from where it lies, also after it has told that it is
 * through with it, unless it has to tell of that very work; and it tells of reads when they are
 * done, but of all else when it has left, also before reads that were posted earlier. So there each
 * work with a payload is told, and reads are counted apart from everything else.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "codes.h"
#include "crc32c.h"
#include "rdma.h"

#define WORKS_MAX 64
/* Works before the device has to tell. */
#define UNTOLD_MAX 16
/* As src/native-addon.ts knows it. */
#define POST_BROKE 0x10000

struct batch {
  struct rmr_line *line;
  struct ibv_send_wr works[WORKS_MAX];
  struct ibv_sge pieces[WORKS_MAX][RMR_PIECES];
  uint32_t tolds[WORKS_MAX];
  uint32_t count;
};

static void store32(uint8_t *bytes, uint32_t value) {
  for (int at = 0; at < 4; at++) bytes[at] = (uint8_t)(value >> (8 * at));
}

static struct ibv_send_wr *add_work(struct batch *batch, enum ibv_wr_opcode opcode) {
  const uint32_t nth = batch->count++;
  struct ibv_send_wr *work = &batch->works[nth];
  memset(work, 0, sizeof *work);
  work->opcode = opcode;
  work->sg_list = batch->pieces[nth];
  if (nth > 0) batch->works[nth - 1].next = work;
  return work;
}

static void add_piece(struct ibv_send_wr *work, const void *bytes, size_t count, uint32_t key) {
  struct ibv_sge *piece = &work->sg_list[work->num_sge++];
  piece->addr = (uintptr_t)bytes;
  piece->length = (uint32_t)count;
  piece->lkey = key;
}

/* By one word, where the device knows no immediate data. */
static void add_told_by_send(struct batch *batch, uint32_t told) {
  uint32_t *word = &batch->tolds[batch->count];
  struct ibv_send_wr *work = add_work(batch, IBV_WR_SEND);
  store32((uint8_t *)word, told);
  work->send_flags = IBV_SEND_INLINE;
  add_piece(work, word, sizeof *word, 0);
}

static const struct rmr_memory *arena_of(const struct rmr_engine *engine, const int32_t *row) {
  const int arena = row[POST_ARENA];
  if (arena < 0 || arena >= engine->arena_count) return NULL;
  const struct rmr_memory *memory = &engine->arenas[arena];
  const bool is_inside = row[POST_AT] >= 0 && row[POST_BYTES] >= 0 &&
                         (size_t)row[POST_AT] + (size_t)row[POST_BYTES] <= memory->size;
  return is_inside ? memory : NULL;
}

/* 0, or a code: sums go into the head, which is in our own memory. */
static int seal(const struct rmr_engine *engine, const struct rmr_line *line, const int32_t *row) {
  const struct rmr_memory *slots = &line->slots->memory;
  const int32_t at = row[POST_HEAD_AT];
  const int32_t bytes = row[POST_HEAD_BYTES];
  const bool is_inside =
      at >= 0 && bytes >= HEAD_BYTES && (size_t)at + (size_t)bytes <= slots->size;
  if (!is_inside) return WHY_INVALID;
  uint8_t *head = slots->bytes + at;
  if (row[POST_IS_SUMMED] != 0) {
    const struct rmr_memory *arena = arena_of(engine, row);
    if (arena == NULL) return WHY_INVALID;
    store32(head + HEAD_PAYLOAD_SUM_AT,
            rmr_crc32c(arena->bytes + row[POST_AT], (size_t)row[POST_BYTES]));
  }
  const uint32_t sum = rmr_crc32c(head, HEAD_SUM_AT);
  store32(head + HEAD_SUM_AT,
          rmr_crc32c_on(sum, head + HEAD_BYTES, (size_t)(bytes - HEAD_BYTES)));
  return 0;
}

/* A frame with a place that is -1 as a payload's bytes are elsewhere: the head goes alone. */
static int add_frame(const struct rmr_engine *engine, struct batch *batch, const int32_t *row) {
  struct rmr_line *line = batch->line;
  if (line->slots == NULL) return WHY_INVALID;
  const int why = seal(engine, line, row);
  if (why != 0) return why;
  const bool is_placed = row[POST_ARENA] >= 0 && row[POST_KEY] == 0;
  const size_t payload = is_placed ? (size_t)row[POST_BYTES] : 0;
  const uint32_t place = (uint32_t)row[POST_PLACE];
  const bool fits = (size_t)place + (size_t)row[POST_HEAD_BYTES] + payload <= line->peer_bytes;
  if (!fits || place % RMR_PLACE_BYTES != 0) return WHY_INVALID;
  struct ibv_send_wr *work = add_work(
      batch, line->tells_by_send ? IBV_WR_RDMA_WRITE : IBV_WR_RDMA_WRITE_WITH_IMM);
  work->wr.rdma.remote_addr = line->peer_address + place;
  work->wr.rdma.rkey = line->peer_key;
  add_piece(work, line->slots->memory.bytes + row[POST_HEAD_AT], (size_t)row[POST_HEAD_BYTES],
            line->slots->mr->lkey);
  if (payload > 0) {
    const struct rmr_memory *arena = arena_of(engine, row);
    if (arena == NULL) return WHY_INVALID;
    add_piece(work, arena->bytes + row[POST_AT], payload,
              line->device->arenas[row[POST_ARENA]]->lkey);
  }
  const uint32_t told = place / RMR_PLACE_BYTES;
  if (line->tells_by_send) add_told_by_send(batch, told);
  else work->imm_data = htonl(told);
  return 0;
}

static void add_word(struct batch *batch, const int32_t *row) {
  const uint32_t told = RMR_TOLD_WORDS | (uint32_t)row[POST_PLACE];
  if (batch->line->tells_by_send) add_told_by_send(batch, told);
  else add_work(batch, IBV_WR_RDMA_WRITE_WITH_IMM)->imm_data = htonl(told);
}

static int add_moves(const struct rmr_engine *engine, struct batch *batch, const int32_t *row) {
  const struct rmr_memory *arena = arena_of(engine, row);
  const struct rmr_line *line = batch->line;
  if (arena == NULL) return WHY_INVALID;
  const bool is_read = row[POST_KIND] == POST_READ;
  const uint32_t key = line->device->arenas[row[POST_ARENA]]->lkey;
  const uint64_t address =
      (uint64_t)(uint32_t)row[POST_ADDRESS_LOW] | (uint64_t)(uint32_t)row[POST_ADDRESS_HIGH] << 32;
  for (int32_t done = 0; done < row[POST_BYTES]; done += RMR_MOVE_BYTES_MAX) {
    const int32_t left = row[POST_BYTES] - done;
    struct ibv_send_wr *work =
        add_work(batch, is_read ? IBV_WR_RDMA_READ : IBV_WR_RDMA_WRITE);
    work->wr.rdma.remote_addr = address + (uint64_t)done;
    work->wr.rdma.rkey = (uint32_t)row[POST_KEY];
    add_piece(work, arena->bytes + row[POST_AT] + done,
              (size_t)(left < RMR_MOVE_BYTES_MAX ? left : RMR_MOVE_BYTES_MAX), key);
  }
  return 0;
}

/* As JavaScript has it: whose protocol it is knows what lies where. */
static int add_raw(const struct rmr_engine *engine, struct batch *batch, const int32_t *row) {
  const struct rmr_line *line = batch->line;
  const struct rmr_memory *arena = arena_of(engine, row);
  const bool has_payload = row[POST_ARENA] >= 0;
  const int32_t at = row[POST_HEAD_AT];
  const int32_t bytes = row[POST_HEAD_BYTES];
  const bool is_inside = bytes == 0 || (line->slots != NULL && at >= 0 && bytes > 0 &&
                                        (size_t)at + (size_t)bytes <= line->slots->memory.size);
  const bool is_payload = !has_payload || (arena != NULL && row[POST_BYTES] > 0);
  if (!line->is_raw || !is_inside || !is_payload) return WHY_INVALID;
  struct ibv_send_wr *work = add_work(batch, IBV_WR_RDMA_WRITE_WITH_IMM);
  work->imm_data = htonl((uint32_t)row[POST_PLACE]);
  work->wr.rdma.remote_addr =
      (uint64_t)(uint32_t)row[POST_ADDRESS_LOW] | (uint64_t)(uint32_t)row[POST_ADDRESS_HIGH] << 32;
  work->wr.rdma.rkey = (uint32_t)row[POST_KEY];
  if (has_payload) {
    add_piece(work, arena->bytes + row[POST_AT], (size_t)row[POST_BYTES],
              line->device->arenas[row[POST_ARENA]]->lkey);
  }
  if (bytes > 0) {
    add_piece(work, line->slots->memory.bytes + at, (size_t)bytes, line->slots->mr->lkey);
  }
  return 0;
}

/* How many works a row becomes. */
static uint32_t works_of(const struct rmr_line *line, const int32_t *row) {
  if (row[POST_KIND] == POST_WRITE || row[POST_KIND] == POST_READ) {
    return ((uint32_t)row[POST_BYTES] + RMR_MOVE_BYTES_MAX - 1) / RMR_MOVE_BYTES_MAX;
  }
  return line->tells_by_send ? 2 : 1;
}

/* The device tells when it is through with this work of the batch, and all works before it. */
static void tell_of(struct batch *batch, uint32_t nth, uint64_t kind, uint32_t count) {
  struct rmr_line *line = batch->line;
  const uint32_t works = line->work_count - (batch->count - 1 - nth);
  batch->works[nth].send_flags |= IBV_SEND_SIGNALED;
  batch->works[nth].wr_id =
      RMR_WORK_SENT | kind | (uint64_t)(works & RMR_WORKS_MASK) << 32 | count;
  line->works_unsignaled = batch->count - 1 - nth;
}

/* Of works that are not the last of their row, what was posted before it is through then. */
static void tell_of_payloads(struct batch *batch, uint32_t from) {
  for (uint32_t nth = from; nth < batch->count; nth++) {
    const struct ibv_send_wr *work = &batch->works[nth];
    const bool carries = work->opcode == IBV_WR_RDMA_WRITE && work->num_sge > 0;
    const uint32_t is_within = nth + 1 < batch->count ? 1 : 0;
    if (carries) tell_of(batch, nth, 0, batch->line->post_count - is_within);
  }
}

static int add_row(const struct rmr_engine *engine, struct batch *batch, const int32_t *row) {
  const uint32_t before = batch->count;
  int why = 0;
  if (row[POST_KIND] == POST_FRAME) why = add_frame(engine, batch, row);
  else if (row[POST_KIND] == POST_WORD) add_word(batch, row);
  else if (row[POST_KIND] == POST_RAW) why = add_raw(engine, batch, row);
  else why = add_moves(engine, batch, row);
  if (why != 0 || batch->count == before) return why == 0 ? WHY_INVALID : why;
  struct rmr_line *line = batch->line;
  line->work_count += batch->count - before;
  line->works_unsignaled += batch->count - before;
  line->post_count++;
  if (line->tells_by_send) tell_of_payloads(batch, before);
  if (row[POST_KIND] == POST_READ) {
    tell_of(batch, batch->count - 1, RMR_WORK_READ, ++line->read_count);
  } else if (row[POST_IS_TOLD] != 0 || line->works_unsignaled >= UNTOLD_MAX) {
    tell_of(batch, batch->count - 1, 0, line->post_count);
  }
  return 0;
}

static void send_batch(struct batch *batch) {
  struct ibv_send_wr *bad;
  if (batch->count == 0) return;
  const int error = ibv_post_send(batch->line->id->qp, batch->works, &bad);
  if (error != 0) rmr_line_over(batch->line, rmr_why_of_errno(error), error);
  batch->count = 0;
}

static bool has_room(const struct rmr_line *line, uint32_t works) {
  const uint32_t under_way = (line->work_count - line->work_done) & RMR_WORKS_MASK;
  return under_way + works <= line->depths.sends;
}

/* All rows of the line of the first: posted rows become those of nobody. */
static void post_line(struct rmr_engine *engine, struct rmr_line *line, int32_t *rows, int count) {
  /* Works are cleared as they are added: the whole of it is many kilobytes. */
  struct batch batch;
  batch.line = line;
  batch.count = 0;
  const int32_t number = rows[POST_LINE];
  for (int nth = 0; nth < count; nth++) {
    int32_t *row = rows + (ptrdiff_t)nth * RMR_POST_WORDS;
    if (row[POST_LINE] != number) continue;
    if (line != NULL && line->state == RMR_LINE_UP && line->fault == 0) {
      const uint32_t works = works_of(line, row);
      if (works > WORKS_MAX || works + UNTOLD_MAX > line->depths.sends) {
        rmr_line_over(line, WHY_INVALID, (int)works);
        break;
      }
      if (!has_room(line, works)) {
        line->waits_in = engine->post_round;
        break;
      }
      if (batch.count + works > WORKS_MAX) send_batch(&batch);
      const int why = add_row(engine, &batch, row);
      if (why != 0) rmr_line_over(line, why, 0);
    }
    row[POST_KIND] = 0;
  }
  send_batch(&batch);
}

/*
 * post(engine, count): how many of the rows have to wait; they are the first ones then. POST_BROKE
 * beside it says that lines broke, which the next turn tells.
 */
static napi_value post(napi_env env, napi_callback_info info) {
  napi_value args[2];
  int32_t count;
  int32_t waiting = 0;
  if (!rmr_args(env, info, 2, args)) return NULL;
  struct rmr_engine *engine = rmr_engine_of(env, args[0]);
  if (engine == NULL || !rmr_int(env, args[1], &count)) return NULL;
  if (count < 0 || count > RMR_POSTS_MAX) count = 0;
  int32_t *rows = engine->table.posts;
  engine->post_round++;
  for (int nth = 0; nth < count; nth++) {
    int32_t *row = rows + (ptrdiff_t)nth * RMR_POST_WORDS;
    if (row[POST_KIND] == 0) continue;
    struct rmr_line *line = rmr_list_at(&engine->lines, row[POST_LINE]);
    /* What waits keeps its order: nothing of its line goes before it. */
    if (line == NULL || line->waits_in != engine->post_round) {
      post_line(engine, line, row, count - nth);
    }
    if (row[POST_KIND] == 0) continue;
    if (nth > waiting) memcpy(rows + (ptrdiff_t)waiting * RMR_POST_WORDS, row,
                              RMR_POST_WORDS * sizeof *row);
    waiting++;
  }
  return rmr_int_value(env, waiting | (engine->untold_count > 0 ? POST_BROKE : 0));
}

/* say(engine, line, bytes): by SEND, on a link; false if it cannot. */
static napi_value say(napi_env env, napi_callback_info info) {
  napi_value args[3];
  int32_t number;
  uint8_t *bytes;
  size_t size;
  napi_value result;
  bool is_said = false;
  if (!rmr_args(env, info, 3, args)) return NULL;
  struct rmr_engine *engine = rmr_engine_of(env, args[0]);
  if (engine == NULL || !rmr_int(env, args[1], &number)) return NULL;
  if (!rmr_bytes(env, args[2], &bytes, &size)) return NULL;
  struct rmr_line *line = rmr_list_at(&engine->lines, number);
  if (line != NULL && line->state == RMR_LINE_UP && line->says < RMR_SAYS_MAX &&
      size <= RMR_SAID_BYTES_MAX && has_room(line, 1)) {
    struct batch batch;
    batch.line = line;
    batch.count = 0;
    uint8_t *into = line->said + (size_t)line->depths.receives * line->said_stride +
                    (size_t)line->says++ * RMR_SAID_BYTES_MAX;
    memcpy(into, bytes, size);
    add_piece(add_work(&batch, IBV_WR_SEND), into, size, line->said_mr->lkey);
    line->work_count++;
    line->works_unsignaled++;
    send_batch(&batch);
    is_said = line->state == RMR_LINE_UP;
  }
  RMR_CHECK(env, napi_get_boolean(env, is_said, &result));
  return result;
}

int rmr_export_posts(napi_env env, napi_value exports) {
  return rmr_export(env, exports, "post", post) && rmr_export(env, exports, "say", say);
}
