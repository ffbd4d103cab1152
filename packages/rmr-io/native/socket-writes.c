/*
 * Writing to sockets: at once, as far as the kernel takes it, or gathered to be sent in one call.
 *
 * The rest of what was not taken is the caller's, who is told when there is room again. What fails
 * is told in the loop as well, so that nobody has to deal with it in the middle of something.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "sockets.h"

/* The first pieces of an array of Uint8Array, without `skip` bytes of the first. */
static int pieces_of(napi_env env, napi_value array, uint32_t length, size_t skip,
                     struct iovec *pieces, size_t *bytes) {
  int count = 0;
  *bytes = 0;
  for (uint32_t at = 0; at < length && count < PIECES_MAX; at++) {
    napi_value piece;
    napi_typedarray_type type;
    size_t size;
    void *data;
    if (napi_get_element(env, array, at, &piece) != napi_ok ||
        napi_get_typedarray_info(env, piece, &type, &size, &data, NULL, NULL) != napi_ok ||
        type != napi_uint8_array || skip > size) {
      napi_throw_type_error(env, NULL, "pieces are Uint8Arrays");
      return -1;
    }
    pieces[count].iov_base = (uint8_t *)data + skip;
    pieces[count].iov_len = size - skip;
    *bytes += size - skip;
    skip = 0;
    count++;
  }
  return count;
}

/* What JavaScript is told of a result; the loop tells when there is room for a rest. */
static int take_result(struct rmr_socket *socket, int result, size_t bytes, int is_rest) {
  const int taken = result == -EAGAIN || result == -EWOULDBLOCK ? 0 : result;
  if (taken < 0 || (size_t)taken < bytes || is_rest) {
    rmr_watch(socket, socket->events | (uint32_t)EPOLLOUT);
  }
  return taken;
}

/* writeSocket(number, pieces, count, skip): how many bytes were taken, or a negative errno. */
static napi_value write_socket(napi_env env, napi_callback_info info) {
  size_t count = 4;
  napi_value args[4];
  napi_value result;
  uint32_t length;
  uint32_t skip;
  size_t bytes;
  struct iovec pieces[PIECES_MAX];
  RMR_CHECK(env, napi_get_cb_info(env, info, &count, args, NULL, NULL));
  RMR_CHECK(env, napi_get_value_uint32(env, args[2], &length));
  RMR_CHECK(env, napi_get_value_uint32(env, args[3], &skip));
  struct rmr_socket *socket = rmr_socket_of(env, args[0]);
  if (socket == NULL) return NULL;
  const int piece_count = pieces_of(env, args[1], length, skip, pieces, &bytes);
  if (piece_count < 0) return NULL;
  struct rmr_message message = {.fd = socket->fd};
  message.header.msg_iov = pieces;
  message.header.msg_iovlen = (size_t)piece_count;
  rmr_send_all(&socket->engine->all->ring, &message, 1);
  const int taken = take_result(socket, message.result, bytes, (uint32_t)piece_count < length);
  RMR_CHECK(env, napi_create_int32(env, taken, &result));
  return result;
}

/* gatherWrite(number, pieces, count): false where there is no room for one more. */
static napi_value gather_write(napi_env env, napi_callback_info info) {
  size_t count = 3;
  napi_value args[3];
  napi_value result;
  uint32_t length;
  RMR_CHECK(env, napi_get_cb_info(env, info, &count, args, NULL, NULL));
  RMR_CHECK(env, napi_get_value_uint32(env, args[2], &length));
  struct rmr_socket *socket = rmr_socket_of(env, args[0]);
  if (socket == NULL) return NULL;
  struct rmr_gathered *gathered = &socket->engine->all->gathered;
  const unsigned at = gathered->count;
  const bool has_room = at < RMR_MESSAGES_MAX;
  if (has_room) {
    struct iovec *pieces = gathered->pieces[at];
    const int piece_count = pieces_of(env, args[1], length, 0, pieces, &gathered->bytes[at]);
    if (piece_count < 0) return NULL;
    struct rmr_message *message = &gathered->messages[at];
    message->fd = socket->fd;
    message->header.msg_iov = pieces;
    message->header.msg_iovlen = (size_t)piece_count;
    gathered->is_rest[at] = (uint32_t)piece_count < length;
    gathered->sockets[at] = socket;
    gathered->count++;
  }
  RMR_CHECK(env, napi_get_boolean(env, has_room, &result));
  return result;
}

/* sendGathered(engine, results): in the order of gathering, how many bytes, or an errno. */
static napi_value send_gathered(napi_env env, napi_callback_info info) {
  size_t count = 2;
  napi_value args[2];
  napi_typedarray_type type;
  size_t size;
  void *data;
  void *engine;
  RMR_CHECK(env, napi_get_cb_info(env, info, &count, args, NULL, NULL));
  RMR_CHECK(env, napi_get_value_external(env, args[0], &engine));
  RMR_CHECK(env, napi_get_typedarray_info(env, args[1], &type, &size, &data, NULL, NULL));
  struct rmr_sockets *all = ((struct rmr_engine *)engine)->all;
  struct rmr_gathered *gathered = &all->gathered;
  if (type != napi_int32_array || size < gathered->count) {
    napi_throw_range_error(env, NULL, "results have no room");
    return NULL;
  }
  rmr_send_all(&all->ring, gathered->messages, gathered->count);
  for (unsigned at = 0; at < gathered->count; at++) {
    const int result = gathered->messages[at].result;
    const int is_rest = gathered->is_rest[at];
    ((int32_t *)data)[at] =
        take_result(gathered->sockets[at], result, gathered->bytes[at], is_rest);
  }
  gathered->count = 0;
  return NULL;
}

int rmr_export_socket_writes(napi_env env, napi_value exports) {
  return rmr_export(env, exports, "writeSocket", write_socket) &&
         rmr_export(env, exports, "gatherWrite", gather_write) &&
         rmr_export(env, exports, "sendGathered", send_gathered);
}
