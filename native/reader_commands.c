// Runs the commands that other threads posted, in their order, between two passes over the rings.
#include "readers_state.h"
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

struct tap *find_tap(const struct reader *reader, uint32_t id) {
  struct tap *tap = reader->taps;
  while (tap && tap->id != id) tap = tap->next;
  return tap;
}

static void offer_sink(struct reader *reader, struct tap *tap, struct sink *sink) {
  struct sink **last = &tap->sink;
  while (*last) last = &(*last)->next;
  *last = sink;
  retain_device(reader, sink);
  resume_drain(reader, tap);
}

static void add_tap(struct reader *reader, struct tap *tap) {
  tap->last_job = &tap->first_job;
  for (struct sink *sink = tap->sink; sink; sink = sink->next) retain_device(reader, sink);
  pthread_mutex_lock(&reader->readers->lock);
  tap->is_added = true;
  pthread_mutex_unlock(&reader->readers->lock);
  pthread_mutex_lock(&reader->lock);
  tap->next = reader->taps;
  reader->taps = tap;
  pthread_mutex_unlock(&reader->lock);
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = tap};
  epoll_ctl(reader->epoll_fd, EPOLL_CTL_ADD, tap->fd, &event);
  // While it was on its way here, no reader had it to look at.
  if (!tap->netns) look_at_interface(reader, tap, false);
}

// What may be taken besides what is queued.
static int64_t less_queued(int64_t left, int64_t queued) {
  return left > queued ? left - queued : left < 0 ? left : 0;
}

// The first limit: from now on its taps look at the group.
static void join_group(struct reader *reader, struct limit_group *group) {
  pthread_mutex_lock(&reader->readers->lock);
  for (struct tap *tap = reader->taps; tap; tap = tap->next)
    if (tap->capture_group == group) tap->group = group;
  pthread_mutex_unlock(&reader->readers->lock);
}

static void set_limits(struct reader *reader, struct limit_group *group, int64_t packets,
                       int64_t bytes) {
  join_group(reader, group);
  group->packets_left = less_queued(packets, group->queued_packets);
  group->bytes_left = less_queued(bytes, group->queued_bytes);
  group->is_reached = group->packets_left == 0 || group->bytes_left == 0;
  group->is_bytes_reached = group->packets_left != 0;
  group->is_told = packets == 0 || bytes == 0;
}

// The new window applies to packets that still lie in the ring, the old one to the drops so far.
static void set_window(struct reader *reader, struct tap *tap, struct window window) {
  update_counters(reader, tap);
  tap->window = window;
}

static void watch_links(struct reader *reader) {
  if (reader->link_fd >= 0) return;
  reader->link_fd = open_link_socket();
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = &reader->link_fd};
  bool is_open = reader->link_fd >= 0;
  __atomic_store_n(&reader->readers->are_links_watched, is_open, __ATOMIC_RELAXED);
  if (is_open) epoll_ctl(reader->epoll_fd, EPOLL_CTL_ADD, reader->link_fd, &event);
}

static void rotate(struct reader *reader, struct tap *tap) {
  drain_into_queue(reader, tap);
  if (tap->sink && !tap->sink->is_empty && tap->sink->next) next_sink(reader, tap);
}

static void set_bytes_left(struct reader *reader, struct tap *tap, int64_t bytes) {
  if (!tap->sink) return;
  tap->sink->bytes_left = bytes - tap->sink->queued_bytes;
  resume_drain(reader, tap);
}

// A command for a tap that was closed meanwhile does nothing.
static void run_tap_command(struct reader *reader, struct tap *tap, const struct command *command) {
  switch (command->kind) {
  case COMMAND_OFFER_SINK: return offer_sink(reader, tap, command->sink);
  case COMMAND_ROTATE: return rotate(reader, tap);
  case COMMAND_SET_BYTES_LEFT: return set_bytes_left(reader, tap, command->bytes);
  case COMMAND_SET_WINDOW: return set_window(reader, tap, command->window);
  case COMMAND_RETRY: tap->is_write_failed = false; return;
  case COMMAND_CLOSE:
    if (!tap->is_closing) start_close(reader, tap, command->request);
    return;
  default: return;
  }
}

static void run_command(struct reader *reader, const struct command *command) {
  struct tap *tap;
  switch (command->kind) {
  case COMMAND_ADD_TAP: return add_tap(reader, command->tap);
  case COMMAND_SET_LIMITS:
    return set_limits(reader, command->group, command->packets, command->bytes);
  case COMMAND_RELEASE_GROUP: return release_group(command->group);
  case COMMAND_SET_BUFFER_MAX:
    __atomic_store_n(&reader->readers->store.bytes_max, (uint64_t)command->bytes, __ATOMIC_RELAXED);
    return;
  case COMMAND_GATHER: reader->gathers = true; return;
  case COMMAND_LOOK: return look_at_link(reader, command->index);
  case COMMAND_WATCH_LINKS: return watch_links(reader);
  case COMMAND_STOP: reader->is_stopping = true; return;
  default:
    tap = find_tap(reader, command->id);
    if (tap) run_tap_command(reader, tap, command);
    else free(command->sink);
  }
}

bool has_commands(struct reader *reader) {
  return __atomic_load_n(&reader->first_command, __ATOMIC_ACQUIRE) != NULL;
}

void run_commands(struct reader *reader) {
  queue_batch(reader);
  pthread_mutex_lock(&reader->lock);
  struct command *command = reader->first_command;
  __atomic_store_n(&reader->first_command, NULL, __ATOMIC_RELAXED);
  reader->last_command = &reader->first_command;
  pthread_mutex_unlock(&reader->lock);
  while (command) {
    struct command *next = command->next;
    run_command(reader, command);
    free(command);
    command = next;
  }
}
