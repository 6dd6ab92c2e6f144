// Threads that read the rings and write the files, so that a disk that does not answer stops nobody
// else. The reader writes each batch itself while that is quick: no hand-over, and the records are
// still in its cache. A standby waits on a timer meanwhile. When the write takes longer than
// GUARD_MS, the standby becomes the reader, and the thread in the write becomes the writer of that
// device until its queue is empty. In: jobs. Out: jobs with their answers, accounted by the reader.
#include "reader_state.h"
#include <stdlib.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define GUARD_MS 4

// Under the lock. At the end the standby must wake, whatever is written meanwhile.
static void set_guard(struct reader *reader, long ms) {
  if (reader->is_ending) ms = 1;
  struct itimerspec at = {.it_value = {.tv_nsec = ms * 1000000}};
  timerfd_settime(reader->guard_fd, 0, &at, NULL);
}

// Under the lock. The thread that writes `inline_job` finds out when the write returns.
static void take_over(struct reader *reader) {
  if (reader->inline_job == reader->batch) reader->batch = NULL;
  reader->inline_job = NULL;
  reader->has_reader = false;
}

// Waits until this thread must read. False: the end, or another standby waits.
static bool wait_for_turn(struct reader *reader) {
  pthread_mutex_lock(&reader->lock);
  bool is_standby = !reader->has_standby;
  if (is_standby) reader->has_standby = true;
  while (is_standby && reader->has_reader && !reader->is_ending) {
    pthread_mutex_unlock(&reader->lock);
    uint64_t ignored;
    bool is_late = read(reader->guard_fd, &ignored, sizeof ignored) > 0;
    pthread_mutex_lock(&reader->lock);
    if (is_late && reader->inline_job) take_over(reader);
  }
  bool is_reader = is_standby && !reader->has_reader && !reader->is_ending;
  if (is_standby) reader->has_standby = false;
  if (is_reader) reader->has_reader = true;
  pthread_mutex_unlock(&reader->lock);
  return is_reader;
}

// Under the lock.
static void push_completed(struct reader *reader, struct job *job) {
  job->next = NULL;
  __atomic_store_n(reader->last_completed, job, __ATOMIC_RELEASE);
  reader->last_completed = &job->next;
}

// Under the lock. After a failed write, what the tap queued behind it is refused, too: it would
// follow a hole. The reader refuses what comes later.
static void refuse_followers(struct reader *reader, const struct job *failed) {
  struct device *device = failed->device;
  for (struct job **at = &device->first_job; *at;) {
    struct job *job = *at;
    if (job->tap != failed->tap) {
      at = &job->next;
      continue;
    }
    *at = job->next;
    job->is_taken = true;
    job->error = failed->error;
    push_completed(reader, job);
  }
  device->last_job = &device->first_job;
  while (*device->last_job) device->last_job = &(*device->last_job)->next;
}

static void complete(struct reader *reader, struct job *job) {
  pthread_mutex_lock(&reader->lock);
  job->device->job = NULL;
  push_completed(reader, job);
  if (job->error) refuse_followers(reader, job);
  pthread_mutex_unlock(&reader->lock);
  wake_reader(reader);
}

// Under the lock.
static struct job *take_job(struct device *device) {
  struct job *job = device->first_job;
  if (!job) return NULL;
  device->first_job = job->next;
  if (!job->next) device->last_job = &device->first_job;
  job->is_taken = true;
  job->next = NULL;
  return device->job = job;
}

// This thread is the device's writer until nothing waits.
static void write_queue(struct reader *reader, struct device *device) {
  for (;;) {
    pthread_mutex_lock(&reader->lock);
    struct job *job = take_job(device);
    if (!job) __atomic_store_n(&device->is_busy, false, __ATOMIC_RELEASE);
    pthread_mutex_unlock(&reader->lock);
    if (!job) return wake_reader(reader); // a tap may wait for the device to be idle
    write_file(job);
    complete(reader, job);
  }
}

static void *run_thread(void *argument);

static bool start_thread(struct reader *reader) {
  pthread_attr_t attributes;
  pthread_t thread;
  pthread_attr_init(&attributes);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  pthread_mutex_lock(&reader->lock);
  reader->threads++;
  pthread_mutex_unlock(&reader->lock);
  bool is_started = pthread_create(&thread, &attributes, run_thread, reader) == 0;
  pthread_attr_destroy(&attributes);
  if (is_started) return true;
  pthread_mutex_lock(&reader->lock);
  reader->threads--;
  pthread_mutex_unlock(&reader->lock);
  return false;
}

// Without a thread for it the write is not guarded: the rings wait if the disk does.
static void ensure_standby(struct reader *reader) {
  pthread_mutex_lock(&reader->lock);
  bool is_there = reader->has_standby;
  pthread_mutex_unlock(&reader->lock);
  if (!is_there) start_thread(reader);
}

static bool begin_inline(struct reader *reader, struct job *job) {
  pthread_mutex_lock(&reader->lock);
  reader->inline_job = job;
  job->is_taken = true;
  job->device->job = job;
  __atomic_store_n(&job->device->is_busy, true, __ATOMIC_RELEASE);
  bool has_standby = reader->has_standby;
  set_guard(reader, GUARD_MS);
  pthread_mutex_unlock(&reader->lock);
  return has_standby;
}

// False: another thread took over and reads now; this one has become the writer of the device.
bool write_inline(struct reader *reader, struct job *job) {
  struct device *device = job->device;
  if (!begin_inline(reader, job)) ensure_standby(reader);
  write_file(job);
  pthread_mutex_lock(&reader->lock);
  bool is_reader = reader->inline_job == job;
  if (is_reader) {
    reader->inline_job = NULL;
    device->job = NULL;
    if (job->error) refuse_followers(reader, job);
    __atomic_store_n(&device->is_busy, false, __ATOMIC_RELEASE);
    set_guard(reader, 0);
  }
  pthread_mutex_unlock(&reader->lock);
  if (is_reader) return true;
  complete(reader, job);
  write_queue(reader, device);
  return false;
}

// NULL: no job waits for a device without a writer.
static struct job *take_waiting_job(struct reader *reader) {
  struct device *device = reader->devices;
  while (device && (__atomic_load_n(&device->is_busy, __ATOMIC_ACQUIRE) || !device->first_job))
    device = device->next;
  if (!device) return NULL;
  pthread_mutex_lock(&reader->lock);
  struct job *job = take_job(device);
  pthread_mutex_unlock(&reader->lock);
  return job;
}

// Jobs that were queued for devices without a writer, between commands or at a change of file. A
// device may be freed with the sink of its last job, so each search begins anew.
bool write_queues(struct reader *reader) {
  for (struct job *job; (job = take_waiting_job(reader)); finish_job(reader, job))
    if (!write_inline(reader, job)) return false;
  return true;
}

static void *run_thread(void *argument) {
  struct reader *reader = argument;
  while (wait_for_turn(reader))
    if (read_rings(reader)) break;
  pthread_mutex_lock(&reader->lock);
  if (--reader->threads == 0) pthread_cond_signal(&reader->no_threads);
  pthread_mutex_unlock(&reader->lock); // after this the reader may have been freed
  return NULL;
}

bool start_threads(struct reader *reader) {
  reader->guard_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
  return reader->guard_fd >= 0 && start_thread(reader);
}

// Waits also for writes that wait for a disk.
void end_threads(struct reader *reader) {
  pthread_mutex_lock(&reader->lock);
  reader->is_ending = true;
  set_guard(reader, 1);
  while (reader->threads > 0) pthread_cond_wait(&reader->no_threads, &reader->lock);
  pthread_mutex_unlock(&reader->lock);
}

// At the end, on the thread that has waited for all others.
void write_rest(struct reader *reader) {
  queue_batch(reader);
  for (struct device *device = reader->devices; device; device = device->next)
    write_queue(reader, device);
  finish_completed(reader);
}
