/* Why a line is over, or something cannot be had. The same stands in src/codes.ts. */
#ifndef RMR_CODES_H
#define RMR_CODES_H

enum {
  WHY_BROKEN = 1,     /* whatever has no code of its own */
  WHY_BUSY,           /* somebody has this address */
  WHY_NO_DEVICE,      /* no device has this address, or a way to it */
  WHY_INVALID,
  WHY_NO_MEMORY,      /* or more than may be locked */
  WHY_NOT_ALLOWED,
  WHY_REFUSED,        /* the other side does not want us */
  WHY_UNREACHABLE,
  WHY_FLUSHED,        /* what was under way ended with the queue pair */
  WHY_UNANSWERED,     /* the other side's device does not answer */
  WHY_NOT_ITS_MEMORY, /* the other side's device refuses what we ask of it */
  WHY_NOT_OUR_MEMORY, /* our own device refuses what we ask of it */
  WHY_HUNG_UP,        /* the other side has ended it */
  WHY_DEVICE_GONE,    /* taken away, or broken for good */
  WHY_PORT_DOWN,
  WHY_BAD_FRAME       /* the other side sends what is no frame */
};

#endif
