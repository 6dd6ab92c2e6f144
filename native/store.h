// Records between the rings and the files: jobs, in one queue for each device.
#pragma once
#include "reader.h"
#include <sys/uio.h>

#define PARTS_MAX 64

// Whole records of one sink. The batch, which the reader fills, is one; a queued job holds copies.
// A thread that writes a job touches nothing but the job.
struct job {
  struct job *next;     // in its device's queue or among the completed
  struct job *tap_next; // of the same tap
  struct tap *tap;
  struct sink *sink;
  struct device *device; // NULL: the sink is a pipe
  int fd;
  enum format format;
  uint64_t packets, first_ns, last_ns;
  uint64_t since_ms;    // when its first record was handed over
  uint64_t write_by_ms; // of the batch: 0 where nothing is held back
  bool is_due;          // of the batch: to be written now
  bool is_taken;        // by a thread that writes: it does not grow any more
  size_t part_start, filled;
  size_t ring_bytes;                // of the parts that lie in the ring
  uint32_t held_block, held_blocks; // of the ring, until the parts in them are written
  bool is_in_open_block;            // parts lie in the block that the reader still drains
  int count;
  struct iovec parts[PARTS_MAX];
  uint8_t *buffer;
  size_t buffer_bytes;
  // The answer of the thread that wrote it.
  uint64_t written_packets, written_bytes;
  int error; // 0: everything was written
};

// A file system as one reader's sinks have it. They wait for each other.
struct disk;

struct device {
  struct device *next;
  struct disk *disk; // the same file system, as all readers share it
  uint64_t id;      // st_dev
  uint32_t sinks;   // that have it
  bool is_busy;     // a thread writes its jobs; atomic, changed under the lock
  struct job *job;  // that is being written
  struct job *first_job, **last_job; // that wait
  uint64_t bytes; // that the jobs take
};

struct reader;
static inline size_t job_bytes(const struct job *job) { return job->filled + job->ring_bytes; }

// store.c
struct job *create_job(size_t buffer_bytes);
void free_job(struct job *job);
void retain_device(struct reader *reader, struct sink *sink);
void release_device(struct reader *reader, struct sink *sink);
void free_sink(struct reader *reader, struct sink *sink);
bool is_idle(const struct device *device);
bool has_store_room(const struct reader *reader, const struct tap *tap);
void queue_job(struct reader *reader, struct job *job);
void account_job(struct reader *reader, struct job *job);
void finish_job(struct reader *reader, struct job *job);
void finish_completed(struct reader *reader);
void resume_waiting(struct reader *reader);
void emit_moved(struct reader *reader, struct tap *tap);
struct waiting waiting_of(uint64_t bytes, const struct job *oldest);
void tell_limit(struct reader *reader, struct limit_group *group);
