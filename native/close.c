// Closing a tap in three steps: the kernel receives nothing more, the reader drains the ring,
// a worker frees the ring and emits EVENT_CLOSED.
#include "readers_state.h"
#include <stdlib.h>
#include <sys/epoll.h>

#define DRAIN_MS_MAX 160 // the kernel releases a partly filled block after 100

struct close_call {
  struct reader *reader;
  struct tap *tap;
  struct event event;
};

static void close_on_worker(void *argument) {
  struct close_call *call = argument;
  close_ring(call->tap);
  emit(call->reader, call->event);
  free(call);
}

// Packets that the kernel took and the reader never saw lie in a block that was not released.
static void count_undrained(struct tap *tap) {
  struct counters *counters = &tap->counters;
  uint64_t accounted = counters->packets + counters->refused + counters->dropped;
  uint64_t known = tap->drained_packets + tap->kernel_drops;
  // Whether they match is unknown: they count if they may be within the window.
  if (tap->kernel_packets > known && may_overlap_window(tap))
    counters->received += tap->kernel_packets - known;
  if (counters->received < accounted) counters->received = accounted;
  counters->refused += counters->received - accounted;
}

// The event about the limit may wait for records of another tap: JavaScript does not hear of this
// one any more.
static void pass_limit_on(const struct reader *reader, const struct tap *tap) {
  if (!tap->group || tap->group->reached_by != tap->id) return;
  struct tap *other = reader->taps;
  while (other && other->group != tap->group) other = other->next;
  if (other) tap->group->reached_by = other->id;
}

static void release_tap(struct reader *reader, struct tap *tap) {
  count_undrained(tap);
  pass_limit_on(reader, tap);
  epoll_ctl(reader->epoll_fd, EPOLL_CTL_DEL, tap->fd, NULL);
  release_group(tap->capture_group);
  if (reader->batch && reader->batch->tap == tap) reader->batch->tap = NULL;
  while (tap->sink) {
    struct sink *next = tap->sink->next;
    free_sink(reader, tap->sink);
    tap->sink = next;
  }
  struct close_call *call = malloc(sizeof *call);
  if (!call) abort();
  struct event event = {.kind = EVENT_CLOSED, .id = tap->close_request};
  event.closed.counters = tap->counters;
  *call = (struct close_call){reader, tap, event};
  if (!run_on_worker(reader, close_on_worker, call)) close_on_worker(call);
}

void start_close(struct reader *reader, struct tap *tap, uint32_t request) {
  tap->is_closing = true;
  tap->close_request = request;
  tap->close_by_ms = now_ms() + DRAIN_MS_MAX;
  stop_receiving(tap);
  resume_drain(reader, tap);
}

// Every packet the kernel took was drained, or the time for it is over. Packets that wait for room
// in the store have no time.
static bool is_ring_empty(struct reader *reader, struct tap *tap) {
  pthread_mutex_lock(&reader->lock);
  read_statistics(tap);
  bool is_all = tap->kernel_packets - tap->kernel_drops <= tap->drained_packets;
  pthread_mutex_unlock(&reader->lock);
  return is_all || (now_ms() >= tap->close_by_ms && !tap->waits_for_room);
}

// Removes and releases every tap for which `is_selected` returns true.
static void release_taps(struct reader *reader,
                         bool (*is_selected)(struct reader *, struct tap *)) {
  for (struct tap **at = &reader->taps; *at;) {
    struct tap *tap = *at;
    if (!is_selected(reader, tap)) {
      at = &tap->next;
      continue;
    }
    forget_tap(reader->readers, tap);
    pthread_mutex_lock(&reader->lock);
    *at = tap->next;
    pthread_mutex_unlock(&reader->lock);
    release_tap(reader, tap);
  }
}

// Its records are written, too.
static bool is_done(struct reader *reader, struct tap *tap) {
  const struct job *batch = reader->batch;
  bool has_batch = batch && batch->tap == tap && batch->filled > 0;
  return tap->is_drained && !has_batch && !tap->first_job;
}

bool is_any_draining(const struct reader *reader) {
  for (const struct tap *tap = reader->taps; tap; tap = tap->next)
    if (tap->is_closing && !tap->is_drained) return true;
  return false;
}

static bool stop_any(struct reader *reader, struct tap *tap) {
  (void)reader;
  stop_receiving(tap);
  return true;
}

// False: a write took long, and another thread is the reader now.
bool close_drained(struct reader *reader) {
  bool is_any = false;
  for (struct tap *tap = reader->taps; tap; tap = tap->next) {
    if (!tap->is_closing) continue;
    is_any = true;
    if (tap->is_drained) continue;
    if (!drain_and_write(reader, tap)) return false;
    tap->is_drained = is_ring_empty(reader, tap);
  }
  if (is_any) release_taps(reader, is_done);
  return true;
}

void close_all(struct reader *reader) { release_taps(reader, stop_any); }
