/*
 * The memory that C and JavaScript share: what has arrived, and what is to be posted. The same
 * numbers stand in src/verbs-table.ts.
 */
#ifndef RMR_TABLE_H
#define RMR_TABLE_H

#include <stdint.h>

#define RMR_ARRIVALS_MAX 512
#define RMR_POSTS_MAX 512
#define RMR_ARRIVAL_WORDS 12
#define RMR_POST_WORDS 13
/* Of a greeting, and of anything that comes by SEND over a line that is not raw. */
#define RMR_SAID_BYTES_MAX 1024
/* Raw lines take longer texts from what there is beside that. */
#define RMR_RAW_TEXTS_BYTES (64 * 1024)
#define RMR_TEXTS_BYTES (RMR_ARRIVALS_MAX * RMR_SAID_BYTES_MAX + RMR_RAW_TEXTS_BYTES)
/* What goes with a request to connect, at most. */
#define RMR_PRIVATE_BYTES_MAX 56

/* A row of what has arrived. */
enum {
  ARRIVAL_LINE,
  ARRIVAL_EVENT,
  ARRIVAL_AT,       /* in the texts: a head with its text, something said, private data */
  ARRIVAL_BYTES,    /* of the text behind a head; of what was said */
  ARRIVAL_PAYLOAD,  /* bytes of the payload */
  ARRIVAL_PLACE,    /* of the payload in the line's room; -1 if it lies in the arena already */
  ARRIVAL_ARENA,    /* where JavaScript wants the payload */
  ARRIVAL_TO,
  ARRIVAL_VALUE,    /* of the event; of a frame, 1: it comes again because we wanted it */
  ARRIVAL_DETAIL,
  ARRIVAL_IS_RIGHT, /* the payload has the sum that the head names */
  ARRIVAL_FRAME     /* place of the frame in the line's room */
};

/* Events. */
enum {
  EVENT_FRAME = 1,
  EVENT_SAID,
  EVENT_WORD,      /* value: what the peer told, no frame */
  EVENT_SENT,      /* value: how many posts of this line have been sent, counted since ever */
  EVENT_ASKED,     /* value: the listener; private data in the texts */
  EVENT_CONNECTED, /* private data in the texts */
  EVENT_OVER,      /* value: why; detail: what the device or the manager said; private data */
  EVENT_ROUTED,    /* a dialed line has a device: JavaScript may connect it */
  EVENT_READ,      /* value: how many posts of this line have been read, counted since ever */
  EVENT_GONE,      /* value: a listener whose device was taken away; it is closed */
  EVENT_TOLD       /* of a raw line: value, the immediate data; what was sent in the texts */
};

/* A row of what is to be posted. */
enum {
  POST_LINE,
  POST_KIND,
  POST_HEAD_AT, /* in the line's slots */
  POST_HEAD_BYTES,
  POST_ARENA, /* payload; -1 is none */
  POST_AT,
  POST_BYTES,
  POST_PLACE, /* in the peer's room; raw: the immediate data */
  POST_KEY,   /* of memory that the peer has exposed */
  POST_ADDRESS_LOW,
  POST_ADDRESS_HIGH,
  POST_IS_SUMMED,
  POST_IS_TOLD  /* that it was sent */
};

enum {
  POST_FRAME = 1, /* head, text and payload to a place, and the peer is told */
  POST_WORD,      /* the peer is told the word that stands for the place */
  POST_WRITE,     /* payload to exposed memory */
  POST_READ,      /* from exposed memory */
  POST_RAW        /* payload and then head to exposed memory, and the peer is told a number */
};

/* The immediate data of a frame is its place by so many bytes; from here on it is a word. */
#define RMR_PLACE_BYTES 64
#define RMR_TOLD_WORDS 0xf0000000u

/* Where fields are in the head of a frame (src/framing.ts). */
#define HEAD_BYTES 48
#define HEAD_MAGIC 0x5252
#define HEAD_TEXT_BYTES_AT 8
#define HEAD_FLAGS_AT 10
#define HEAD_FLAG_EXPOSED 1
#define HEAD_FLAG_SUMMED 2
#define HEAD_PAYLOAD_BYTES_AT 12
#define HEAD_PAYLOAD_SUM_AT 20
#define HEAD_SUM_AT 44
#define HEAD_TEXT_BYTES_MAX 512

struct rmr_table {
  int32_t *arrivals;
  int32_t *posts;
  uint8_t *texts;
  int arrival_count;
  int texts_used;
};

#endif
