// State of the reader and what its files share. Only the reader thread touches it, except what
// `lock` guards. The files of the reader thread include this header and no other of the addon.
#pragma once
#include "reader.h"
#include "sink.h"

#define BUFFER_BYTES 524288
#define CHUNK 64         // take_run() copies data in pieces of this size, the last one too
#define LONG_BYTES 16384 // from here on, a copy into the buffer costs as much as the kernel's copy

// Records of one tap that are encoded and not yet written: `parts`, then the buffer from
// `part_start` to `filled`.
struct batch {
  struct tap *tap;
  size_t part_start, filled;
  size_t ring_bytes;    // of the parts that lie in the ring
  uint64_t write_by_ms; // 0: nothing is held back
  int count;
  struct iovec parts[PARTS_MAX];
  uint8_t buffer[BUFFER_BYTES + CHUNK];
};

struct reader {
  pthread_t thread;
  int epoll_fd, wake_fd, link_fd;
  pthread_mutex_t lock; // guards the commands, the workers' queue, the list of taps, the counters
  struct command *first_command, **last_command;
  struct tap *taps;
  emit_function *emit;
  void *context;
  bool is_stopping;
  struct work_item *first_item, *last_item;
  int workers, workers_peak; // running now; the most since there were none
  pthread_cond_t no_workers;
  struct batch batch;
};

// reader.c
uint64_t now_ms(void);
void watch_tap(struct reader *reader, struct tap *tap, uint32_t events);

// batch.c
void begin_batch(struct reader *reader, struct tap *tap);
bool has_room(const struct reader *reader, const struct sink *sink, size_t size);
void add_record(struct reader *reader, struct tap *tap, const struct frame *frame,
                uint32_t captured, uint32_t original, size_t size);
void flush(struct reader *reader, struct tap *tap);
void end_batch(struct reader *reader, struct tap *tap, bool is_busy);
void flush_held(struct reader *reader);

// drain.c
void update_counters(struct reader *reader, struct tap *tap);
void drain(struct reader *reader, struct tap *tap);
void resume_drain(struct reader *reader, struct tap *tap);
void next_sink(struct reader *reader, struct tap *tap);

// close.c
void start_close(struct reader *reader, struct tap *tap, uint32_t request);
void close_drained(struct reader *reader);
void close_all(struct reader *reader);
bool is_any_closing(const struct reader *reader);

// reader_commands.c
struct tap *find_tap(const struct reader *reader, uint32_t id);
bool has_commands(struct reader *reader);
void run_commands(struct reader *reader);

// link_events.c
void look_at_interfaces(struct reader *reader);
void note_link_down(struct reader *reader, struct tap *tap);
bool needs_polling(const struct reader *reader);
void count_pending(struct reader *reader);
void read_link_events(struct reader *reader);

// worker.c
void wait_for_workers(struct reader *reader);
