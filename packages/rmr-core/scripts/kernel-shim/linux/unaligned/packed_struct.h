/* Older kernels keep __get_unaligned_cpu32 here; the shim has it in linux/bitops.h. */
#include <linux/bitops.h>
