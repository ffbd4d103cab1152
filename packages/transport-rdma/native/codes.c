/* What went wrong, as one of few codes: WHY_* of src/codes.ts. */
#include <errno.h>

#include "codes.h"
#include "rdma.h"

int rmr_why_of_errno(int error) {
  switch (error) {
    case EADDRINUSE: return WHY_BUSY;
    case EADDRNOTAVAIL:
    case ENODEV: return WHY_NO_DEVICE;
    case EINVAL: return WHY_INVALID;
    case ENOMEM:
    case EAGAIN: return WHY_NO_MEMORY;
    case EACCES:
    case EPERM: return WHY_NOT_ALLOWED;
    case ECONNREFUSED: return WHY_REFUSED;
    case ENETUNREACH:
    case EHOSTUNREACH:
    case ETIMEDOUT: return WHY_UNREACHABLE;
    default: return WHY_BROKEN;
  }
}

int rmr_why_of_work(enum ibv_wc_status status) {
  switch (status) {
    case IBV_WC_WR_FLUSH_ERR: return WHY_FLUSHED;
    case IBV_WC_RETRY_EXC_ERR:
    case IBV_WC_RNR_RETRY_EXC_ERR:
    case IBV_WC_RESP_TIMEOUT_ERR: return WHY_UNANSWERED;
    case IBV_WC_REM_ACCESS_ERR:
    case IBV_WC_REM_INV_REQ_ERR:
    case IBV_WC_REM_OP_ERR: return WHY_NOT_ITS_MEMORY;
    case IBV_WC_LOC_LEN_ERR:
    case IBV_WC_LOC_PROT_ERR:
    case IBV_WC_LOC_ACCESS_ERR:
    case IBV_WC_LOC_QP_OP_ERR: return WHY_NOT_OUR_MEMORY;
    default: return WHY_BROKEN;
  }
}

int rmr_why_of_manager(const struct rdma_cm_event *event) {
  switch (event->event) {
    case RDMA_CM_EVENT_ADDR_ERROR:
    case RDMA_CM_EVENT_ROUTE_ERROR:
    case RDMA_CM_EVENT_UNREACHABLE: {
      const int why = rmr_why_of_errno(event->status < 0 ? -event->status : event->status);
      return why == WHY_NO_DEVICE ? why : WHY_UNREACHABLE;
    }
    case RDMA_CM_EVENT_REJECTED: return WHY_REFUSED;
    case RDMA_CM_EVENT_DISCONNECTED: return WHY_HUNG_UP;
    case RDMA_CM_EVENT_DEVICE_REMOVAL: return WHY_DEVICE_GONE;
    default: return WHY_BROKEN;
  }
}
