/* Frames: heads with sums, texts and payloads in a stream; see frames.c. */
#ifndef RMR_FRAMES_H
#define RMR_FRAMES_H

#include <stddef.h>
#include <stdint.h>

/* Offsets in the head, as in FrameShape of src/frame-shape.ts. All zero: there are no frames. */
struct rmr_frame_shape {
  int32_t magic;
  int32_t head_bytes;
  int32_t text_bytes_at;
  int32_t payload_bytes_at;
  int32_t payload_sum_at;
  int32_t head_sum_at;
};

/* What of frames is looked at, in CHECK_* of src/native-addon.ts. */
enum { RMR_CHECK_NOTHING, RMR_CHECK_HEADS, RMR_CHECK_ALL };

/* How many frames from the first byte on are whole and have the right sums. */
int rmr_frames_checked(const struct rmr_frame_shape *shape, int what, const uint8_t *bytes,
                       size_t count);

/* A head with its text, in SEAL_* of src/native-addon.ts. */
struct rmr_seal {
  int32_t at;
  int32_t bytes;
};

/* Puts the sum of a head and its text into it. False: it is not inside of so many bytes. */
int rmr_frame_seal(const struct rmr_frame_shape *shape, const struct rmr_seal *seal,
                   uint8_t *bytes, size_t count);

#endif
