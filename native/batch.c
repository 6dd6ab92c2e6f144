// Gathers the records of one tap and writes them with one call: short records are copied into a
// buffer, long ones stay in the ring. Few long writes cost the file system much less than many
// short ones.
#include "reader_state.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define PIPE_BYTES 65536 // capacity of a pipe: a longer write would be cut even with a fast reader
#define HOLD_MS 100

// Counts records that were encoded and not written as refused, and adds them to the limits again.
static void count_unwritten(struct tap *tap, uint64_t records, uint64_t bytes) {
  tap->counters.refused += records;
  if (!tap->group) return;
  if (tap->group->packets_left >= 0) tap->group->packets_left += (int64_t)records;
  if (tap->group->bytes_left >= 0) tap->group->bytes_left += (int64_t)bytes;
}

static void reset_batch(struct batch *batch) {
  batch->filled = batch->part_start = batch->ring_bytes = 0;
  batch->count = 0;
  batch->write_by_ms = 0;
}

static void emit_write_failed(struct reader *reader, const struct tap *tap, int error) {
  struct event event = {.kind = EVENT_WRITE_FAILED, .id = tap->id};
  const char *code = strerrorname_np(error);
  event.write_failed.fd = tap->sink->fd;
  snprintf(event.write_failed.code, sizeof event.write_failed.code, "%s", code ? code : "EIO");
  emit(reader, event);
}

static void account_write(struct reader *reader, struct tap *tap, bool is_written,
                          uint64_t records, uint64_t bytes) {
  int error = errno;
  pthread_mutex_lock(&reader->lock);
  bool is_first = !tap->has_written && records > 0;
  // Before packets: `received` must never be less than what was written.
  tap->counters.received = tap->matched_packets + tap->counters.dropped;
  tap->counters.packets += records;
  tap->counters.bytes += bytes;
  if (records > 0) tap->counters.last_ns = tap->pending_last_ns;
  count_unwritten(tap, tap->pending_packets - records, tap->pending_bytes - bytes);
  tap->sink->bytes_left += (int64_t)(tap->pending_bytes - bytes);
  pthread_mutex_unlock(&reader->lock);
  tap->pending_packets = tap->pending_bytes = 0;
  reset_batch(&reader->batch);
  if (is_first) {
    tap->has_written = true;
    struct event event = {.kind = EVENT_FIRST_PACKET, .id = tap->id};
    event.first_packet.at_ns = tap->pending_first_ns;
    emit(reader, event);
  }
  if (is_written) return;
  tap->is_write_failed = true;
  emit_write_failed(reader, tap, error);
}

// Makes a part of what was copied into the buffer since the last part.
static void close_part(struct batch *batch) {
  uint8_t *start = batch->buffer + batch->part_start;
  size_t bytes = batch->filled - batch->part_start;
  if (bytes > 0) batch->parts[batch->count++] = (struct iovec){start, bytes};
  batch->part_start = batch->filled;
}

void flush(struct reader *reader, struct tap *tap) {
  struct batch *batch = &reader->batch;
  if (batch->filled == 0) return;
  close_part(batch);
  uint64_t records, bytes;
  size_t length = batch->filled + batch->ring_bytes;
  bool is_written = write_records(tap, batch->parts, batch->count, length, &records, &bytes);
  account_write(reader, tap, is_written, records, bytes);
}

bool has_room(const struct reader *reader, const struct sink *sink, size_t size) {
  const struct batch *batch = &reader->batch;
  if (!sink->is_file) return batch->filled + batch->ring_bytes + size <= PIPE_BYTES;
  size_t needed = size < LONG_BYTES ? size : 2 * ENCODE_OVERHEAD;
  return batch->filled + needed <= BUFFER_BYTES && batch->count + 5 <= PARTS_MAX;
}

static void add_from_ring(struct batch *batch, const uint8_t *data, size_t length) {
  close_part(batch);
  batch->parts[batch->count++] = (struct iovec){(void *)data, length};
  batch->ring_bytes += length;
}

static void add_long(struct batch *batch, enum format format, const struct frame *frame,
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
  struct batch *batch = &reader->batch;
  if (size >= LONG_BYTES) return add_long(batch, tap->format, frame, captured, original);
  uint8_t *out = batch->buffer + batch->filled;
  batch->filled += encode_record(tap->format, frame, captured, original, out);
}

void flush_held(struct reader *reader) {
  if (reader->batch.filled > 0) flush(reader, reader->batch.tap);
}

void begin_batch(struct reader *reader, struct tap *tap) {
  if (reader->batch.tap != tap) flush_held(reader);
  reader->batch.tap = tap;
}

// A busy tap fills its next block soon: its last records wait for that, at most HOLD_MS.
void end_batch(struct reader *reader, struct tap *tap, bool is_busy) {
  if (reader->batch.filled == 0) return;
  bool is_reached = tap->group && tap->group->is_reached;
  bool is_ending = tap->is_stalled || tap->is_closing || is_reached;
  if (!is_busy || is_ending || !tap->has_written || !tap->sink->is_file) return flush(reader, tap);
  if (!reader->batch.write_by_ms) reader->batch.write_by_ms = now_ms() + HOLD_MS;
}
