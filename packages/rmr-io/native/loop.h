/*
 * The part of libuv's interface that is used here. Its binary interface is the same in all of
 * version 1, which is that of every Node we name, and Node-API says where the loop is; but the
 * headers of Node-API, which are all that some machines have, come without those of libuv.
 */
#ifndef RMR_LOOP_H
#define RMR_LOOP_H

#include <stddef.h>

struct uv_loop_s;
typedef struct uv_handle_s uv_handle_t;
typedef struct uv_poll_s uv_poll_t;
typedef void (*uv_poll_cb)(uv_poll_t *handle, int status, int events);
typedef void (*uv_close_cb)(uv_handle_t *handle);

/* Of enum uv_handle_type and enum uv_poll_event. */
#define RMR_UV_POLL 8
#define RMR_UV_READABLE 1

/* What the loop waits with, and for how many ms it would: 0 if it has something to do. */
int uv_backend_fd(const struct uv_loop_s *loop);
int uv_backend_timeout(const struct uv_loop_s *loop);
size_t uv_handle_size(int type);
void *uv_handle_get_data(const uv_handle_t *handle);
void uv_handle_set_data(uv_handle_t *handle, void *data);
void uv_ref(uv_handle_t *handle);
void uv_unref(uv_handle_t *handle);
void uv_close(uv_handle_t *handle, uv_close_cb on_closed);
int uv_poll_init(struct uv_loop_s *loop, uv_poll_t *handle, int fd);
int uv_poll_start(uv_poll_t *handle, int events, uv_poll_cb on_event);
int uv_poll_stop(uv_poll_t *handle);

#endif
