// Work that waits: opening and closing rings, compiling, listing interfaces. A thread each.
#include "reader_state.h"
#include <stdlib.h>

struct errand {
  struct reader *reader;
  void *(*work)(void *);
  void *argument;
};

static void *run_errand(void *argument) {
  struct errand errand = *(struct errand *)argument;
  free(argument);
  errand.work(errand.argument);
  pthread_mutex_lock(&errand.reader->lock);
  if (--errand.reader->running == 0) pthread_cond_signal(&errand.reader->none_running);
  pthread_mutex_unlock(&errand.reader->lock);
  return NULL;
}

// Opening and closing are nearly all waiting: a thread each, however many.
bool run_elsewhere(struct reader *reader, void *(*work)(void *), void *argument) {
  struct errand *errand = malloc(sizeof *errand);
  if (!errand) return false;
  *errand = (struct errand){reader, work, argument};
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  pthread_attr_setstacksize(&attributes, 1 << 20);
  pthread_mutex_lock(&reader->lock);
  reader->running++;
  pthread_mutex_unlock(&reader->lock);
  pthread_t thread;
  int failed = pthread_create(&thread, &attributes, run_errand, errand);
  pthread_attr_destroy(&attributes);
  if (!failed) return true;
  pthread_mutex_lock(&reader->lock);
  reader->running--;
  pthread_mutex_unlock(&reader->lock);
  free(errand);
  return false;
}

