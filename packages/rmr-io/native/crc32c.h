/* CRC-32C of bytes in memory, by the fastest means that this processor has, chosen at loading. */
#ifndef RMR_CRC32C_H
#define RMR_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* What was chosen: "sse4.2", "armv8" or "table". */
const char *rmr_crc32c_means(void);

/* The checksum of these bytes; `count` may be 0. */
uint32_t rmr_crc32c(const uint8_t *bytes, size_t count);

/* The checksum of bytes whose first part has this sum: `count` may be 0. */
uint32_t rmr_crc32c_on(uint32_t sum, const uint8_t *bytes, size_t count);

/*
 * The checksum of each of `count` blocks of `block` bytes that lie one behind the other. While one
 * is summed the next is fetched: a processor itself does not look beyond the end of a page.
 */
void rmr_crc32c_blocks(const uint8_t *bytes, size_t block, size_t count, uint32_t *sums);

/* The same without instructions for it, so that a test can compare the two anywhere. */
uint32_t rmr_crc32c_by_table(const uint8_t *bytes, size_t count);

#endif
