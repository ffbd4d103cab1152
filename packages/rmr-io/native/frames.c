/*
 * Sums of frames, many in one call: those that have come are checked while a processor has them at
 * hand anyway, and those that leave are sealed together.
 *
 * JavaScript cuts the stream, and is told how many frames at its start need no look at their sums.
 * Nothing is decided here: whatever is not whole, or wrong, is left to JavaScript to judge.
 */
#include "frames.h"

#include <string.h>

#include "crc32c.h"

static uint32_t load16(const uint8_t *bytes) {
  return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8;
}

static uint32_t load32(const uint8_t *bytes) {
  return load16(bytes) | load16(bytes + 2) << 16;
}

static void store32(uint8_t *bytes, uint32_t value) {
  for (int at = 0; at < 4; at++) bytes[at] = (uint8_t)(value >> (8 * at));
}

/* Of the head before its sum, and of the text behind it. */
static uint32_t sum_of_head(const struct rmr_frame_shape *shape, const uint8_t *head,
                            size_t text_bytes) {
  const uint32_t sum = rmr_crc32c(head, (size_t)shape->head_sum_at);
  return rmr_crc32c_on(sum, head + shape->head_bytes, text_bytes);
}

/* The length of the frame that begins here; 0 where it is not whole or not right. */
static size_t good_frame(const struct rmr_frame_shape *shape, int what, const uint8_t *head,
                         size_t count) {
  const size_t head_bytes = (size_t)shape->head_bytes;
  if (count < head_bytes || load16(head) != (uint32_t)shape->magic) return 0;
  const size_t text_bytes = load16(head + shape->text_bytes_at);
  const size_t payload_bytes = load32(head + shape->payload_bytes_at);
  if (head_bytes + text_bytes + payload_bytes > count) return 0;
  if (sum_of_head(shape, head, text_bytes) != load32(head + shape->head_sum_at)) return 0;
  const uint8_t *payload = head + head_bytes + text_bytes;
  const int is_summed = what == RMR_CHECK_ALL && payload_bytes > 0;
  if (is_summed && rmr_crc32c(payload, payload_bytes) != load32(head + shape->payload_sum_at)) {
    return 0;
  }
  return head_bytes + text_bytes + payload_bytes;
}

int rmr_frames_checked(const struct rmr_frame_shape *shape, int what, const uint8_t *bytes,
                       size_t count) {
  int frames = 0;
  if (shape->head_bytes == 0 || what == RMR_CHECK_NOTHING) return 0;
  for (size_t at = 0; at < count; frames++) {
    const size_t length = good_frame(shape, what, bytes + at, count - at);
    if (length == 0) break;
    at += length;
  }
  return frames;
}

int rmr_frame_seal(const struct rmr_frame_shape *shape, const struct rmr_seal *seal,
                   uint8_t *bytes, size_t count) {
  const int is_inside = shape->head_bytes > 0 && seal->at >= 0 &&
                        seal->bytes >= shape->head_bytes &&
                        (size_t)seal->at + (size_t)seal->bytes <= count;
  if (!is_inside) return 0;
  uint8_t *head = bytes + seal->at;
  store32(head + shape->head_sum_at,
          sum_of_head(shape, head, (size_t)(seal->bytes - shape->head_bytes)));
  return 1;
}
