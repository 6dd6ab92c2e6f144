// Closing a tap: the kernel takes nothing more, what it took is written, the ring goes on a thread of its own.
#include "reader_state.h"
#include <stdlib.h>
#include <sys/epoll.h>

#define DRAIN_MS_MAX 160 // the kernel gives a partly filled block away after 100

struct closing {
  struct reader *reader;
  struct tap *tap;
  struct event event;
};

static void *close_elsewhere(void *argument) {
  struct closing *closing = argument;
  close_ring(closing->tap);
  emit(closing->reader, closing->event);
  free(closing);
  return NULL;
}

static void let_go(struct reader *reader, struct tap *tap) {
  uint64_t accounted = tap->counters.packets + tap->counters.refused + tap->counters.dropped, known = tap->seen + tap->lost;
  // Never looked at: they may have been wanted, if they came within the window.
  if (tap->handed > known && may_be_within(tap)) tap->counters.received += tap->handed - known;
  if (tap->counters.received < accounted) tap->counters.received = accounted;
  tap->counters.refused += tap->counters.received - accounted; // in a block the kernel kept
  epoll_ctl(reader->epoll, EPOLL_CTL_DEL, tap->fd, NULL);
  if (tap->group && --tap->group->references == 0) free(tap->group);
  struct closing *closing = malloc(sizeof *closing);
  if (!closing) return close_ring(tap);
  *closing = (struct closing){reader, tap, {.kind = EVENT_DONE, .id = tap->close_request, .counters = tap->counters}};
  if (!run_elsewhere(reader, close_elsewhere, closing)) close_elsewhere(closing);
}

void start_closing(struct reader *reader, struct tap *tap, uint32_t request) {
  tap->is_closing = true;
  tap->close_request = request;
  tap->close_by_ms = now_ms() + DRAIN_MS_MAX;
  stop_receiving(tap);
  go_on(reader, tap);
}

// Everything the kernel took is accounted for, or it had its time.
static bool is_drained(struct reader *reader, struct tap *tap) {
  drain(reader, tap);
  pthread_mutex_lock(&reader->lock);
  read_statistics(tap);
  bool is_all = tap->handed - tap->lost <= tap->seen;
  pthread_mutex_unlock(&reader->lock);
  return is_all || now_ms() >= tap->close_by_ms;
}

// Calls and takes out every tap for which `is_over` says so.
static void sweep(struct reader *reader, bool (*is_over)(struct reader *, struct tap *)) {
  for (struct tap **at = &reader->taps; *at;) {
    struct tap *tap = *at;
    if (!is_over(reader, tap)) { at = &tap->next; continue; }
    pthread_mutex_lock(&reader->lock);
    *at = tap->next;
    pthread_mutex_unlock(&reader->lock);
    let_go(reader, tap);
  }
}

static bool has_closed(struct reader *reader, struct tap *tap) { return tap->is_closing && is_drained(reader, tap); }

bool is_any_closing(const struct reader *reader) {
  for (const struct tap *tap = reader->taps; tap; tap = tap->next) if (tap->is_closing) return true;
  return false;
}

static bool is_any(struct reader *reader, struct tap *tap) {
  (void)reader;
  stop_receiving(tap);
  return true;
}

void close_what_is_drained(struct reader *reader) { sweep(reader, has_closed); }

void close_all(struct reader *reader) {
  write_held(reader);
  sweep(reader, is_any);
}
