// From the blocks of a ring to records in the batch.
// Checks the window, the filter, the limits of the capture and the size of the file before each
// record. Refuses a record when the limit was reached or the last write failed.
#include "reader_state.h"
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#define PREFETCH_BYTES 2048
#define CACHE_LINE 64
#define FAST_BYTES_PER_US 64 // fills a ring of 4 MiB in 65 ms

#ifndef TP_STATUS_GSO_TCP
#define TP_STATUS_GSO_TCP (1 << 8) // Linux 5.14; older headers do not define it
#endif

// Adds the kernel's statistics and what is pending to the counters, under the lock of their readers.
void update_counters(struct reader *reader, struct tap *tap) {
  pthread_mutex_lock(&reader->lock);
  read_statistics(tap);
  tap->counters.refused += tap->pending_refused;
  tap->counters.truncated += tap->pending_truncated;
  pthread_mutex_unlock(&reader->lock);
  tap->pending_refused = tap->pending_truncated = 0;
}

// EVENT_MOVED follows once all that was queued for the sink is written.
void next_sink(struct reader *reader, struct tap *tap) {
  queue_batch(reader);
  struct sink *done = tap->sink, **last = &tap->left_sinks;
  tap->sink = done->next;
  done->next = NULL;
  while (*last) last = &(*last)->next;
  *last = done;
  update_counters(reader, tap);
  emit_moved(reader, tap);
}

static void reach_limit(struct tap *tap, bool is_bytes) {
  tap->group->is_reached = true;
  tap->group->is_told = false;
  tap->group->reached_by = tap->id;
  tap->group->is_bytes_reached = is_bytes;
}

// The sink that takes a record of this size: the present one or the next. NULL: there is none.
static struct sink *sink_with_room(struct reader *reader, struct tap *tap, size_t size) {
  if (!tap->sink) return NULL;
  if (tap->sink->is_empty || (int64_t)size <= tap->sink->bytes_left) return tap->sink;
  if (!tap->sink->next) return NULL;
  next_sink(reader, tap);
  return tap->sink;
}

static void read_tag(const struct tpacket3_hdr *header, uint8_t *out) {
  bool has_type = header->tp_status & TP_STATUS_VLAN_TPID_VALID;
  uint16_t type = has_type ? header->hv1.tp_vlan_tpid : 0x8100;
  uint16_t tag = (uint16_t)header->hv1.tp_vlan_tci;
  out[0] = (uint8_t)(type >> 8), out[1] = (uint8_t)type;
  out[2] = (uint8_t)(tag >> 8), out[3] = (uint8_t)tag;
}

// Field by field: a copy of the whole struct reads in 16 bytes what was just written in 8 and 4,
// and the processor stalls on that each time.
static void read_frame(const struct tap *tap, const struct tpacket3_hdr *header,
                       struct frame *frame) {
  const uint8_t *start = (const uint8_t *)header;
  const struct sockaddr_ll *from = (const void *)(start + TPACKET_ALIGN(sizeof *header));
  frame->data = start + header->tp_mac;
  frame->captured = header->tp_snaplen, frame->original = header->tp_len;
  frame->seconds = header->tp_sec, frame->nanoseconds = header->tp_nsec;
  frame->drops = tap->counters.dropped - tap->drops_reported;
  bool is_outgoing = from->sll_pkttype == PACKET_OUTGOING;
  frame->flags = is_outgoing == tap->inside_is_pod ? 2 : 1; // 2: outbound, seen from the pod
  if (tap->is_loopback) frame->flags = 0; // from the pod to itself
  if (header->tp_status & TP_STATUS_CSUMNOTREADY) frame->flags |= 1u << 9;
  else if (header->tp_status & TP_STATUS_CSUM_VALID) frame->flags |= 1u << 10;
  if (header->tp_status & TP_STATUS_GSO_TCP) frame->flags |= 1u << 11;
  frame->has_tag = header->tp_status & TP_STATUS_VLAN_VALID;
  if (frame->has_tag) read_tag(header, frame->tag);
}

static uint32_t captured_length(const struct tap *tap, const struct frame *frame) {
  uint32_t length = frame->captured;
  // The kernel stripped the tag from the data, so the headers are measured without it.
  if (tap->headers_only) length = headers_length(tap->link_type, frame->data, frame->captured);
  if (frame->has_tag) length += 4;
  return length < tap->snap_length ? length : tap->snap_length;
}

enum taken { TAKEN, NO_SINK, BATCH_FULL };

// Encodes one frame, or counts it as refused. Otherwise the frame stays in the ring.
static enum taken take_frame(struct reader *reader, struct tap *tap,
                             const struct tpacket3_hdr *header) {
  struct limit_group *group = tap->group;
  if (tap->is_write_failed || (group && group->is_reached)) return tap->pending_refused++, TAKEN;
  struct frame frame;
  read_frame(tap, header, &frame);
  uint32_t captured = captured_length(tap, &frame);
  uint32_t original = frame.original + (frame.has_tag ? 4 : 0);
  if (tap->format == FORMAT_PCAP) frame.drops = 0;
  size_t size = record_bytes(tap->format, captured, frame.drops > 0);
  if (group && group->bytes_left >= 0 && (int64_t)size > group->bytes_left) {
    reach_limit(tap, true);
    return tap->pending_refused++, TAKEN;
  }
  struct sink *sink = sink_with_room(reader, tap, size);
  if (!sink) return tap->is_closing ? (tap->pending_refused++, TAKEN) : NO_SINK;
  if (reader->batch->filled > 0 && !has_room(reader, tap, size)) return BATCH_FULL;
  if (header->tp_snaplen < header->tp_len && header->tp_snaplen < tap->snap_length)
    tap->pending_truncated++;
  tap->drops_reported += frame.drops;
  sink->is_empty = false;
  sink->bytes_left -= (int64_t)size;
  uint64_t time_ns = frame_ns(&frame);
  struct job *batch = reader->batch;
  if (batch->packets++ == 0) batch->first_ns = time_ns;
  batch->last_ns = time_ns;
  if (group && group->bytes_left >= 0 && (group->bytes_left -= (int64_t)size) == 0)
    reach_limit(tap, true);
  if (group && group->packets_left > 0 && --group->packets_left == 0)
    reach_limit(tap, false);
  add_record(reader, tap, &frame, captured, original, size);
  return TAKEN;
}

// Another processor wrote the frames: loads a few frames ahead into the cache while this one is
// encoded.
static void prefetch(const uint8_t *packet, uint32_t bytes) {
  const uint8_t *from = packet + PREFETCH_BYTES;
  if (bytes > PREFETCH_BYTES) bytes = PREFETCH_BYTES;
  for (uint32_t at = 0; at < bytes; at += CACHE_LINE) __builtin_prefetch(from + at);
}

// By its time and, where the kernel did not filter, by its bytes, without a stripped VLAN tag as
// the kernel's filter sees it. A frame that does not match is neither written nor counted.
static bool is_matching(const struct tap *tap, const struct tpacket3_hdr *header) {
  uint64_t time_ns = (uint64_t)header->tp_sec * 1000000000 + header->tp_nsec;
  if (time_ns < tap->window.from_ns || time_ns >= tap->window.until_ns) return false;
  if (tap->program.count == 0) return true;
  const uint8_t *data = (const uint8_t *)header + header->tp_mac;
  return matches_program(&tap->program, data, header->tp_len, header->tp_snaplen);
}

// Whole, short, matching and without a stripped VLAN tag.
static bool is_plain(const struct tap *tap, const struct tpacket3_hdr *header) {
  bool is_whole = header->tp_snaplen == header->tp_len || header->tp_snaplen == tap->snap_length;
  return is_whole && header->tp_snaplen < LONG_BYTES &&
         !(header->tp_status & TP_STATUS_VLAN_VALID) && is_matching(tap, header);
}

// Bytes of records that may follow without a check of limits and sinks.
// 0: the next frame goes through take_frame().
static size_t run_room(const struct reader *reader, const struct tap *tap) {
  const struct limit_group *group = tap->group;
  if (reader->batch->packets == 0 || tap->is_write_failed || tap->program.count > 0) return 0;
  bool has_limits =
    group && (group->is_reached || group->packets_left >= 0 || group->bytes_left >= 0);
  bool has_drops_to_report =
    tap->format == FORMAT_PCAPNG && tap->drops_reported != tap->counters.dropped;
  if (has_limits || has_drops_to_report || !tap->sink->is_file) return 0;
  if (tap->sink->bytes_left <= 0) return 0;
  size_t room = BUFFER_BYTES - reader->batch->filled;
  return (uint64_t)tap->sink->bytes_left < room ? (size_t)tap->sink->bytes_left : room;
}

static void count_run(struct job *batch, struct tap *tap, uint32_t packets, size_t bytes,
                      uint64_t last_ns) {
  tap->block_packets_done += packets;
  tap->drained_packets += packets, tap->matched_packets += packets;
  batch->packets += packets, batch->filled += bytes, batch->last_ns = last_ns;
  tap->sink->bytes_left -= (int64_t)bytes;
}

// Encodes the plain frames that follow a taken one, as far as there is room: the checks of
// take_frame() are done once for all of them. Data is copied in whole chunks, also beyond its end:
// the next record overwrites that.
static void take_run(struct reader *reader, struct tap *tap,
                     const struct tpacket_block_desc *block) {
  size_t room = run_room(reader, tap);
  if (room == 0) return;
  const uint8_t *end = (const uint8_t *)block + tap->block_bytes;
  uint8_t *const start = reader->batch->buffer + reader->batch->filled, *out = start;
  uint32_t packets = 0;
  uint64_t last_ns = 0;
  for (; tap->block_packets_done + packets < block->hdr.bh1.num_pkts; packets++) {
    const struct tpacket3_hdr *header = (const struct tpacket3_hdr *)tap->next_packet;
    if (!is_plain(tap, header)) break;
    struct frame frame;
    read_frame(tap, header, &frame);
    uint32_t captured = captured_length(tap, &frame);
    size_t needed = (size_t)(out - start) + record_bytes(tap->format, captured, false);
    if (needed > room || frame.data + captured + CHUNK > end) break;
    prefetch(tap->next_packet, header->tp_next_offset);
    out += encode_head(tap->format, &frame, captured, frame.original, out);
    for (uint32_t at = 0; at < captured; at += CHUNK) memcpy(out + at, frame.data + at, CHUNK);
    out += captured;
    out += encode_tail(tap->format, &frame, captured, out);
    last_ns = frame_ns(&frame);
    tap->next_packet += header->tp_next_offset;
  }
  if (packets > 0) count_run(reader->batch, tap, packets, (size_t)(out - start), last_ns);
}

void release_blocks(struct tap *tap, uint32_t block, uint32_t count) {
  if (count > 0) __atomic_store_n(&tap->has_released, true, __ATOMIC_RELAXED);
  for (; count > 0; count--, block = (block + 1) % tap->block_count)
    __atomic_store_n(&block_at(tap, block)->hdr.bh1.block_status, TP_STATUS_KERNEL,
                     __ATOMIC_RELEASE);
}

// An earlier batch with parts in this block, which another thread still writes.
static struct job *job_in_block(const struct tap *tap) {
  return tap->first_job && tap->first_job->is_in_open_block ? tap->first_job : NULL;
}

// Parts of the batch may lie in this block or an earlier one: then it is held until they are
// written.
static void end_block(struct reader *reader, struct tap *tap) {
  struct job *batch = reader->batch, *earlier = job_in_block(tap);
  tap->block_packets_done = 0;
  if (earlier) {
    earlier->is_in_open_block = false;
    if (earlier->held_blocks++ == 0) earlier->held_block = tap->block;
  } else if (batch->ring_bytes == 0) release_blocks(tap, tap->block, 1);
  else if (batch->held_blocks++ == 0) batch->held_block = tap->block;
  tap->block = (tap->block + 1) % tap->block_count;
}

// The time from the first to the last packet tells how soon a stall would fill the ring.
static bool is_fast_block(const struct tap *tap, const struct tpacket_block_desc *block) {
  const struct tpacket_bd_ts *first = &block->hdr.bh1.ts_first_pkt;
  const struct tpacket_bd_ts *last = &block->hdr.bh1.ts_last_pkt;
  uint64_t ns = (last->ts_sec - first->ts_sec) * 1000000000ull + last->ts_nsec - first->ts_nsec;
  return ns < (uint64_t)tap->block_bytes * 1000 / FAST_BYTES_PER_US;
}

static void begin_block(struct reader *reader, struct tap *tap,
                        const struct tpacket_block_desc *block) {
  tap->next_packet = (uint8_t *)block + block->hdr.bh1.offset_to_first_pkt;
  uint32_t status = block->hdr.bh1.block_status;
  tap->is_fast = !(status & TP_STATUS_BLK_TMO) && is_fast_block(tap, block);
  if (status & TP_STATUS_LOSING) update_counters(reader, tap);
}

static enum taken drain_block(struct reader *reader, struct tap *tap,
                              struct tpacket_block_desc *block) {
  if (tap->block_packets_done == 0) begin_block(reader, tap, block);
  while (tap->block_packets_done < block->hdr.bh1.num_pkts) {
    struct tpacket3_hdr *header = (struct tpacket3_hdr *)tap->next_packet;
    prefetch(tap->next_packet, header->tp_next_offset);
    if (is_matching(tap, header)) {
      enum taken taken = take_frame(reader, tap, header);
      if (taken != TAKEN) return taken;
      tap->matched_packets++;
    }
    tap->drained_packets++, tap->block_packets_done++;
    tap->next_packet += header->tp_next_offset;
    take_run(reader, tap, block);
  }
  end_block(reader, tap);
  const struct job *batch = reader->batch;
  bool is_much = batch->ring_bytes >= BUFFER_BYTES || batch->held_blocks > tap->block_count / 2;
  return is_much ? BATCH_FULL : TAKEN;
}

static void stall(struct tap *tap, struct reader *reader, bool waits_for_room) {
  tap->is_stalled = true;
  tap->waits_for_room = waits_for_room;
  watch_tap(reader, tap, 0);
}

// Drains at most `*blocks_left`, one round of the ring, so that other taps get their turn. Stops
// when a command arrives: it applies to the packets after it. True: the batch is full and more
// packets wait.
static bool drain_blocks(struct reader *reader, struct tap *tap, uint32_t *blocks_left,
                         bool *is_busy) {
  for (; *blocks_left > 0; --*blocks_left) {
    struct tpacket_block_desc *block = block_at(tap, tap->block);
    uint32_t status = __atomic_load_n(&block->hdr.bh1.block_status, __ATOMIC_ACQUIRE);
    if (!(status & TP_STATUS_USER) || has_commands(reader)) return false;
    *is_busy = !(status & TP_STATUS_BLK_TMO);
    if (!has_store_room(reader, tap)) return stall(tap, reader, true), false;
    enum taken taken = drain_block(reader, tap, block);
    if (taken == NO_SINK) return stall(tap, reader, false), false;
    if (taken == BATCH_FULL) return true;
  }
  return false;
}

bool drain(struct reader *reader, struct tap *tap, uint32_t *blocks_left) {
  bool is_busy = false;
  if (has_window_ended_since(tap)) update_counters(reader, tap);
  begin_batch(reader, tap);
  bool is_full = drain_blocks(reader, tap, blocks_left, &is_busy);
  if (is_full) reader->batch->is_due = true;
  else end_batch(reader, tap, is_busy);
  update_counters(reader, tap);
  tell_limit(reader, tap->group);
  return is_full;
}

// Without a write on this thread: between commands.
void drain_into_queue(struct reader *reader, struct tap *tap) {
  uint32_t blocks_left = tap->block_count;
  while (drain(reader, tap, &blocks_left)) queue_batch(reader);
}

// Only the loop of the reader calls it. False: another thread is the reader now.
bool drain_and_write(struct reader *reader, struct tap *tap) {
  if (reader->batch && reader->batch->tap != tap && !write_batch(reader)) return false;
  uint32_t blocks_left = tap->block_count;
  while (drain(reader, tap, &blocks_left))
    if (!write_due(reader)) return false;
  return write_due(reader);
}

// After a stall: a sink was offered, the present one or the store has room. The loop drains it.
void resume_drain(struct reader *reader, struct tap *tap) {
  if (tap->is_stalled) watch_tap(reader, tap, EPOLLIN);
  tap->is_stalled = tap->waits_for_room = false;
}
