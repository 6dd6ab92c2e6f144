// The loop of the reader thread: waits for rings, commands and netlink, and handles each.
// Only this thread touches taps, sinks and limit groups.
#include "reader_state.h"
#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define POLL_MS 500
#define CLOSE_POLL_MS 5
#define EPOLL_EVENTS 64

uint64_t now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

// Aborts without memory: JavaScript would wait forever for an answer that is lost.
void emit(struct reader *reader, struct event event) {
  struct event *copy = malloc(sizeof *copy);
  if (!copy) abort();
  *copy = event;
  reader->emit(reader->context, copy);
}

void free_event(struct event *event) {
  if (event->kind == EVENT_LISTED) free_links(&event->listed.links);
  free(event);
}

void watch_tap(struct reader *reader, struct tap *tap, uint32_t events) {
  struct epoll_event event = {.events = events, .data.ptr = tap};
  epoll_ctl(reader->epoll_fd, EPOLL_CTL_MOD, tap->fd, &event);
}

static void handle_epoll_event(struct reader *reader, const struct epoll_event *event) {
  if (event->data.ptr == &reader->wake_fd) {
    uint64_t ignored; // the commands are in the list
    if (read(reader->wake_fd, &ignored, sizeof ignored) < 0) return;
    return;
  }
  if (event->data.ptr == &reader->link_fd) return read_link_events(reader);
  struct tap *tap = event->data.ptr;
  if (event->events & (EPOLLERR | EPOLLHUP)) {
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(tap->fd, SOL_SOCKET, SO_ERROR, &error, &size); // reading the error clears it
    if (error == ENETDOWN) note_link_down(reader, tap);
  }
  if (!tap->is_stalled) drain(reader, tap);
}

// A command may have arrived after the last run_commands(): the reader must not sleep then.
static int poll_timeout_ms(struct reader *reader) {
  if (has_commands(reader)) return 0;
  if (is_any_closing(reader)) return CLOSE_POLL_MS;
  uint64_t now = now_ms(), write_by = reader->batch.write_by_ms;
  if (write_by) return write_by > now ? (int)(write_by - now) : 0;
  return needs_polling(reader) ? POLL_MS : -1;
}

static void poll_once(struct reader *reader) {
  struct epoll_event events[EPOLL_EVENTS];
  int count = epoll_wait(reader->epoll_fd, events, EPOLL_EVENTS, poll_timeout_ms(reader));
  if (has_commands(reader)) run_commands(reader);
  for (int i = 0; i < count; i++) handle_epoll_event(reader, &events[i]);
  if (reader->batch.write_by_ms && now_ms() >= reader->batch.write_by_ms) flush_held(reader);
  close_drained(reader);
}

static void *run_reader(void *argument) {
  struct reader *reader = argument;
  uint64_t polled_ms = now_ms();
  while (!reader->is_stopping) {
    poll_once(reader);
    if (now_ms() - polled_ms < POLL_MS) continue;
    polled_ms = now_ms();
    look_at_interfaces(reader);
    count_pending(reader);
  }
  close_all(reader);
  return NULL;
}

struct reader *start_reader(emit_function *emit, void *context) {
  struct reader *reader = calloc(1, sizeof *reader);
  if (!reader) return NULL;
  reader->emit = emit;
  reader->context = context;
  reader->last_command = &reader->first_command;
  reader->link_fd = -1;
  pthread_mutex_init(&reader->lock, NULL);
  pthread_cond_init(&reader->no_workers, NULL);
  reader->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  reader->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = &reader->wake_fd};
  bool is_ready = reader->epoll_fd >= 0 && reader->wake_fd >= 0 &&
                  epoll_ctl(reader->epoll_fd, EPOLL_CTL_ADD, reader->wake_fd, &event) == 0;
  if (is_ready && pthread_create(&reader->thread, NULL, run_reader, reader) == 0) return reader;
  if (reader->epoll_fd >= 0) close(reader->epoll_fd);
  if (reader->wake_fd >= 0) close(reader->wake_fd);
  free(reader);
  return NULL;
}

void stop_reader(struct reader *reader) {
  post_command(reader, (struct command){.kind = COMMAND_STOP});
  pthread_join(reader->thread, NULL);
  wait_for_workers(reader);
  run_commands(reader); // adds a tap that was opened meanwhile
  close_all(reader);
  wait_for_workers(reader);
  if (reader->link_fd >= 0) close(reader->link_fd);
  close(reader->epoll_fd);
  close(reader->wake_fd);
  free(reader);
}

void post_command(struct reader *reader, struct command command) {
  struct command *copy = malloc(sizeof *copy);
  if (!copy) abort();
  *copy = command;
  copy->next = NULL;
  pthread_mutex_lock(&reader->lock);
  __atomic_store_n(reader->last_command, copy, __ATOMIC_RELEASE); // has_commands() takes no lock
  reader->last_command = &copy->next;
  pthread_mutex_unlock(&reader->lock);
  uint64_t one = 1;
  if (write(reader->wake_fd, &one, sizeof one) < 0) return; // EAGAIN: the reader is awake already
}

bool read_counters(struct reader *reader, uint32_t id, struct counters *out) {
  pthread_mutex_lock(&reader->lock);
  struct tap *tap = find_tap(reader, id);
  if (tap) *out = tap->counters;
  pthread_mutex_unlock(&reader->lock);
  return tap != NULL;
}
