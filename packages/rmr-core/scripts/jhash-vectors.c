/*
 * Asks the kernel's own linux/jhash.h: one "<initval> <hex bytes>" per line in, one hash per line
 * out. The few things that header includes are stood in for by kernel-shim/, because the rest of
 * the kernel's headers do not compile in a user's program.
 */
#include <linux/jhash.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BYTES_MAX 8192

int main(void)
{
	static char line[2 * BYTES_MAX + 64];
	static u8 bytes[BYTES_MAX];

	while (fgets(line, sizeof(line), stdin)) {
		char *hex = line;
		u32 initval = strtoul(line, &hex, 10);
		u32 length = 0;
		unsigned int byte;

		while (*hex == ' ')
			hex++;
		while (sscanf(hex, "%2x", &byte) == 1 && length < BYTES_MAX) {
			bytes[length++] = byte;
			hex += 2;
		}
		printf("%u\n", jhash(bytes, length, initval));
	}
	return 0;
}
