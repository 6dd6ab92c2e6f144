// Gathers the records of one tap and hands them over with one call: short records are copied into a
// buffer, long ones may stay in the ring. Few long writes cost the file system much less than many
// short ones.
#include "reader_state.h"
#include <stdlib.h>
#include <string.h>

#define PIPE_BYTES 65536 // capacity of a pipe: a longer write would be cut even with a fast reader
#define HOLD_MS 100

static void reset_batch(struct job *batch) {
  batch->filled = batch->part_start = batch->ring_bytes = 0;
  batch->packets = 0;
  batch->held_blocks = 0;
  batch->count = 0;
  batch->write_by_ms = 0;
  batch->is_due = false;
  batch->error = 0;
  batch->next = batch->tap_next = NULL;
}

// Makes a part of what was copied into the buffer since the last part.
static void close_part(struct job *batch) {
  uint8_t *start = batch->buffer + batch->part_start;
  size_t bytes = batch->filled - batch->part_start;
  if (bytes > 0) batch->parts[batch->count++] = (struct iovec){start, bytes};
  batch->part_start = batch->filled;
}

// Sets what the job is about; the sink may have changed since the tap's last batch.
static void seal_batch(struct job *batch) {
  struct tap *tap = batch->tap;
  close_part(batch);
  batch->sink = tap->sink;
  batch->device = tap->sink->device;
  batch->fd = tap->sink->fd;
  batch->format = tap->format;
  batch->is_in_open_block = batch->ring_bytes > 0 && tap->block_packets_done > 0;
}

static void write_batch_to_pipe(struct reader *reader, struct job *batch) {
  account_job(reader, batch);
  write_pipe(batch->tap, batch);
  finish_job(reader, batch);
}

// Never waits: a pipe takes what fits, records for a file are copied into the queue of its device.
void queue_batch(struct reader *reader) {
  struct job *batch = reader->batch;
  if (!batch || batch->filled == 0) return;
  seal_batch(batch);
  if (batch->device) queue_job(reader, batch);
  else write_batch_to_pipe(reader, batch);
  release_blocks(batch->tap, batch->held_block, batch->held_blocks);
  reset_batch(batch);
  tell_limit(reader, batch->tap->group);
}

// Writes the batch on this thread if nothing waits for its device. Only the loop of the reader
// calls it. False: the write took long, and another thread is the reader now.
bool write_batch(struct reader *reader) {
  struct job *batch = reader->batch;
  if (!batch || batch->filled == 0) return true;
  seal_batch(batch);
  if (!batch->device || !is_idle(batch->device)) return queue_batch(reader), true;
  account_job(reader, batch);
  if (!write_inline(reader, batch)) return false;
  finish_job(reader, batch);
  reset_batch(batch);
  tell_limit(reader, batch->tap->group); // not before: the batch held the records that reach it
  return true;
}

bool write_due(struct reader *reader) {
  if (reader->batch && reader->batch->is_due && !write_batch(reader)) return false;
  return write_queues(reader);
}

// A copy of a long frame costs as much as the kernel's own. But what stays in the ring while a
// write waits holds the ring up, so only a tap does so whose ring a stall would fill at once, and
// only one of its jobs at a time.
static bool is_kept_in_ring(const struct tap *tap, size_t size) {
  if (size < LONG_BYTES || !tap->is_fast || !tap->sink->is_file || tap->first_job) return false;
  return is_idle(tap->sink->device);
}

bool has_room(const struct reader *reader, const struct tap *tap, size_t size) {
  const struct sink *sink = tap->sink;
  const struct job *batch = reader->batch;
  if (!sink->is_file) return batch->filled + batch->ring_bytes + size <= PIPE_BYTES;
  size_t needed = is_kept_in_ring(tap, size) ? 2 * ENCODE_OVERHEAD : size;
  return batch->filled + needed <= BUFFER_BYTES && batch->count + 5 <= PARTS_MAX;
}

static void add_from_ring(struct job *batch, const uint8_t *data, size_t length) {
  close_part(batch);
  batch->parts[batch->count++] = (struct iovec){(void *)data, length};
  batch->ring_bytes += length;
}

static void add_long(struct job *batch, enum format format, const struct frame *frame,
                     uint32_t captured, uint32_t original) {
  uint32_t before_tag = frame->has_tag ? 12 : captured, tag = frame->has_tag ? 4 : 0;
  batch->filled += encode_head(format, frame, captured, original, batch->buffer + batch->filled);
  add_from_ring(batch, frame->data, before_tag);
  if (frame->has_tag) {
    memcpy(batch->buffer + batch->filled, frame->tag, tag);
    batch->filled += tag;
    add_from_ring(batch, frame->data + before_tag, captured - before_tag - tag);
  }
  batch->filled += encode_tail(format, frame, captured, batch->buffer + batch->filled);
}

void add_record(struct reader *reader, struct tap *tap, const struct frame *frame,
                uint32_t captured, uint32_t original, size_t size) {
  struct job *batch = reader->batch;
  if (is_kept_in_ring(tap, size)) return add_long(batch, tap->format, frame, captured, original);
  uint8_t *out = batch->buffer + batch->filled;
  batch->filled += encode_record(tap->format, frame, captured, original, out);
}

// The batch of another tap goes to its device's queue.
void begin_batch(struct reader *reader, struct tap *tap) {
  if (!reader->batch) {
    reader->batch = create_job(BUFFER_BYTES + CHUNK);
    if (!reader->batch) abort();
  }
  if (reader->batch->tap != tap) queue_batch(reader);
  reader->batch->tap = tap;
}

// A busy tap fills its next block soon: its last records wait for that, at most HOLD_MS.
void end_batch(struct reader *reader, struct tap *tap, bool is_busy) {
  struct job *batch = reader->batch;
  if (batch->filled == 0) return;
  bool is_reached = tap->group && tap->group->is_reached;
  bool is_ending = tap->is_stalled || tap->is_closing || is_reached || batch->ring_bytes > 0;
  if (!is_busy || is_ending || !tap->has_written || !tap->sink->is_file) batch->is_due = true;
  if (!batch->write_by_ms) batch->write_by_ms = now_ms() + HOLD_MS;
}
