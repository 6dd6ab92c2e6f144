// Work that waits: opening and closing rings, compiling, listing interfaces. Done by threads that come when there is work and go
// when there is none. Nearly all of it is waiting, so many at once are good; but not as many as there may be taps.
#include "reader_state.h"
#include <malloc.h>
#include <stdlib.h>

#define THREADS_MAX 128
#define MANY 16
#define STACK_BYTES (16 << 20) // libpcap goes one call deep for each jump of a program; what is not touched costs nothing

struct errand {
  struct errand *next;
  void *(*work)(void *);
  void *argument;
};

static struct errand *take_errand(struct reader *reader) {
  struct errand *errand = reader->first_errand;
  if (!errand) return NULL;
  reader->first_errand = errand->next;
  if (!errand->next) reader->last_errand = NULL;
  return errand;
}

static void *run_errands(void *argument) {
  struct reader *reader = argument;
  pthread_mutex_lock(&reader->lock);
  for (struct errand *errand; (errand = take_errand(reader)); free(errand)) {
    pthread_mutex_unlock(&reader->lock);
    errand->work(errand->argument);
    pthread_mutex_lock(&reader->lock);
  }
  bool is_last = --reader->running == 0, were_many = is_last && reader->most_running >= MANY;
  if (is_last) {
    reader->most_running = 0;
    pthread_cond_signal(&reader->none_running);
  }
  pthread_mutex_unlock(&reader->lock); // from here on the reader may be gone
  if (were_many) malloc_trim(0);       // what many threads took at once goes back to the system
  return NULL;
}

static bool start_thread(struct reader *reader) {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  pthread_attr_setstacksize(&attributes, STACK_BYTES);
  pthread_t thread;
  int failed = pthread_create(&thread, &attributes, run_errands, reader);
  pthread_attr_destroy(&attributes);
  return !failed;
}

bool run_elsewhere(struct reader *reader, void *(*work)(void *), void *argument) {
  struct errand *errand = malloc(sizeof *errand);
  if (!errand) return false;
  *errand = (struct errand){NULL, work, argument};
  pthread_mutex_lock(&reader->lock);
  if (reader->last_errand) reader->last_errand->next = errand;
  else reader->first_errand = errand;
  reader->last_errand = errand;
  bool is_thread_wanted = reader->running < THREADS_MAX;
  if (is_thread_wanted && ++reader->running > reader->most_running) reader->most_running = reader->running;
  pthread_mutex_unlock(&reader->lock);
  if (is_thread_wanted && !start_thread(reader)) run_errands(reader); // no thread can be made: here and now, then
  return true;
}
