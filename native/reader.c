// The loop of the reader thread: waits for rings, commands and netlink, and handles each.
// Only this thread touches taps, sinks and limit groups.
#include "readers_state.h"
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

// False: a write took long, and another thread is the reader now.
static bool handle_epoll_event(struct reader *reader, const struct epoll_event *event) {
  if (event->data.ptr == &reader->wake_fd) {
    uint64_t ignored; // the commands are in the list
    if (read(reader->wake_fd, &ignored, sizeof ignored) < 0) return true;
    return true;
  }
  if (event->data.ptr == &reader->link_fd) return read_link_events(reader), true;
  struct tap *tap = event->data.ptr;
  if (event->events & (EPOLLERR | EPOLLHUP)) {
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(tap->fd, SOL_SOCKET, SO_ERROR, &error, &size); // reading the error clears it
    if (error == ENETDOWN) note_link_down(reader, tap);
  }
  return tap->is_stalled || drain_and_write(reader, tap);
}

// A command may have arrived after the last run_commands(): the reader must not sleep then.
static int poll_timeout_ms(struct reader *reader) {
  if (has_commands(reader) || __atomic_load_n(&reader->completed, __ATOMIC_RELAXED)) return 0;
  if (is_any_draining(reader)) return CLOSE_POLL_MS;
  uint64_t now = now_ms(), write_by = reader->batch ? reader->batch->write_by_ms : 0;
  if (write_by) return write_by > now ? (int)(write_by - now) : 0;
  return needs_polling(reader) ? POLL_MS : -1;
}

// False: a write took long, and another thread is the reader now.
static bool poll_once(struct reader *reader) {
  struct epoll_event events[EPOLL_EVENTS];
  // What another thread left when it began to wait, and what was queued while its device was busy.
  if (!write_due(reader)) return false;
  int count = epoll_wait(reader->epoll_fd, events, EPOLL_EVENTS, poll_timeout_ms(reader));
  finish_completed(reader);
  resume_waiting(reader);
  if (has_commands(reader)) {
    if (!write_batch(reader)) return false;
    run_commands(reader);
    if (!write_due(reader)) return false;
  }
  for (int i = 0; i < count; i++)
    if (!handle_epoll_event(reader, &events[i])) return false;
  const struct job *batch = reader->batch;
  bool is_late = batch && batch->write_by_ms && now_ms() >= batch->write_by_ms;
  if (is_late && !write_batch(reader)) return false;
  return close_drained(reader) && balance(reader, false);
}

// True: the end. False: another thread reads now.
bool read_rings(struct reader *reader) {
  while (!reader->is_stopping) {
    if (!poll_once(reader)) return false;
    if (now_ms() - reader->polled_ms < POLL_MS) continue;
    reader->polled_ms = now_ms();
    look_at_interfaces(reader);
    count_pending(reader);
    if (!balance(reader, true)) return false;
  }
  return write_batch(reader) && write_due(reader);
}

static void close_descriptors(struct reader *reader) {
  const int descriptors[] = {reader->link_fd, reader->epoll_fd, reader->wake_fd, reader->guard_fd};
  for (size_t i = 0; i < sizeof descriptors / sizeof *descriptors; i++)
    if (descriptors[i] >= 0) close(descriptors[i]);
}

struct reader *start_reader(struct readers *readers) {
  struct reader *reader = calloc(1, sizeof *reader);
  if (!reader) return NULL;
  reader->readers = readers;
  reader->emit = readers->emit;
  reader->context = readers->context;
  reader->last_command = &reader->first_command;
  reader->last_completed = &reader->completed;
  reader->polled_ms = now_ms();
  reader->link_fd = reader->guard_fd = -1;
  pthread_mutex_init(&reader->lock, NULL);
  pthread_cond_init(&reader->no_workers, NULL);
  pthread_cond_init(&reader->no_threads, NULL);
  reader->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  reader->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = &reader->wake_fd};
  bool is_ready = reader->epoll_fd >= 0 && reader->wake_fd >= 0 &&
                  epoll_ctl(reader->epoll_fd, EPOLL_CTL_ADD, reader->wake_fd, &event) == 0;
  if (is_ready && start_threads(reader)) return reader;
  close_descriptors(reader);
  free(reader);
  return NULL;
}

// On the thread that has waited for the threads of all readers, and for all workers.
void end_reader(struct reader *reader) {
  run_commands(reader); // adds a tap that was opened meanwhile
  write_rest(reader);
  close_all(reader);
  wait_for_workers(reader);
}

void free_reader(struct reader *reader) {
  close_descriptors(reader);
  free_job(reader->batch);
  free(reader);
}

void wake_reader(struct reader *reader) {
  uint64_t one = 1;
  if (write(reader->wake_fd, &one, sizeof one) < 0) return; // EAGAIN: the reader is awake already
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
  wake_reader(reader);
}

void read_tap_counters(struct reader *reader, const struct tap *tap, struct counters *out,
                       struct waiting *waiting) {
  pthread_mutex_lock(&reader->lock);
  *out = tap->counters;
  *waiting = waiting_of(tap->waiting_bytes, tap->first_job);
  pthread_mutex_unlock(&reader->lock);
}
