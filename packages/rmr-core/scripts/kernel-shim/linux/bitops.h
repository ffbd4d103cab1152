/* What linux/jhash.h needs of linux/bitops.h, for a program outside the kernel. */
#ifndef RMR_SHIM_BITOPS_H
#define RMR_SHIM_BITOPS_H

#include <stdint.h>
#include <string.h>

typedef uint8_t u8;
typedef uint32_t u32;

#define fallthrough __attribute__((__fallthrough__))

static inline u32 rol32(u32 word, unsigned int shift)
{
	return (word << (shift & 31)) | (word >> (-shift & 31));
}

/* Older kernels read words by this name, newer ones by get_unaligned. */
static inline u32 __get_unaligned_cpu32(const void *bytes)
{
	u32 word;

	memcpy(&word, bytes, sizeof(word));
	return word;
}

#define get_unaligned(pointer) __get_unaligned_cpu32(pointer)

#endif
