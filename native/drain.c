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

void next_sink(struct reader *reader, struct tap *tap) {
  flush(reader, tap);
  struct sink *done = tap->sink;
  tap->sink = done->next;
  update_counters(reader, tap);
  struct event event = {.kind = EVENT_MOVED, .id = tap->id};
  event.moved.fd = done->fd;
  event.moved.counters = tap->counters;
  emit(reader, event);
  free(done);
}

static void reach_limit(struct reader *reader, struct tap *tap, bool is_bytes) {
  tap->group->is_reached = true;
  emit(reader, (struct event){.kind = EVENT_LIMIT, .id = tap->id, .limit = {is_bytes}});
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

// Encodes one frame, or counts it as refused. False: no sink has room; the frame stays in the ring.
static bool take_frame(struct reader *reader, struct tap *tap, const struct tpacket3_hdr *header) {
  struct limit_group *group = tap->group;
  if (tap->is_write_failed || (group && group->is_reached)) return tap->pending_refused++, true;
  struct frame frame;
  read_frame(tap, header, &frame);
  uint32_t captured = captured_length(tap, &frame);
  uint32_t original = frame.original + (frame.has_tag ? 4 : 0);
  if (tap->format == FORMAT_PCAP) frame.drops = 0;
  size_t size = record_bytes(tap->format, captured, frame.drops > 0);
  if (group && group->bytes_left >= 0 && (int64_t)size > group->bytes_left) {
    reach_limit(reader, tap, true);
    return tap->pending_refused++, true;
  }
  struct sink *sink = sink_with_room(reader, tap, size);
  if (!sink) return tap->is_closing ? (tap->pending_refused++, true) : false;
  if (header->tp_snaplen < header->tp_len && header->tp_snaplen < tap->snap_length)
    tap->pending_truncated++;
  if (!has_room(reader, sink, size)) flush(reader, tap);
  if (tap->is_write_failed) return tap->pending_refused++, true;
  tap->drops_reported += frame.drops;
  sink->is_empty = false;
  sink->bytes_left -= (int64_t)size;
  uint64_t time_ns = frame_ns(&frame);
  if (tap->pending_packets++ == 0) tap->pending_first_ns = time_ns;
  tap->pending_bytes += size;
  tap->pending_last_ns = time_ns;
  if (group && group->bytes_left >= 0 && (group->bytes_left -= (int64_t)size) == 0)
    reach_limit(reader, tap, true);
  if (group && group->packets_left > 0 && --group->packets_left == 0)
    reach_limit(reader, tap, false);
  add_record(reader, tap, &frame, captured, original, size);
  return true;
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
  if (tap->pending_packets == 0 || tap->is_write_failed || tap->program.count > 0) return 0;
  bool has_limits =
    group && (group->is_reached || group->packets_left >= 0 || group->bytes_left >= 0);
  bool has_drops_to_report =
    tap->format == FORMAT_PCAPNG && tap->drops_reported != tap->counters.dropped;
  if (has_limits || has_drops_to_report || !tap->sink->is_file) return 0;
  if (tap->sink->bytes_left <= 0) return 0;
  size_t room = BUFFER_BYTES - reader->batch.filled;
  return (uint64_t)tap->sink->bytes_left < room ? (size_t)tap->sink->bytes_left : room;
}

static void count_run(struct tap *tap, uint32_t packets, size_t bytes, uint64_t last_ns) {
  tap->block_packets_done += packets;
  tap->drained_packets += packets, tap->matched_packets += packets;
  tap->pending_packets += packets, tap->pending_bytes += bytes, tap->pending_last_ns = last_ns;
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
  uint8_t *const start = reader->batch.buffer + reader->batch.filled, *out = start;
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
  reader->batch.filled += (size_t)(out - start);
  if (packets > 0) count_run(tap, packets, (size_t)(out - start), last_ns);
}

// False: a frame stays in the block, because no sink has room for it.
static bool drain_block(struct reader *reader, struct tap *tap, struct tpacket_block_desc *block) {
  if (tap->block_packets_done == 0) {
    tap->next_packet = (uint8_t *)block + block->hdr.bh1.offset_to_first_pkt;
    if (block->hdr.bh1.block_status & TP_STATUS_LOSING) update_counters(reader, tap);
  }
  while (tap->block_packets_done < block->hdr.bh1.num_pkts) {
    struct tpacket3_hdr *header = (struct tpacket3_hdr *)tap->next_packet;
    prefetch(tap->next_packet, header->tp_next_offset);
    if (is_matching(tap, header)) {
      if (!take_frame(reader, tap, header)) return false;
      tap->matched_packets++;
    }
    tap->drained_packets++, tap->block_packets_done++;
    tap->next_packet += header->tp_next_offset;
    take_run(reader, tap, block);
  }
  tap->block_packets_done = 0;
  if (reader->batch.ring_bytes > 0) flush(reader, tap); // those parts lie in this block
  __atomic_store_n(&block->hdr.bh1.block_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
  tap->block = (tap->block + 1) % tap->block_count;
  return true;
}

static struct tpacket_block_desc *block_at(const struct tap *tap, uint32_t block) {
  return (struct tpacket_block_desc *)(tap->ring + (size_t)block * tap->block_bytes);
}

// Drains at most one round of the ring, so that other taps get their turn. Stops when a command
// arrives: it applies to the packets after it.
void drain(struct reader *reader, struct tap *tap) {
  bool is_busy = false;
  begin_batch(reader, tap);
  for (uint32_t blocks = 0; blocks < tap->block_count; blocks++) {
    struct tpacket_block_desc *block = block_at(tap, tap->block);
    uint32_t status = __atomic_load_n(&block->hdr.bh1.block_status, __ATOMIC_ACQUIRE);
    if (!(status & TP_STATUS_USER) || has_commands(reader)) break;
    is_busy = !(status & TP_STATUS_BLK_TMO);
    if (drain_block(reader, tap, block)) continue;
    tap->is_stalled = true;
    watch_tap(reader, tap, 0);
    break;
  }
  end_batch(reader, tap, is_busy);
  update_counters(reader, tap);
}

// After a stall: a sink was offered, or the present one got more room.
void resume_drain(struct reader *reader, struct tap *tap) {
  if (tap->is_stalled) watch_tap(reader, tap, EPOLLIN);
  tap->is_stalled = false;
  drain(reader, tap);
}
