/*
 * A device as an engine uses it: a protection domain of its own, the channel that says where there
 * are completions, and the arenas, registered once, to which nobody else has a right.
 *
 * The connection manager has one context per device for all threads, and who reads of failures
 * there takes them from the others. So each engine opens another one, which has nothing in it and
 * is told all the same what befalls the device and its ports.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "codes.h"
#include "rdma.h"

#define SOFT_IWARP_VENDOR 0x626d74
/* Of 32 bytes each: 147 pages. */
#define FILLER_ENTRIES 18800

static bool be_patient_no_more(int fd) {
  const int flags = fcntl(fd, F_GETFL);
  return flags >= 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0;
}

static void close_device(struct rmr_device *device) {
  struct rmr_engine *engine = device->engine;
  for (struct rmr_device **at = &engine->devices; *at != NULL; at = &(*at)->next) {
    if (*at == device) {
      *at = device->next;
      break;
    }
  }
  rmr_bury_lines(device, true);
  for (int arena = 0; arena < engine->arena_count; arena++) {
    if (device->arenas[arena] != NULL) ibv_dereg_mr(device->arenas[arena]);
  }
  if (device->poll != NULL) rmr_poll_end(engine, device->poll);
  if (device->channel != NULL) ibv_destroy_comp_channel(device->channel);
  if (device->watcher != NULL) {
    epoll_ctl(engine->set, EPOLL_CTL_DEL, device->watcher->async_fd, NULL);
    ibv_close_device(device->watcher);
  }
  if (device->filler != NULL) ibv_destroy_cq(device->filler);
  if (device->pd != NULL) ibv_dealloc_pd(device->pd);
  free(device);
}

/*
 * The library of software iWARP takes the 144th page of what a process maps of a device for the
 * sign that there is none, and a queue pair whose turn it would be cannot be had. A completion
 * queue of more pages than that, made before all others and never used, takes the place.
 */
static bool step_over_a_page(struct rmr_device *device) {
  struct ibv_device_attr limits;
  if (ibv_query_device(device->verbs, &limits) != 0) return false;
  if (limits.vendor_id != SOFT_IWARP_VENDOR) return true;
  device->filler = ibv_create_cq(device->verbs, FILLER_ENTRIES, NULL, NULL, 0);
  return device->filler != NULL;
}

/* What a device has of ours as soon as it is used. */
static bool equip(struct rmr_device *device) {
  struct rmr_engine *engine = device->engine;
  device->pd = ibv_alloc_pd(device->verbs);
  if (device->pd == NULL || !step_over_a_page(device)) return false;
  device->channel = ibv_create_comp_channel(device->verbs);
  if (device->channel == NULL) return false;
  for (int arena = 0; arena < engine->arena_count; arena++) {
    const struct rmr_memory *memory = &engine->arenas[arena];
    device->arenas[arena] =
        ibv_reg_mr(device->pd, memory->bytes, memory->size, IBV_ACCESS_LOCAL_WRITE);
    if (device->arenas[arena] == NULL) return false;
  }
  const int fd = device->channel->fd;
  if (!be_patient_no_more(fd)) return false;
  device->poll = rmr_poll(engine, fd, device, rmr_on_device);
  return device->poll != NULL;
}

/* One that cannot be watched is not used. */
static void add_device(struct rmr_engine *engine, struct ibv_context *verbs) {
  struct rmr_device *device = calloc(1, sizeof *device);
  if (device == NULL) return;
  device->engine = engine;
  device->verbs = verbs;
  device->next = engine->devices;
  engine->devices = device;
  device->watcher = ibv_open_device(verbs->device);
  struct epoll_event event = {.events = EPOLLIN, .data.u64 = (uintptr_t)device};
  if (device->watcher != NULL && be_patient_no_more(device->watcher->async_fd) &&
      epoll_ctl(engine->set, EPOLL_CTL_ADD, device->watcher->async_fd, &event) == 0) {
    return;
  }
  close_device(device);
}

static struct rmr_device *device_with(const struct rmr_engine *engine,
                                      const struct ibv_context *verbs) {
  for (struct rmr_device *device = engine->devices; device != NULL; device = device->next) {
    if (device->verbs == verbs && !device->is_gone) return device;
  }
  return NULL;
}

/*
 * The manager has all devices open from the start, so all of them are watched. What it lists is
 * held: one that is gone is closed by it as soon as nobody holds it, with everything on it.
 */
void rmr_watch_devices(struct rmr_engine *engine) {
  struct ibv_context **all = rdma_get_devices(NULL);
  if (all == NULL) return;
  for (struct ibv_context **verbs = all; *verbs != NULL; verbs++) {
    if (device_with(engine, *verbs) == NULL) add_device(engine, *verbs);
  }
  if (engine->held != NULL) rdma_free_devices(engine->held);
  engine->held = all;
}

struct rmr_device *rmr_device_for(struct rmr_engine *engine, struct ibv_context *verbs) {
  struct rmr_device *device = device_with(engine, verbs);
  if (device == NULL) {
    /* It is new, and held from now on. */
    rmr_watch_devices(engine);
    device = device_with(engine, verbs);
  }
  if (device == NULL) {
    errno = ENODEV;
    return NULL;
  }
  if (device->pd == NULL && !equip(device)) {
    const int error = errno;
    close_device(device);
    errno = error;
    return NULL;
  }
  device->user_count++;
  return device;
}

/* Lines of this port, or of all where it is 0. */
static void all_over(struct rmr_device *device, int port, int why, int detail) {
  const struct rmr_list *lines = &device->engine->lines;
  for (int number = 0; number < lines->count; number++) {
    struct rmr_line *line = rmr_list_at(lines, number);
    if (line == NULL || line->device != device) continue;
    if (port != 0 && line->id->port_num != 0 && line->id->port_num != port) continue;
    rmr_line_end(line, why, detail);
  }
}

/*
 * Not every device says that it is taken away, least of all to who has nothing on it; but whoever
 * takes it away waits for all who have it open.
 */
static void look_for_devices(const struct rmr_engine *engine) {
  for (struct rmr_device *device = engine->devices; device != NULL; device = device->next) {
    if (device->is_gone || access(device->watcher->device->dev_path, F_OK) == 0) continue;
    device->is_gone = true;
    all_over(device, 0, WHY_DEVICE_GONE, 0);
  }
}

/* One that nobody uses stays, registrations and all, for the next line. */
void rmr_device_unuse(struct rmr_device *device) {
  device->user_count--;
}

/*
 * Devices that were taken away are let go of, as soon as nothing of ours is on them: some wait for
 * that, and whoever takes them away with them. The manager lets go of its own when it is asked for
 * devices.
 */
void rmr_sweep_devices(struct rmr_engine *engine) {
  bool is_any = false;
  bool is_in_use = false;
  struct rmr_device *next;
  look_for_devices(engine);
  for (struct rmr_device *device = engine->devices; device != NULL; device = next) {
    next = device->next;
    if (device->is_gone && device->user_count > 0) is_in_use = true;
    if (!device->is_gone || device->user_count > 0) continue;
    close_device(device);
    is_any = true;
  }
  engine->lets_go |= is_any;
  if (!engine->lets_go || is_in_use) return;
  engine->lets_go = false;
  rmr_watch_devices(engine);
}

void rmr_tick(struct rmr_engine *engine) {
  engine->ticks++;
  for (struct rmr_device *device = engine->devices; device != NULL; device = device->next) {
    rmr_bury_lines(device, false);
  }
  rmr_sweep_devices(engine);
}

void rmr_close_devices(struct rmr_engine *engine) {
  while (engine->devices != NULL) close_device(engine->devices);
}

/* Completions: which lines have some. */
void rmr_device_events(struct rmr_device *device) {
  struct ibv_cq *cq;
  void *context;
  while (ibv_get_cq_event(device->channel, &cq, &context) == 0) {
    struct rmr_line *line = context;
    if (line->state == RMR_LINE_CLOSED) {
      ibv_ack_cq_events(cq, 1);
      continue;
    }
    line->events_unacked++;
    rmr_line_heat(line);
  }
}

void rmr_device_failures(struct rmr_device *device) {
  struct ibv_async_event event;
  while (ibv_get_async_event(device->watcher, &event) == 0) {
    const int what = (int)event.event_type;
    if (what == IBV_EVENT_PORT_ERR) {
      all_over(device, event.element.port_num, WHY_PORT_DOWN, what);
    }
    if (what == IBV_EVENT_DEVICE_FATAL) {
      device->is_gone = true;
      all_over(device, 0, WHY_DEVICE_GONE, what);
    }
    ibv_ack_async_event(&event);
  }
}
