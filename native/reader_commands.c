// What the reader is told to do, one command after the other, between its passes over the rings.
#include "reader_state.h"
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

struct tap *find_tap(const struct reader *reader, uint32_t id) {
  struct tap *tap = reader->taps;
  while (tap && tap->id != id) tap = tap->next;
  return tap;
}

static void offer(struct reader *reader, struct tap *tap, struct sink *sink) {
  struct sink **last = &tap->sink;
  while (*last) last = &(*last)->next;
  *last = sink;
  go_on(reader, tap);
}

static void add(struct reader *reader, struct tap *tap) {
  if (tap->group) tap->group->references++;
  pthread_mutex_lock(&reader->lock);
  tap->next = reader->taps;
  reader->taps = tap;
  pthread_mutex_unlock(&reader->lock);
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = tap};
  epoll_ctl(reader->epoll, EPOLL_CTL_ADD, tap->fd, &event);
}

static void release(struct group *group) {
  if (--group->references == 0) free(group);
}

static void set_left(struct group *group, int64_t packets, int64_t bytes) {
  group->packets_left = packets;
  group->bytes_left = bytes;
  group->is_over = packets == 0 || bytes == 0;
}

// Of what waits in the ring the new window decides, of the drops so far the old one.
static void set_window(struct reader *reader, struct tap *tap, struct window window) {
  pthread_mutex_lock(&reader->lock);
  read_statistics(tap);
  pthread_mutex_unlock(&reader->lock);
  tap->window = window;
}

static void watch_links(struct reader *reader) {
  if (reader->link_watch >= 0) return;
  reader->link_watch = open_link_watch();
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = &reader->link_watch};
  if (reader->link_watch >= 0) epoll_ctl(reader->epoll, EPOLL_CTL_ADD, reader->link_watch, &event);
}

static void obey(struct reader *reader, const struct command *command) {
  struct tap *tap = find_tap(reader, command->id);
  switch (command->kind) {
  case COMMAND_ADD: return add(reader, command->tap);
  case COMMAND_OFFER: return tap ? offer(reader, tap, command->sink) : free(command->sink);
  case COMMAND_ROTATE:
    if (tap) drain(reader, tap);
    if (tap && tap->sink && !tap->sink->is_empty && tap->sink->next) move_on(reader, tap);
    return;
  case COMMAND_BYTES_LEFT:
    if (tap && tap->sink) tap->sink->bytes_left = command->bytes, go_on(reader, tap);
    return;
  case COMMAND_WINDOW:
    if (tap) set_window(reader, tap, command->window);
    return;
  case COMMAND_RETRY:
    if (tap) tap->is_failed = false;
    return;
  case COMMAND_CLOSE:
    if (tap && !tap->is_closing) start_closing(reader, tap, command->request);
    return;
  case COMMAND_SET_LEFT: return set_left(command->group, command->packets, command->bytes);
  case COMMAND_RELEASE: return release(command->group);
  case COMMAND_WATCH_LINKS: return watch_links(reader);
  case COMMAND_STOP: reader->is_stopping = true; return;
  }
}

bool has_commands(struct reader *reader) { return __atomic_load_n(&reader->first, __ATOMIC_ACQUIRE) != NULL; }

void obey_all(struct reader *reader) {
  write_held(reader);
  pthread_mutex_lock(&reader->lock);
  struct command *command = reader->first;
  reader->first = NULL;
  reader->last = &reader->first;
  pthread_mutex_unlock(&reader->lock);
  while (command) {
    struct command *next = command->next;
    obey(reader, command);
    free(command);
    command = next;
  }
}

