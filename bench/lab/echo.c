/*
 * What a device can do: writes with immediate data, each answered by another one.
 *
 *   echo server HOST PORT BYTES                    of an answer; until its client hangs up
 *   echo client HOST PORT BYTES DEPTH SECONDS      of a message; so many at a time
 *
 * Nothing is decided or checked here; it waits on an event channel and polls in batches, as a
 * transport does. The client says "MESSAGES SECONDS CPU", the server "CPU", in seconds.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <rdma/rdma_cma.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

/* Of a message with a header, at most. */
#define SLOT_BYTES 4352
#define DEPTH_MAX 256
#define POLL_MAX 32
#define TOLD_EVERY 16
/* In the place of a slot: the client is done. */
#define IS_OVER 0xffffu

/* Where the other side's memory is: goes with connecting and accepting. */
struct place {
  uint64_t address;
  uint32_t key;
};

static struct rdma_event_channel *manager;
static struct rdma_cm_id *line;
static struct ibv_comp_channel *events;
static struct ibv_cq *completions;
static struct ibv_mr *memory;
static struct place theirs;
static uint8_t bytes[DEPTH_MAX * SLOT_BYTES];
static unsigned sent;

static void need(int ok, const char *what) {
  if (ok) return;
  fprintf(stderr, "echo: %s: %s\n", what, strerror(errno));
  exit(1);
}

static double seconds_now(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static double cpu_seconds(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static struct rdma_cm_event *await_event(enum rdma_cm_event_type wanted) {
  struct rdma_cm_event *event;
  need(rdma_get_cm_event(manager, &event) == 0, "event");
  if (event->event != wanted) fprintf(stderr, "echo: %s\n", rdma_event_str(event->event));
  need(event->event == wanted, "another event");
  return event;
}

static void receive_one(void) {
  struct ibv_recv_wr work = {0};
  struct ibv_recv_wr *bad;
  need(ibv_post_recv(line->qp, &work, &bad) == 0, "receive");
}

static struct rdma_conn_param equip(void) {
  static struct place ours;
  events = ibv_create_comp_channel(line->verbs);
  need(events != NULL, "channel");
  completions = ibv_create_cq(line->verbs, 4 * DEPTH_MAX, NULL, events, 0);
  need(completions != NULL, "completion queue");
  struct ibv_qp_init_attr init = {
      .send_cq = completions,
      .recv_cq = completions,
      .qp_type = IBV_QPT_RC,
      .cap = {.max_send_wr = 2 * DEPTH_MAX,
              .max_recv_wr = 2 * DEPTH_MAX,
              .max_send_sge = 1,
              .max_recv_sge = 1},
  };
  need(rdma_create_qp(line, NULL, &init) == 0, "queue pair");
  memory = ibv_reg_mr(line->qp->pd, bytes, sizeof bytes,
                      IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE);
  need(memory != NULL, "memory");
  for (int nth = 0; nth < DEPTH_MAX; nth++) receive_one();
  need(ibv_req_notify_cq(completions, 0) == 0, "arm");
  ours.address = (uintptr_t)bytes;
  ours.key = memory->rkey;
  return (struct rdma_conn_param){
      .private_data = &ours,
      .private_data_len = sizeof ours,
      .responder_resources = 1,
      .initiator_depth = 1,
      .retry_count = 7,
      .rnr_retry_count = 7,
  };
}

static void tell(uint32_t slot, uint32_t count) {
  struct ibv_sge piece = {(uintptr_t)(bytes + slot * SLOT_BYTES), count, memory->lkey};
  struct ibv_send_wr work = {
      .opcode = IBV_WR_RDMA_WRITE_WITH_IMM,
      .imm_data = htonl(slot),
      .sg_list = &piece,
      .num_sge = count > 0,
      .send_flags = ++sent % TOLD_EVERY == 0 ? IBV_SEND_SIGNALED : 0,
      .wr.rdma = {.remote_addr = theirs.address + slot * SLOT_BYTES, .rkey = theirs.key},
  };
  struct ibv_send_wr *bad;
  need(ibv_post_send(line->qp, &work, &bad) == 0, "send");
}

static void sleep_until_more(void) {
  struct ibv_cq *cq;
  void *context;
  need(ibv_get_cq_event(events, &cq, &context) == 0, "completion");
  ibv_ack_cq_events(cq, 1);
  need(ibv_req_notify_cq(cq, 0) == 0, "arm");
}

/* Answers or sends again what one poll finds: how many; -1 when the other side is gone. */
static int turn(uint32_t reply_bytes) {
  struct ibv_wc works[POLL_MAX];
  int received = 0;
  const int count = ibv_poll_cq(completions, POLL_MAX, works);
  if (count == 0) sleep_until_more();
  for (int nth = 0; nth < count; nth++) {
    if (works[nth].status != IBV_WC_SUCCESS) return -1;
    if (works[nth].opcode != IBV_WC_RECV_RDMA_WITH_IMM) continue;
    if (ntohl(works[nth].imm_data) == IS_OVER) return -1;
    receive_one();
    received++;
    tell(ntohl(works[nth].imm_data), reply_bytes);
  }
  return received;
}

static struct sockaddr_in parse(const char *host, const char *port) {
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
  need(inet_pton(AF_INET, host, &at.sin_addr) == 1, "address");
  return at;
}

static void serve(struct sockaddr_in at, uint32_t answer_bytes) {
  struct rdma_cm_id *listener;
  need(rdma_create_id(manager, &listener, NULL, RDMA_PS_TCP) == 0, "listener");
  need(rdma_bind_addr(listener, (struct sockaddr *)&at) == 0, "bind");
  need(rdma_listen(listener, 1) == 0, "listen");
  puts("ready");
  fflush(stdout);
  struct rdma_cm_event *asked = await_event(RDMA_CM_EVENT_CONNECT_REQUEST);
  line = asked->id;
  memcpy(&theirs, asked->param.conn.private_data, sizeof theirs);
  rdma_ack_cm_event(asked);
  struct rdma_conn_param how = equip();
  need(rdma_accept(line, &how) == 0, "accept");
  rdma_ack_cm_event(await_event(RDMA_CM_EVENT_ESTABLISHED));
  const double before = cpu_seconds();
  while (turn(answer_bytes) >= 0) continue;
  printf("%.6f\n", cpu_seconds() - before);
}

static void ask(struct sockaddr_in at, uint32_t message_bytes, uint32_t depth, double seconds) {
  need(rdma_create_id(manager, &line, NULL, RDMA_PS_TCP) == 0, "line");
  need(rdma_resolve_addr(line, NULL, (struct sockaddr *)&at, 2000) == 0, "resolve");
  rdma_ack_cm_event(await_event(RDMA_CM_EVENT_ADDR_RESOLVED));
  need(rdma_resolve_route(line, 2000) == 0, "route");
  rdma_ack_cm_event(await_event(RDMA_CM_EVENT_ROUTE_RESOLVED));
  struct rdma_conn_param how = equip();
  need(rdma_connect(line, &how) == 0, "connect");
  struct rdma_cm_event *up = await_event(RDMA_CM_EVENT_ESTABLISHED);
  memcpy(&theirs, up->param.conn.private_data, sizeof theirs);
  rdma_ack_cm_event(up);
  const double before = cpu_seconds();
  const double began = seconds_now();
  double now = began;
  long count = 0;
  for (uint32_t slot = 0; slot < depth; slot++) tell(slot, message_bytes);
  while ((now = seconds_now()) - began < seconds) {
    const int received = turn(message_bytes);
    need(received >= 0, "the server is gone");
    count += received;
  }
  printf("%ld %.6f %.6f\n", count, now - began, cpu_seconds() - before);
  tell(IS_OVER, 0);
  /* It leaves before the line does. */
  const struct timespec moment = {.tv_nsec = 200000000};
  nanosleep(&moment, NULL);
  rdma_disconnect(line);
}

static uint32_t number_in(const char *text, long most) {
  char *end;
  const long number = strtol(text, &end, 10);
  if (*end == 0 && number >= 0 && number <= most) return (uint32_t)number;
  fprintf(stderr, "echo: %s is no number from 0 to %ld\n", text, most);
  exit(2);
}

int main(int argc, char **argv) {
  if (argc < 5) return 2;
  manager = rdma_create_event_channel();
  need(manager != NULL, "manager");
  const struct sockaddr_in at = parse(argv[2], argv[3]);
  const uint32_t message_bytes = number_in(argv[4], SLOT_BYTES);
  if (strcmp(argv[1], "server") == 0) serve(at, message_bytes);
  else if (argc == 7) ask(at, message_bytes, number_in(argv[5], DEPTH_MAX), atof(argv[6]));
  else return 2;
  return 0;
}
