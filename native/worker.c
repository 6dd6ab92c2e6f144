// Threads for work that blocks: opening and closing rings, compiling filters, listing interfaces.
// In: work items. A thread starts when an item arrives and ends when the queue is empty.
// The items mostly wait in the kernel, so there may be many threads, but not one for each tap.
#include "reader_state.h"
#include <malloc.h>
#include <stdlib.h>

#define WORKERS_MAX 128
#define TRIM_WORKERS_MIN 16
#define STACK_BYTES (16 << 20) // libpcap recurses for each jump of a program; unused pages are free

struct work_item {
  struct work_item *next;
  void (*run)(void *);
  void *argument;
};

static struct work_item *take_item(struct reader *reader) {
  struct work_item *item = reader->first_item;
  if (!item) return NULL;
  reader->first_item = item->next;
  if (!item->next) reader->last_item = NULL;
  return item;
}

static void *run_worker(void *argument) {
  struct reader *reader = argument;
  pthread_mutex_lock(&reader->lock);
  for (struct work_item *item; (item = take_item(reader)); free(item)) {
    pthread_mutex_unlock(&reader->lock);
    item->run(item->argument);
    pthread_mutex_lock(&reader->lock);
  }
  bool is_last = --reader->workers == 0;
  bool were_many = is_last && reader->workers_peak >= TRIM_WORKERS_MIN;
  if (is_last) {
    reader->workers_peak = 0;
    pthread_cond_signal(&reader->no_workers);
  }
  pthread_mutex_unlock(&reader->lock); // after this the reader may have been freed
  if (were_many) malloc_trim(0);       // returns the memory of many threads to the system
  return NULL;
}

static bool start_worker(struct reader *reader) {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  pthread_attr_setstacksize(&attributes, STACK_BYTES);
  pthread_t thread;
  int failed = pthread_create(&thread, &attributes, run_worker, reader);
  pthread_attr_destroy(&attributes);
  return !failed;
}

bool run_on_worker(struct reader *reader, void (*run)(void *), void *argument) {
  struct work_item *item = malloc(sizeof *item);
  if (!item) return false;
  *item = (struct work_item){NULL, run, argument};
  pthread_mutex_lock(&reader->lock);
  if (reader->last_item) reader->last_item->next = item;
  else reader->first_item = item;
  reader->last_item = item;
  bool is_thread_wanted = reader->workers < WORKERS_MAX;
  if (is_thread_wanted && ++reader->workers > reader->workers_peak)
    reader->workers_peak = reader->workers;
  pthread_mutex_unlock(&reader->lock);
  // Without a thread the caller runs the queue itself.
  if (is_thread_wanted && !start_worker(reader)) run_worker(reader);
  return true;
}

void wait_for_workers(struct reader *reader) {
  pthread_mutex_lock(&reader->lock);
  while (reader->workers > 0) pthread_cond_wait(&reader->no_workers, &reader->lock);
  pthread_mutex_unlock(&reader->lock);
}
