// State of all readers of an environment, and what their files share with those of one reader.
#pragma once
#include "reader_state.h"
#include "readers.h"

// A file system that any reader's sinks are on.
struct disk {
  struct disk *next;
  uint64_t id; // st_dev
  uint32_t devices; // one for each reader that has it
  uint64_t bytes; // atomic
};

// What may wait for disks, of all readers together.
struct store {
  uint64_t bytes, bytes_peak, bytes_max; // atomic
  uint32_t disk_count;                   // atomic
  pthread_mutex_t lock; // guards the list; no other lock is taken under it
  struct disk *disks;
};

struct readers {
  pthread_mutex_t lock; // guards all but the store; also which reader a tap and a group belong to
  struct reader *all[READERS_MAX];
  uint32_t count, most, busy_percent;
  uint64_t moves;
  bool is_stopping;
  bool are_links_watched; // atomic: the first reader is told of this namespace's interfaces
  struct tap *taps; // of all readers, with those that are on their way to one
  struct store store;
  emit_function *emit;
  void *context;
};

// readers.c
struct reader *start_another(struct readers *readers);
struct reader *idlest_reader(const struct readers *readers);
void assign_tap(struct tap *tap, struct reader *reader);
void tell_others_to_look(const struct reader *reader, int index);
void forget_tap(struct readers *readers, struct tap *tap);

// reader.c
struct reader *start_reader(struct readers *readers);
void end_reader(struct reader *reader);
void free_reader(struct reader *reader);
void read_tap_counters(struct reader *reader, const struct tap *tap, struct counters *out,
                       struct waiting *waiting);

// store.c
bool add_device_use(struct reader *reader, struct buffer_use *out);
