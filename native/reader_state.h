// State of the reader and what its files share. Only the reader thread touches it, except what
// `lock` guards. The files of the reader thread include this header and no other of the addon.
#pragma once
#include "reader.h"
#include "sink.h"

#define BUFFER_BYTES 524288
#define STORE_BYTES_MAX (64u << 20) // until setBufferBytesMax()
#define CHUNK 64         // take_run() copies data in pieces of this size, the last one too
#define LONG_BYTES 16384 // from here on, a copy into the buffer costs as much as the kernel's copy

struct readers;

struct reader {
  struct readers *readers;
  int epoll_fd, wake_fd, link_fd, guard_fd;
  pthread_mutex_t lock; // guards the commands, the queues of workers and devices, taps, counters
  struct command *first_command, **last_command;
  struct tap *taps;
  emit_function *emit;
  void *context;
  bool is_stopping;
  uint64_t polled_ms;
  uint32_t looks; // at interfaces
  struct work_item *first_item, *last_item;
  int workers, workers_peak; // running now; the most since there were none
  pthread_cond_t no_workers;
  struct job *batch; // NULL before the first
  // Threads that read or write (writer.c); guarded by the lock.
  int threads;
  bool has_reader, has_standby, is_ending;
  pthread_cond_t no_threads;
  struct job *inline_job; // the reader writes it
  // The store (store.c); guarded by the lock, the sums changed by the reader alone.
  struct device *devices;
  struct job *completed, **last_completed; // written, not yet accounted
  // balance.c; `busy_percent` is guarded by the lock of all readers.
  uint32_t busy_percent;
  bool gathers; // it has taps of groups that are with another reader
  pthread_t measured_thread;
  uint64_t measured_ns, measured_ms, moved_ms;
};

// reader.c
uint64_t now_ms(void);
bool read_rings(struct reader *reader);
void wake_reader(struct reader *reader);
void watch_tap(struct reader *reader, struct tap *tap, uint32_t events);

// batch.c
void begin_batch(struct reader *reader, struct tap *tap);
bool has_room(const struct reader *reader, const struct tap *tap, size_t size);
void add_record(struct reader *reader, struct tap *tap, const struct frame *frame,
                uint32_t captured, uint32_t original, size_t size);
void queue_batch(struct reader *reader);
bool write_batch(struct reader *reader);
bool write_due(struct reader *reader);
void end_batch(struct reader *reader, struct tap *tap, bool is_busy);

// drain.c
void update_counters(struct reader *reader, struct tap *tap);
bool drain(struct reader *reader, struct tap *tap, uint32_t *blocks_left);
void drain_into_queue(struct reader *reader, struct tap *tap);
bool drain_and_write(struct reader *reader, struct tap *tap);
void resume_drain(struct reader *reader, struct tap *tap);
void next_sink(struct reader *reader, struct tap *tap);
void release_blocks(struct tap *tap, uint32_t block, uint32_t count);

// writer.c
bool start_threads(struct reader *reader);
void end_threads(struct reader *reader);
bool write_inline(struct reader *reader, struct job *job);
bool write_queues(struct reader *reader);
void write_rest(struct reader *reader);

// balance.c
bool balance(struct reader *reader, bool is_looking);

// close.c
void start_close(struct reader *reader, struct tap *tap, uint32_t request);
bool close_drained(struct reader *reader);
void close_all(struct reader *reader);
bool is_any_draining(const struct reader *reader);

// reader_commands.c
struct tap *find_tap(const struct reader *reader, uint32_t id);
bool has_commands(struct reader *reader);
void run_commands(struct reader *reader);

// link_events.c
void look_at_interface(struct reader *reader, struct tap *tap, bool is_told);
void look_at_interfaces(struct reader *reader);
void look_at_link(struct reader *reader, int index);
void note_link_down(struct reader *reader, struct tap *tap);
bool needs_polling(const struct reader *reader);
void count_pending(struct reader *reader);
void read_link_events(struct reader *reader);

// worker.c
void wait_for_workers(struct reader *reader);
