// One thread drains all rings of one environment: frames in, whole records out, with few long writes.
// It alone touches taps, sinks and groups; others tell it what to do and are told what happened.
#include "reader_state.h"
#include <net/if.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

uint64_t now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void emit(struct reader *reader, struct event event) {
  struct event *copy = malloc(sizeof *copy);
  if (!copy) return;
  *copy = event;
  reader->emit(reader->context, copy);
}

void watch(struct reader *reader, struct tap *tap, uint32_t events) {
  struct epoll_event event = {.events = events, .data.ptr = tap};
  epoll_ctl(reader->epoll, EPOLL_CTL_MOD, tap->fd, &event);
}

static void attend(struct reader *reader, const struct epoll_event *event) {
  if (event->data.ptr == &reader->wake) {
    uint64_t ignored; // what there is to do stands in the list of commands
    if (read(reader->wake, &ignored, sizeof ignored) < 0) return;
    return;
  }
  if (event->data.ptr == &reader->link_watch) return read_link_changes(reader);
  struct tap *tap = event->data.ptr;
  if (event->events & (EPOLLERR | EPOLLHUP)) {
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(tap->fd, SOL_SOCKET, SO_ERROR, &error, &size); // reading it clears it; what follows is up to the links
    if (error == ENETDOWN) emit(reader, (struct event){.kind = EVENT_DOWN, .id = tap->id});
  }
  if (!tap->is_stalled) drain(reader, tap);
}

// A command may have come between a look at the list and the reading of `wake`: never sleep over one.
static int wait_ms(struct reader *reader) {
  if (has_commands(reader)) return 0;
  if (is_any_closing(reader)) return 5;
  uint64_t now = now_ms(), write_by = reader->batch.write_by_ms;
  if (write_by) return write_by > now ? (int)(write_by - now) : 0;
  return needs_looks(reader) ? 500 : -1;
}

static void *run(void *argument) {
  struct reader *reader = argument;
  uint64_t namespaces_at = now_ms();
  while (!reader->is_stopping) {
    struct epoll_event events[64];
    int count = epoll_wait(reader->epoll, events, 64, wait_ms(reader));
    if (has_commands(reader)) obey_all(reader);
    for (int i = 0; i < count; i++) attend(reader, &events[i]);
    if (reader->batch.write_by_ms && now_ms() >= reader->batch.write_by_ms) write_held(reader);
    close_what_is_drained(reader);
    if (now_ms() - namespaces_at < 500) continue;
    namespaces_at = now_ms();
    look_for_namespaces(reader);
    count_what_waits(reader);
  }
  close_all(reader);
  return NULL;
}

struct reader *start_reader(void (*emit)(void *context, struct event *event), void *context) {
  struct reader *reader = calloc(1, sizeof *reader);
  if (!reader) return NULL;
  reader->emit = emit;
  reader->context = context;
  reader->last = &reader->first;
  reader->link_watch = -1;
  pthread_mutex_init(&reader->lock, NULL);
  pthread_cond_init(&reader->none_running, NULL);
  reader->epoll = epoll_create1(EPOLL_CLOEXEC);
  reader->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = &reader->wake};
  bool is_ready = reader->epoll >= 0 && reader->wake >= 0 && epoll_ctl(reader->epoll, EPOLL_CTL_ADD, reader->wake, &event) == 0;
  if (is_ready && pthread_create(&reader->thread, NULL, run, reader) == 0) return reader;
  free(reader);
  return NULL;
}

void stop_reader(struct reader *reader) {
  tell(reader, (struct command){.kind = COMMAND_STOP});
  pthread_join(reader->thread, NULL);
  pthread_mutex_lock(&reader->lock);
  while (reader->running > 0) pthread_cond_wait(&reader->none_running, &reader->lock);
  pthread_mutex_unlock(&reader->lock);
  obey_all(reader); // a ring that was opened meanwhile
  close_all(reader);
  pthread_mutex_lock(&reader->lock);
  while (reader->running > 0) pthread_cond_wait(&reader->none_running, &reader->lock);
  pthread_mutex_unlock(&reader->lock);
  if (reader->link_watch >= 0) close(reader->link_watch);
  close(reader->epoll);
  close(reader->wake);
  free(reader);
}

void tell(struct reader *reader, struct command command) {
  struct command *copy = malloc(sizeof *copy);
  if (!copy) abort();
  *copy = command;
  copy->next = NULL;
  pthread_mutex_lock(&reader->lock);
  *reader->last = copy;
  reader->last = &copy->next;
  pthread_mutex_unlock(&reader->lock);
  uint64_t one = 1;
  if (write(reader->wake, &one, sizeof one) < 0) return; // full: it is awake already
}

bool read_counters(struct reader *reader, uint32_t id, struct counters *out) {
  pthread_mutex_lock(&reader->lock);
  struct tap *tap = find_tap(reader, id);
  if (tap) *out = tap->counters;
  pthread_mutex_unlock(&reader->lock);
  return tap != NULL;
}
