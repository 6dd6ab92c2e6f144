// The bounded store between the rings and the files: jobs that wait for a device.
// In: batches of a device that is busy. Out: queues for the threads that write (writer.c), and the
// accounting of what they wrote: counters, limits, events. Refuses room to taps that hold much.
#include "readers_state.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define JOB_BYTES_MIN 4096
#define JOB_BYTES_MAX (1u << 20)
#define SHARE 3 // a tap may hold so many times what is free

// Mapped and not from the heap: what a stall took goes back to the system at once.
struct job *create_job(size_t buffer_bytes) {
  struct job *job = calloc(1, sizeof *job);
  if (!job) return NULL;
  job->buffer_bytes = (buffer_bytes + JOB_BYTES_MIN - 1) / JOB_BYTES_MIN * JOB_BYTES_MIN;
  job->buffer = mmap(NULL, job->buffer_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
                     -1, 0);
  if (job->buffer != MAP_FAILED) return job;
  free(job);
  return NULL;
}

void free_job(struct job *job) {
  if (!job) return;
  munmap(job->buffer, job->buffer_bytes);
  free(job);
}

// NULL: out of memory.
static struct disk *retain_disk(struct store *store, uint64_t id) {
  pthread_mutex_lock(&store->lock);
  struct disk *disk = store->disks;
  while (disk && disk->id != id) disk = disk->next;
  if (!disk && (disk = calloc(1, sizeof *disk))) {
    *disk = (struct disk){.next = store->disks, .id = id};
    store->disks = disk;
    __atomic_add_fetch(&store->disk_count, 1, __ATOMIC_RELAXED);
  }
  if (disk) disk->devices++;
  pthread_mutex_unlock(&store->lock);
  return disk;
}

static void release_disk(struct store *store, struct disk *disk) {
  pthread_mutex_lock(&store->lock);
  if (--disk->devices == 0) {
    struct disk **at = &store->disks;
    while (*at != disk) at = &(*at)->next;
    *at = disk->next;
    free(disk);
    __atomic_sub_fetch(&store->disk_count, 1, __ATOMIC_RELAXED);
  }
  pthread_mutex_unlock(&store->lock);
}

void retain_device(struct reader *reader, struct sink *sink) {
  if (!sink->is_file) return;
  struct device *device = reader->devices;
  while (device && device->id != sink->device_id) device = device->next;
  if (!device) {
    device = calloc(1, sizeof *device);
    if (!device) abort();
    device->id = sink->device_id;
    device->disk = retain_disk(&reader->readers->store, device->id);
    if (!device->disk) abort();
    device->last_job = &device->first_job;
    pthread_mutex_lock(&reader->lock);
    device->next = reader->devices;
    reader->devices = device;
    pthread_mutex_unlock(&reader->lock);
  }
  device->sinks++;
  sink->device = device;
}

// A thread that has written the last job may still be about to look for another.
static void free_unused_devices(struct reader *reader) {
  pthread_mutex_lock(&reader->lock);
  for (struct device **at = &reader->devices; *at;) {
    struct device *device = *at;
    if (device->sinks > 0 || device->is_busy) {
      at = &device->next;
      continue;
    }
    *at = device->next;
    release_disk(&reader->readers->store, device->disk);
    free(device);
  }
  pthread_mutex_unlock(&reader->lock);
}

void release_device(struct reader *reader, struct sink *sink) {
  if (sink->device && --sink->device->sinks == 0) free_unused_devices(reader);
  sink->device = NULL;
}

void free_sink(struct reader *reader, struct sink *sink) {
  release_device(reader, sink);
  free(sink);
}

bool is_idle(const struct device *device) {
  return !__atomic_load_n(&device->is_busy, __ATOMIC_ACQUIRE) && !device->first_job;
}

// Another thread still writes what lies in that block of the ring, which was drained before.
static bool is_held(const struct tap *tap, uint32_t block) {
  const struct job *job = tap->first_job; // no later one has parts in the ring
  if (!job || job->held_blocks == 0) return false;
  return (block + tap->block_count - job->held_block) % tap->block_count < job->held_blocks;
}

// Each device has an equal part of the store, so that a stalled one takes nothing from the others.
// On a device, a tap may hold SHARE times what is free: there is always room for another tap.
bool has_store_room(const struct reader *reader, const struct tap *tap) {
  if (is_held(tap, tap->block)) return false;
  const struct device *of = tap->sink ? tap->sink->device : NULL;
  if (!of || is_idle(of)) return true;
  const struct readers *readers = reader->readers;
  uint64_t disks = __atomic_load_n(&readers->store.disk_count, __ATOMIC_RELAXED);
  uint64_t part = __atomic_load_n(&readers->store.bytes_max, __ATOMIC_RELAXED) / disks;
  // Each reader may add a batch at the same time.
  uint64_t used = __atomic_load_n(&of->disk->bytes, __ATOMIC_RELAXED) +
                  BUFFER_BYTES * (uint64_t)__atomic_load_n(&readers->count, __ATOMIC_RELAXED);
  return used <= part && tap->waiting_bytes <= SHARE * (part - used);
}

static void add_to_tap(struct tap *tap, struct job *job) {
  *tap->last_job = job;
  tap->last_job = &job->tap_next;
  job->sink->jobs++;
}

static void remove_from_tap(struct tap *tap, struct job *job) {
  struct job **at = &tap->first_job;
  while (*at != job) at = &(*at)->tap_next;
  *at = job->tap_next;
  if (!*at) tap->last_job = at;
}

// `bytes` may stand for less than nothing.
static void count_in_store(struct store *store, uint64_t bytes) {
  uint64_t now = __atomic_add_fetch(&store->bytes, bytes, __ATOMIC_RELAXED);
  uint64_t peak = __atomic_load_n(&store->bytes_peak, __ATOMIC_RELAXED);
  while (now > peak && !__atomic_compare_exchange_n(&store->bytes_peak, &peak, now, true,
                                                    __ATOMIC_RELAXED, __ATOMIC_RELAXED))
    continue;
}

static void count_queued(struct reader *reader, struct job *job, int64_t packets, int64_t bytes) {
  struct limit_group *group = job->tap->group;
  job->sink->queued_bytes += bytes;
  job->tap->waiting_bytes += (uint64_t)bytes;
  count_in_store(&reader->readers->store, (uint64_t)bytes);
  if (job->device) {
    job->device->bytes += (uint64_t)bytes;
    __atomic_add_fetch(&job->device->disk->bytes, (uint64_t)bytes, __ATOMIC_RELAXED);
  }
  if (!group) return;
  if (!group->is_reached) group->reached_by = job->tap->id;
  group->queued_packets += packets;
  group->queued_bytes += bytes;
}

// The job is now one that was handed over. Its bytes do not change any more, except by append().
void account_job(struct reader *reader, struct job *job) {
  pthread_mutex_lock(&reader->lock);
  job->since_ms = now_ms();
  add_to_tap(job->tap, job);
  count_queued(reader, job, (int64_t)job->packets, (int64_t)job_bytes(job));
  pthread_mutex_unlock(&reader->lock);
}

static bool grow(struct job *job, size_t needed) {
  if (needed <= job->buffer_bytes) return true;
  size_t bytes = job->buffer_bytes;
  while (bytes < needed) bytes *= 2;
  if (bytes > JOB_BYTES_MAX) return false;
  void *buffer = mremap(job->buffer, job->buffer_bytes, bytes, MREMAP_MAYMOVE);
  if (buffer == MAP_FAILED) return false;
  job->buffer = buffer, job->buffer_bytes = bytes;
  return true;
}

static void set_part(struct job *job) {
  job->parts[0] = (struct iovec){job->buffer, job->filled};
  job->count = 1;
}

// Under the lock. Small batches of a stalled device gather in one job.
static bool append(struct reader *reader, struct job *last, const struct job *batch) {
  size_t bytes = job_bytes(batch);
  if (!last || last->is_taken || !grow(last, last->filled + bytes)) return false;
  copy_parts(batch, last->buffer + last->filled);
  count_queued(reader, last, (int64_t)batch->packets, (int64_t)bytes);
  last->filled += bytes;
  last->packets += batch->packets;
  last->last_ns = batch->last_ns;
  set_part(last);
  return true;
}

static struct job *copy_job(const struct job *batch) {
  struct job *job = create_job(job_bytes(batch));
  if (!job) return NULL;
  job->tap = batch->tap, job->sink = batch->sink, job->device = batch->device;
  job->fd = batch->fd, job->format = batch->format;
  job->packets = batch->packets;
  job->first_ns = batch->first_ns, job->last_ns = batch->last_ns;
  job->filled = job_bytes(batch);
  copy_parts(batch, job->buffer);
  set_part(job);
  return job;
}

// Copies the batch into its device's queue. Aborts without memory, as emit() does.
void queue_job(struct reader *reader, struct job *batch) {
  struct device *device = batch->device;
  pthread_mutex_lock(&reader->lock);
  bool is_appended = append(reader, batch->sink->last_job, batch);
  pthread_mutex_unlock(&reader->lock);
  if (is_appended) return;
  struct job *job = copy_job(batch);
  if (!job) abort();
  account_job(reader, job);
  job->sink->last_job = job;
  pthread_mutex_lock(&reader->lock);
  *device->last_job = job;
  device->last_job = &job->next;
  pthread_mutex_unlock(&reader->lock);
}

static void emit_write_failed(struct reader *reader, const struct job *job) {
  struct event event = {.kind = EVENT_WRITE_FAILED, .id = job->tap->id};
  const char *code = strerrorname_np(job->error);
  event.write_failed.fd = job->fd;
  snprintf(event.write_failed.code, sizeof event.write_failed.code, "%s", code ? code : "EIO");
  emit(reader, event);
}

// What was not written counts as refused and is given back to the limits and to the sink.
static void count_unwritten(struct job *job) {
  uint64_t records = job->packets - job->written_packets;
  uint64_t bytes = job_bytes(job) - job->written_bytes;
  struct limit_group *group = job->tap->group;
  job->tap->counters.refused += records;
  job->sink->bytes_left += (int64_t)bytes;
  if (!group || records == 0) return;
  if (group->packets_left >= 0) group->packets_left += (int64_t)records;
  if (group->bytes_left >= 0) group->bytes_left += (int64_t)bytes;
  if (!group->is_told) group->is_reached = group->packets_left == 0 || group->bytes_left == 0;
}

static void count_written(struct job *job) {
  struct tap *tap = job->tap;
  // Before packets: `received` must never be less than what was written.
  tap->counters.received = tap->matched_packets + tap->counters.dropped;
  tap->counters.packets += job->written_packets;
  tap->counters.bytes += job->written_bytes;
  if (job->written_packets > 0) tap->counters.last_ns = job->last_ns;
  count_unwritten(job);
}

void tell_limit(struct reader *reader, struct limit_group *group) {
  if (!group || !group->is_reached || group->is_told || group->queued_packets > 0) return;
  const struct job *batch = reader->batch;
  if (batch && batch->packets > 0 && batch->tap->group == group) return;
  group->is_told = true;
  struct event event = {.kind = EVENT_LIMIT, .id = group->reached_by};
  event.limit.is_bytes = group->is_bytes_reached;
  emit(reader, event);
}

// The tap moved on from these sinks; what was queued for the first is written.
void emit_moved(struct reader *reader, struct tap *tap) {
  while (tap->left_sinks && tap->left_sinks->jobs == 0) {
    struct sink *done = tap->left_sinks;
    tap->left_sinks = done->next;
    struct event event = {.kind = EVENT_MOVED, .id = tap->id};
    event.moved.fd = done->fd;
    event.moved.counters = tap->counters;
    emit(reader, event);
    free_sink(reader, done);
  }
}

static void emit_first_packet(struct reader *reader, const struct job *job) {
  struct event event = {.kind = EVENT_FIRST_PACKET, .id = job->tap->id};
  event.first_packet.at_ns = job->first_ns;
  emit(reader, event);
}

// A job was written, or failed: counts, gives the ring's blocks back, tells JavaScript.
static void complete_job(struct reader *reader, struct job *job) {
  struct tap *tap = job->tap;
  struct sink *sink = job->sink;
  bool is_first = !tap->has_written && job->written_packets > 0;
  pthread_mutex_lock(&reader->lock);
  remove_from_tap(tap, job);
  count_queued(reader, job, -(int64_t)job->packets, -(int64_t)job_bytes(job));
  count_written(job);
  pthread_mutex_unlock(&reader->lock);
  sink->jobs--;
  if (sink->last_job == job) sink->last_job = NULL;
  release_blocks(tap, job->held_block, job->held_blocks);
  if (is_first) emit_first_packet(reader, job);
  tap->has_written |= is_first;
  if (job->error) {
    tap->is_write_failed = true;
    emit_write_failed(reader, job);
  }
  emit_moved(reader, tap);
  tell_limit(reader, tap->group);
}

void finish_job(struct reader *reader, struct job *job) {
  complete_job(reader, job);
  if (job != reader->batch) free_job(job);
}

void resume_waiting(struct reader *reader) {
  for (struct tap *tap = reader->taps; tap; tap = tap->next)
    if (tap->waits_for_room && has_store_room(reader, tap)) resume_drain(reader, tap);
}

// What other threads wrote meanwhile.
void finish_completed(struct reader *reader) {
  if (!__atomic_load_n(&reader->completed, __ATOMIC_ACQUIRE)) return;
  pthread_mutex_lock(&reader->lock);
  struct job *job = reader->completed;
  __atomic_store_n(&reader->completed, NULL, __ATOMIC_RELAXED);
  reader->last_completed = &reader->completed;
  pthread_mutex_unlock(&reader->lock);
  for (struct job *next; job; job = next) {
    next = job->next;
    finish_job(reader, job);
  }
}

// Under the lock. `oldest`: NULL where nothing waits.
struct waiting waiting_of(uint64_t bytes, const struct job *oldest) {
  return (struct waiting){bytes, oldest ? now_ms() - oldest->since_ms : 0};
}

// Under the lock of all readers. Adds a device, or adds to what another reader has of its disk.
static void add_use(struct buffer_use *out, const struct device *device) {
  const struct job *oldest = device->job ? device->job : device->first_job;
  struct waiting waiting = waiting_of(device->bytes, oldest);
  struct device_use *at = out->devices, *end = at + out->device_count;
  while (at < end && at->id != device->id) at++;
  if (at == end) *at = (struct device_use){.id = device->id}, out->device_count++;
  at->waiting.bytes += waiting.bytes;
  if (waiting.oldest_ms > at->waiting.oldest_ms) at->waiting.oldest_ms = waiting.oldest_ms;
}

bool add_device_use(struct reader *reader, struct buffer_use *out) {
  size_t count = out->device_count + 1;
  pthread_mutex_lock(&reader->lock);
  for (const struct device *device = reader->devices; device; device = device->next) count++;
  struct device_use *devices = realloc(out->devices, count * sizeof *devices);
  if (devices) {
    out->devices = devices;
    for (const struct device *device = reader->devices; device; device = device->next)
      add_use(out, device);
  }
  pthread_mutex_unlock(&reader->lock);
  return devices != NULL;
}
