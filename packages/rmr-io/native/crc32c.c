/*
 * CRC-32C (Castagnoli): an instruction of the processor, three at a time, or tables.
 *
 * The instruction takes eight bytes and answers after three cycles, but a new one can start in each
 * cycle. So three neighbouring lanes of the same length are summed side by side, the second and the
 * third from a register of zero. Since the sum is linear, the register of a lane is carried over
 * the lane behind it by feeding it as many zero bytes; what that does to each byte of the register
 * is four tables of 256 words, made at the start by doing it once per bit.
 *
 * Invariant: a register here is the sum before its last inversion.
 */
#include "crc32c.h"

#include <string.h>

#if defined(__x86_64__)
#include <nmmintrin.h>
#define HAS_INSTRUCTION 1
#define WITH_INSTRUCTION __attribute__((target("sse4.2")))
#define MEANS "sse4.2"
#elif defined(__aarch64__) && defined(__linux__)
#include <arm_acle.h>
#include <asm/hwcap.h>
#include <sys/auxv.h>
#define HAS_INSTRUCTION 1
#define WITH_INSTRUCTION __attribute__((target("+crc")))
#define MEANS "armv8"
#else
#define HAS_INSTRUCTION 0
#endif

/* 0x1EDC6F41 with its bits reversed, for a register that shifts right. */
#define POLYNOMIAL 0x82f63b78u

static uint32_t byte_tables[8][256];
static int has_instruction = 0;

static uint64_t load64(const uint8_t *bytes) {
  uint64_t word;
  memcpy(&word, bytes, sizeof word);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
  word = __builtin_bswap64(word);
#endif
  return word;
}

/* Table n says what is left of a byte in the register after n more bytes of zero. */
static void make_byte_tables(void) {
  for (uint32_t byte = 0; byte < 256; byte++) {
    uint32_t sum = byte;
    for (int bit = 0; bit < 8; bit++) sum = (sum & 1) ? (sum >> 1) ^ POLYNOMIAL : sum >> 1;
    byte_tables[0][byte] = sum;
  }
  for (uint32_t byte = 0; byte < 256; byte++) {
    uint32_t sum = byte_tables[0][byte];
    for (int table = 1; table < 8; table++) {
      sum = (sum >> 8) ^ byte_tables[0][sum & 255];
      byte_tables[table][byte] = sum;
    }
  }
}

static uint32_t by_table(uint32_t sum, const uint8_t *bytes, size_t count) {
  for (; count >= 8; count -= 8, bytes += 8) {
    uint64_t word = load64(bytes) ^ sum;
    sum = 0;
    for (int at = 0; at < 8; at++) sum ^= byte_tables[7 - at][(word >> (8 * at)) & 255];
  }
  for (; count > 0; count--, bytes++) sum = (sum >> 8) ^ byte_tables[0][(sum ^ *bytes) & 255];
  return ~sum;
}

uint32_t rmr_crc32c_by_table(const uint8_t *bytes, size_t count) {
  return by_table(~0u, bytes, count);
}

#if HAS_INSTRUCTION

/* Lanes of three lengths: for payloads, for a block of 4 KiB but for 16 bytes, and for the rest. */
#define LONG_LANE 2048
#define BLOCK_LANE 1360
#define SHORT_LANE 256
/* What a processor fetches at a time. */
#define LINE 64

static uint32_t over_long_lane[4][256];
static uint32_t over_block_lane[4][256];
static uint32_t over_short_lane[4][256];

WITH_INSTRUCTION static inline uint32_t step64(uint32_t sum, uint64_t word) {
#if defined(__x86_64__)
  return (uint32_t)_mm_crc32_u64(sum, word);
#else
  return __crc32cd(sum, word);
#endif
}

WITH_INSTRUCTION static inline uint32_t step8(uint32_t sum, uint8_t byte) {
#if defined(__x86_64__)
  return _mm_crc32_u8(sum, byte);
#else
  return __crc32cb(sum, byte);
#endif
}

/* What `zeroes` zero bytes make of each byte of a register: a bit by doing it, the rest by xor. */
WITH_INSTRUCTION static void make_lane_tables(uint32_t tables[4][256], int zeroes) {
  for (int bit = 0; bit < 32; bit++) {
    uint32_t sum = 1u << bit;
    for (int at = 0; at < zeroes; at += 8) sum = step64(sum, 0);
    tables[bit / 8][1u << (bit % 8)] = sum;
  }
  for (int table = 0; table < 4; table++) {
    for (uint32_t byte = 1; byte < 256; byte++) {
      uint32_t low = byte & (~byte + 1);
      tables[table][byte] = tables[table][low] ^ tables[table][byte ^ low];
    }
  }
}

static inline uint32_t carry(uint32_t tables[4][256], uint32_t sum) {
  return tables[0][sum & 255] ^ tables[1][(sum >> 8) & 255] ^ tables[2][(sum >> 16) & 255] ^
         tables[3][sum >> 24];
}

/* Three lanes that lie one behind the other, and what is wanted next so far ahead; 0 is nothing. */
WITH_INSTRUCTION static inline uint32_t three_lanes(uint32_t sum, const uint8_t *bytes, size_t lane,
                                                    uint32_t tables[4][256], size_t ahead) {
  uint32_t second = 0;
  uint32_t third = 0;
  for (size_t at = 0; at < lane; at += 8) {
    if (ahead > 0 && at % LINE == 0) {
      __builtin_prefetch(bytes + ahead + at);
      __builtin_prefetch(bytes + ahead + lane + at);
      __builtin_prefetch(bytes + ahead + 2 * lane + at);
    }
    sum = step64(sum, load64(bytes + at));
    second = step64(second, load64(bytes + lane + at));
    third = step64(third, load64(bytes + 2 * lane + at));
  }
  return carry(tables, carry(tables, sum) ^ second) ^ third;
}

/* What is left of bytes whose first part gave this register. */
WITH_INSTRUCTION static inline uint32_t rest(uint32_t sum, const uint8_t *bytes, size_t count) {
  for (; count >= 3 * SHORT_LANE; count -= 3 * SHORT_LANE, bytes += 3 * SHORT_LANE) {
    sum = three_lanes(sum, bytes, SHORT_LANE, over_short_lane, 0);
  }
  for (; count >= 8; count -= 8, bytes += 8) sum = step64(sum, load64(bytes));
  for (; count > 0; count--, bytes++) sum = step8(sum, *bytes);
  return ~sum;
}

WITH_INSTRUCTION static uint32_t by_instruction(uint32_t sum, const uint8_t *bytes,
                                                size_t count) {
  for (; count >= 3 * LONG_LANE; count -= 3 * LONG_LANE, bytes += 3 * LONG_LANE) {
    sum = three_lanes(sum, bytes, LONG_LANE, over_long_lane, 0);
  }
  return rest(sum, bytes, count);
}

/* Of a block that was fetched before; another one that begins so far ahead is fetched meanwhile. */
WITH_INSTRUCTION static uint32_t of_block(const uint8_t *bytes, size_t count, size_t ahead) {
  uint32_t sum = ~0u;
  for (; count >= 3 * BLOCK_LANE; count -= 3 * BLOCK_LANE, bytes += 3 * BLOCK_LANE) {
    sum = three_lanes(sum, bytes, BLOCK_LANE, over_block_lane, ahead);
  }
  return rest(sum, bytes, count);
}

static int processor_has_it(void) {
#if defined(__x86_64__)
  __builtin_cpu_init();
  return __builtin_cpu_supports("sse4.2") != 0;
#else
  return (getauxval(AT_HWCAP) & HWCAP_CRC32) != 0;
#endif
}

#endif

/*
 * While this is being loaded, which happens once in a process however many threads use it.
 * pthread_once would need a glibc of 2021.
 */
__attribute__((constructor)) static void prepare(void) {
  make_byte_tables();
#if HAS_INSTRUCTION
  has_instruction = processor_has_it();
  if (has_instruction) {
    make_lane_tables(over_long_lane, LONG_LANE);
    make_lane_tables(over_block_lane, BLOCK_LANE);
    make_lane_tables(over_short_lane, SHORT_LANE);
  }
#endif
}

const char *rmr_crc32c_means(void) {
#if HAS_INSTRUCTION
  if (has_instruction) return MEANS;
#endif
  return "table";
}

uint32_t rmr_crc32c_on(uint32_t sum, const uint8_t *bytes, size_t count) {
#if HAS_INSTRUCTION
  if (has_instruction) return by_instruction(~sum, bytes, count);
#endif
  return by_table(~sum, bytes, count);
}

uint32_t rmr_crc32c(const uint8_t *bytes, size_t count) {
  return rmr_crc32c_on(0, bytes, count);
}

void rmr_crc32c_blocks(const uint8_t *bytes, size_t block, size_t count, uint32_t *sums) {
#if HAS_INSTRUCTION
  if (has_instruction) {
    for (; count > 0; count--, bytes += block, sums++) {
      *sums = of_block(bytes, block, count > 1 ? block : 0);
    }
    return;
  }
#endif
  for (; count > 0; count--, bytes += block, sums++) *sums = rmr_crc32c_by_table(bytes, block);
}
