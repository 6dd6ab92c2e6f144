// What the files of the reader share: its state, which only its own thread touches but for what `lock` guards.
#pragma once
#include "reader.h"
#include "sink.h"

#define BUFFER_BYTES 524288
#define CHUNK 64 // short records are copied in such pieces, the last one longer than it need be
#define LONG_BYTES 16384 // from here on, a copy into the buffer costs as much as the copy the kernel makes

// Records of one tap that are encoded and not yet written: `parts`, then the buffer from `run` to `filled`.
struct batch {
  struct tap *tap;
  size_t run, filled;
  size_t ring_bytes;    // of the parts that lie in the ring
  uint64_t write_by_ms; // 0: nothing is held back
  int count;
  struct iovec parts[PARTS_MAX];
  uint8_t buffer[BUFFER_BYTES + CHUNK];
};

struct reader {
  pthread_t thread;
  int epoll, wake, link_watch;
  pthread_mutex_t lock; // of the commands, and of the counters that others read
  struct command *first, **last;
  struct tap *taps;
  void (*emit)(void *context, struct event *event);
  void *context;
  bool is_stopping;
  struct errand *first_errand, *last_errand;
  int running, most_running; // threads that open, close, compile; since there were none
  pthread_cond_t none_running;
  struct batch batch;
};

// reader.c
uint64_t now_ms(void);
void emit(struct reader *reader, struct event event);
void watch(struct reader *reader, struct tap *tap, uint32_t events);

// batch.c
void begin_batch(struct reader *reader, struct tap *tap);
bool has_room(const struct reader *reader, const struct sink *sink, size_t size);
void add_record(struct reader *reader, struct tap *tap, const struct frame *frame, uint32_t captured, uint32_t original, size_t size);
void flush(struct reader *reader, struct tap *tap);
void end_batch(struct reader *reader, struct tap *tap, bool is_busy);
void write_held(struct reader *reader);

// drain.c
void drain(struct reader *reader, struct tap *tap);
void go_on(struct reader *reader, struct tap *tap);
void move_on(struct reader *reader, struct tap *tap);

// closing.c
void start_closing(struct reader *reader, struct tap *tap, uint32_t request);
void close_what_is_drained(struct reader *reader);
void close_all(struct reader *reader);
bool is_any_closing(const struct reader *reader);

// commands.c
struct tap *find_tap(const struct reader *reader, uint32_t id);
bool has_commands(struct reader *reader);
void obey_all(struct reader *reader);

// changes.c
void look_for_namespaces(struct reader *reader);
bool needs_looks(const struct reader *reader);
void count_what_waits(struct reader *reader);
void read_link_changes(struct reader *reader);
