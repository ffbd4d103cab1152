/* Newer kernels keep get_unaligned here; the shim has it in linux/bitops.h. */
#include <linux/bitops.h>
