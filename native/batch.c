// Records between the ring and the sink: short ones are gathered in a buffer, long ones stay where they lie in the ring, and
// all are written with one call. Few long writes cost the file system much less than many short ones.
#include "reader_state.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define PIPE_BYTES 65536 // what a pipe holds: more at once would be refused though its reader keeps up
#define HOLD_MS 100

// What was encoded and not written is counted as refused, and given back to the limits.
static void give_back(struct tap *tap, uint64_t records, uint64_t bytes) {
  tap->counters.refused += records;
  if (!tap->group) return;
  if (tap->group->packets_left >= 0) tap->group->packets_left += (int64_t)records;
  if (tap->group->bytes_left >= 0) tap->group->bytes_left += (int64_t)bytes;
}

static void settle(struct reader *reader, struct tap *tap, bool is_written, uint64_t records, uint64_t bytes) {
  int error = errno;
  pthread_mutex_lock(&reader->lock);
  bool is_first = !tap->has_written && records > 0;
  tap->counters.received = tap->matched + tap->counters.dropped; // first: what was written was received
  tap->counters.packets += records;
  tap->counters.bytes += bytes;
  if (records > 0) tap->counters.last_ns = tap->pending_last_ns;
  give_back(tap, tap->pending_packets - records, tap->pending_bytes - bytes);
  tap->sink->bytes_left += (int64_t)(tap->pending_bytes - bytes);
  pthread_mutex_unlock(&reader->lock);
  tap->pending_packets = tap->pending_bytes = 0;
  reader->batch.filled = reader->batch.run = reader->batch.ring_bytes = 0;
  reader->batch.count = 0;
  reader->batch.write_by_ms = 0;
  if (is_first) {
    tap->has_written = true;
    emit(reader, (struct event){.kind = EVENT_FIRST_PACKET, .id = tap->id, .number = (int64_t)tap->pending_first_ns});
  }
  if (is_written) return;
  tap->is_failed = true;
  struct event event = {.kind = EVENT_WRITE_FAILED, .id = tap->id, .number = tap->sink->fd};
  snprintf(event.failure.code, sizeof event.failure.code, "%s", strerrorname_np(error) ? strerrorname_np(error) : "EIO");
  emit(reader, event);
}

// What was put into the buffer since the last part is the next part.
static void end_run(struct batch *batch) {
  if (batch->filled > batch->run) batch->parts[batch->count++] = (struct iovec){batch->buffer + batch->run, batch->filled - batch->run};
  batch->run = batch->filled;
}

void flush(struct reader *reader, struct tap *tap) {
  struct batch *batch = &reader->batch;
  if (batch->filled == 0) return;
  end_run(batch);
  uint64_t records, bytes;
  bool is_written = write_records(tap, batch->parts, batch->count, batch->filled + batch->ring_bytes, &records, &bytes);
  settle(reader, tap, is_written, records, bytes);
}

bool has_room(const struct reader *reader, const struct sink *sink, size_t size) {
  const struct batch *batch = &reader->batch;
  if (!sink->is_file) return batch->filled + batch->ring_bytes + size <= PIPE_BYTES;
  size_t needed = size < LONG_BYTES ? size : 2 * ENCODE_OVERHEAD;
  return batch->filled + needed <= BUFFER_BYTES && batch->count + 5 <= PARTS_MAX;
}

static void add_from_ring(struct batch *batch, const uint8_t *data, size_t length) {
  end_run(batch);
  batch->parts[batch->count++] = (struct iovec){(void *)data, length};
  batch->ring_bytes += length;
}

static void add_long(struct batch *batch, enum format format, const struct frame *frame, uint32_t captured, uint32_t original) {
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

void add_record(struct reader *reader, struct tap *tap, const struct frame *frame, uint32_t captured, uint32_t original, size_t size) {
  struct batch *batch = &reader->batch;
  if (size >= LONG_BYTES) add_long(batch, tap->format, frame, captured, original);
  else batch->filled += encode_record(tap->format, frame, captured, original, batch->buffer + batch->filled);
}

void write_held(struct reader *reader) {
  if (reader->batch.filled > 0) flush(reader, reader->batch.tap);
}

void begin_batch(struct reader *reader, struct tap *tap) {
  if (reader->batch.tap != tap) write_held(reader);
  reader->batch.tap = tap;
}

// A tap that fills its blocks soon has more to write: what is left over waits for that, but not for long.
void end_batch(struct reader *reader, struct tap *tap, bool is_busy) {
  if (reader->batch.filled == 0) return;
  bool is_over = tap->is_stalled || tap->is_closing || (tap->group && tap->group->is_over);
  if (!is_busy || is_over || !tap->has_written || !tap->sink->is_file) return flush(reader, tap);
  if (!reader->batch.write_by_ms) reader->batch.write_by_ms = now_ms() + HOLD_MS;
}
