// The readers of one environment: which of them drains which tap.
// In: commands for taps and groups, taps that were opened. Out: the same to the reader that has
// them. Starts a further reader, and moves taps to it, where one has too much to do.
#pragma once
#include "reader.h"

#define READERS_MAX 4

struct readers;
struct readers *start_readers(emit_function *emit, void *context);
void stop_readers(struct readers *readers);
// The most readers, and from what share of a processor on one gives taps away. 0: at any time, for
// tests.
void set_readers(struct readers *readers, uint32_t most, uint32_t busy_percent);
struct reader *first_reader(struct readers *readers); // for workers and events

void add_tap_to_readers(struct readers *readers, struct tap *tap);
void post_tap_command(struct readers *readers, struct command command);
void post_group_command(struct readers *readers, struct command command);
void post_to_all(struct readers *readers, struct command command);
bool read_counters(struct readers *readers, uint32_t id, struct counters *out,
                   struct waiting *waiting);
uint64_t read_changes(struct readers *readers);
bool read_buffer_use(struct readers *readers, struct buffer_use *out); // the caller frees `devices`

struct readers_use {
  uint32_t count;
  uint64_t moves; // of taps, since the start
};
struct readers_use read_readers_use(struct readers *readers);
