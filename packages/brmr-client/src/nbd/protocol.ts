/**
 * Numbers of the NBD protocol, as its specification names them. All integers are big-endian; those
 * of 64 bits that are compared are kept as two halves.
 */

/** "NBDMAGIC" and "IHAVEOPT". */
export const NBD_MAGIC_HIGH = 0x4e42444d
export const NBD_MAGIC_LOW = 0x41474943
export const OPTION_MAGIC_HIGH = 0x49484156
export const OPTION_MAGIC_LOW = 0x454f5054
export const OPTION_REPLY_MAGIC_HIGH = 0x0003e889
export const OPTION_REPLY_MAGIC_LOW = 0x045565a9
export const REQUEST_MAGIC = 0x25609513
export const SIMPLE_REPLY_MAGIC = 0x67446698
export const STRUCTURED_REPLY_MAGIC = 0x668e33ef

/** Handshake flags, of both sides. */
export const FIXED_NEWSTYLE = 1
export const NO_ZEROES = 2

export const OPT_EXPORT_NAME = 1
export const OPT_ABORT = 2
export const OPT_LIST = 3
export const OPT_STARTTLS = 5
export const OPT_INFO = 6
export const OPT_GO = 7
export const OPT_STRUCTURED_REPLY = 8
export const OPT_LIST_META_CONTEXT = 9
export const OPT_SET_META_CONTEXT = 10

export const REP_ACK = 1
export const REP_SERVER = 2
export const REP_INFO = 3
export const REP_META_CONTEXT = 4
export const REP_ERR_UNSUP = 0x8000_0001
export const REP_ERR_INVALID = 0x8000_0003
export const REP_ERR_UNKNOWN = 0x8000_0006
export const REP_ERR_SHUTDOWN = 0x8000_0007
export const REP_ERR_TOO_BIG = 0x8000_0009

export const INFO_EXPORT = 0
export const INFO_NAME = 1
export const INFO_DESCRIPTION = 2
export const INFO_BLOCK_SIZE = 3

/** Transmission flags. */
export const HAS_FLAGS: number = 1 << 0
export const READ_ONLY: number = 1 << 1
export const SEND_FLUSH: number = 1 << 2
export const SEND_FUA: number = 1 << 3
export const SEND_TRIM: number = 1 << 5
export const SEND_WRITE_ZEROES: number = 1 << 6
export const SEND_DF: number = 1 << 7
export const CAN_MULTI_CONN: number = 1 << 8
export const SEND_CACHE: number = 1 << 10
export const SEND_FAST_ZERO: number = 1 << 11

export const CMD_READ = 0
export const CMD_WRITE = 1
export const CMD_DISC = 2
export const CMD_FLUSH = 3
export const CMD_TRIM = 4
export const CMD_CACHE = 5
export const CMD_WRITE_ZEROES = 6
export const CMD_BLOCK_STATUS = 7

/** Command flags. */
export const FLAG_FUA = 1
export const FLAG_NO_HOLE = 2
export const FLAG_DF = 4
export const FLAG_REQ_ONE = 8
export const FLAG_FAST_ZERO = 16

export const CHUNK_FLAG_DONE = 1
export const CHUNK_OFFSET_DATA = 1
export const CHUNK_BLOCK_STATUS = 5
export const CHUNK_ERROR = 0x8001
export const CHUNK_ERROR_OFFSET = 0x8002

export const EPERM = 1
export const EIO = 5
export const ENOMEM = 12
export const EINVAL = 22
export const ENOSPC = 28
export const ENOTSUP = 95
export const ESHUTDOWN = 108

/** Layout of a request. */
export const REQUEST_BYTES = 28
export const REQUEST_FLAGS_AT = 4
export const REQUEST_KIND_AT = 6
export const REQUEST_COOKIE_AT = 8
export const REQUEST_OFFSET_AT = 16
export const REQUEST_LENGTH_AT = 24

/** The longest text of the protocol: a name, a description. */
export const TEXT_BYTES_MAX = 4096
