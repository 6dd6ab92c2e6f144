// From a ring's blocks to records for the sink. The limits of a capture and the size of a file are looked at before each record.
#include "reader_state.h"
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#define FETCH_AHEAD 2048
#define CACHE_LINE 64

#ifndef TP_STATUS_GSO_TCP
#define TP_STATUS_GSO_TCP (1 << 8) // Linux 5.14; older headers do not name it
#endif

void move_on(struct reader *reader, struct tap *tap) {
  flush(reader, tap);
  struct sink *done = tap->sink;
  tap->sink = done->next;
  read_statistics(tap);
  emit(reader, (struct event){.kind = EVENT_MOVED, .id = tap->id, .number = done->fd, .counters = tap->counters});
  free(done);
}

static void reach_limit(struct reader *reader, struct tap *tap, bool is_bytes) {
  tap->group->is_over = true;
  emit(reader, (struct event){.kind = EVENT_LIMIT, .id = tap->id, .flag = is_bytes});
}

// A sink that takes a record of this size: this one, or the next. NULL: none was offered.
static struct sink *room_for(struct reader *reader, struct tap *tap, size_t size) {
  if (!tap->sink) return NULL;
  if (tap->sink->is_empty || (int64_t)size <= tap->sink->bytes_left) return tap->sink;
  if (!tap->sink->next) return NULL;
  move_on(reader, tap);
  return tap->sink;
}

// Fields one by one: a copy of the whole would read in 16 bytes what was just written in 8 and 4, and wait for it each time.
static void read_frame(const struct tap *tap, const struct tpacket3_hdr *header, struct frame *frame) {
  const struct sockaddr_ll *from = (const void *)((const uint8_t *)header + TPACKET_ALIGN(sizeof *header));
  frame->data = (const uint8_t *)header + header->tp_mac;
  frame->captured = header->tp_snaplen, frame->original = header->tp_len;
  frame->seconds = header->tp_sec, frame->nanoseconds = header->tp_nsec;
  frame->drops = tap->counters.dropped - tap->drops_told;
  bool is_outgoing = from->sll_pkttype == PACKET_OUTGOING;
  frame->flags = is_outgoing == tap->inside_is_pod ? 2 : 1; // outbound 2, inbound 1, seen from the pod
  if (header->tp_status & TP_STATUS_CSUMNOTREADY) frame->flags |= 1u << 9;
  else if (header->tp_status & TP_STATUS_CSUM_VALID) frame->flags |= 1u << 10;
  if (header->tp_status & TP_STATUS_GSO_TCP) frame->flags |= 1u << 11;
  frame->has_tag = header->tp_status & TP_STATUS_VLAN_VALID;
  if (frame->has_tag) {
    uint16_t type = header->tp_status & TP_STATUS_VLAN_TPID_VALID ? header->hv1.tp_vlan_tpid : 0x8100;
    uint16_t tag = (uint16_t)header->hv1.tp_vlan_tci;
    frame->tag[0] = (uint8_t)(type >> 8), frame->tag[1] = (uint8_t)type, frame->tag[2] = (uint8_t)(tag >> 8), frame->tag[3] = (uint8_t)tag;
  }
}

static uint32_t captured_length(const struct tap *tap, const struct frame *frame) {
  uint32_t length = frame->captured;
  if (tap->headers_only) {
    // The stripped tag is not among the data here; the length is measured without it.
    length = headers_length(frame->data, frame->captured);
  }
  if (frame->has_tag) length += 4;
  return length < tap->snap_length ? length : tap->snap_length;
}

// False: there is no room for it now; it stays in the ring.
static bool take(struct reader *reader, struct tap *tap, const struct tpacket3_hdr *header) {
  if (tap->is_failed || (tap->group && tap->group->is_over)) return tap->pending_refused++, true;
  struct frame frame;
  read_frame(tap, header, &frame);
  uint32_t captured = captured_length(tap, &frame), original = frame.original + (frame.has_tag ? 4 : 0);
  if (tap->format == FORMAT_PCAP) frame.drops = 0;
  size_t size = record_bytes(tap->format, captured, frame.drops > 0);
  if (tap->group && tap->group->bytes_left >= 0 && (int64_t)size > tap->group->bytes_left) {
    reach_limit(reader, tap, true);
    return tap->pending_refused++, true;
  }
  struct sink *sink = room_for(reader, tap, size);
  if (!sink) return tap->is_closing ? (tap->pending_refused++, true) : false;
  if (header->tp_snaplen < header->tp_len && header->tp_snaplen < tap->snap_length) tap->counters.truncated++;
  if (!has_room(reader, sink, size)) flush(reader, tap);
  if (tap->is_failed) return tap->pending_refused++, true;
  tap->drops_told += frame.drops;
  sink->is_empty = false;
  sink->bytes_left -= (int64_t)size;
  uint64_t time_ns = frame_ns(&frame);
  if (tap->pending_packets++ == 0) tap->pending_first_ns = time_ns;
  tap->pending_bytes += size;
  tap->pending_last_ns = time_ns;
  if (tap->group && tap->group->bytes_left >= 0 && (tap->group->bytes_left -= (int64_t)size) == 0) reach_limit(reader, tap, true);
  if (tap->group && tap->group->packets_left > 0 && --tap->group->packets_left == 0) reach_limit(reader, tap, false);
  add_record(reader, tap, &frame, captured, original, size);
  return true;
}

// Another processor wrote the frames: what lies a few of them ahead is on its way while this one is encoded.
static void fetch_ahead(const uint8_t *packet, uint32_t bytes) {
  const uint8_t *from = packet + FETCH_AHEAD;
  if (bytes > FETCH_AHEAD) bytes = FETCH_AHEAD;
  for (uint32_t at = 0; at < bytes; at += CACHE_LINE) __builtin_prefetch(from + at);
}

// By its time, and, where the kernel did not filter, by its bytes: on the frame as the kernel's filter sees it, without a tag
// that was stripped. What is not wanted is neither written nor counted.
static bool is_wanted(const struct tap *tap, const struct tpacket3_hdr *header) {
  uint64_t time_ns = (uint64_t)header->tp_sec * 1000000000 + header->tp_nsec;
  if (time_ns < tap->window.from_ns || time_ns >= tap->window.until_ns) return false;
  return tap->program.count == 0 || lets_through(&tap->program, (const uint8_t *)header + header->tp_mac, header->tp_len, header->tp_snaplen);
}

// Whole, short, wanted and without a stripped tag.
static bool is_plain(const struct tap *tap, const struct tpacket3_hdr *header) {
  bool is_whole = header->tp_snaplen == header->tp_len || header->tp_snaplen == tap->snap_length;
  return is_whole && header->tp_snaplen < LONG_BYTES && !(header->tp_status & TP_STATUS_VLAN_VALID) && is_wanted(tap, header);
}

// Bytes of records that may follow the last one without a decision. 0: the next frame needs one.
static size_t room_of_run(const struct reader *reader, const struct tap *tap) {
  if (tap->pending_packets == 0 || tap->is_failed || tap->program.count > 0) return 0;
  bool has_limits = tap->group && (tap->group->is_over || tap->group->packets_left >= 0 || tap->group->bytes_left >= 0);
  bool has_drops_to_tell = tap->format == FORMAT_PCAPNG && tap->drops_told != tap->counters.dropped;
  if (has_limits || has_drops_to_tell || !tap->sink->is_file || tap->sink->bytes_left <= 0) return 0;
  size_t room = BUFFER_BYTES - reader->batch.filled;
  return (uint64_t)tap->sink->bytes_left < room ? (size_t)tap->sink->bytes_left : room;
}

static void count_run(struct tap *tap, uint32_t packets, size_t bytes, uint64_t last_ns) {
  tap->taken += packets, tap->seen += packets, tap->matched += packets;
  tap->pending_packets += packets, tap->pending_bytes += bytes, tap->pending_last_ns = last_ns;
  tap->sink->bytes_left -= (int64_t)bytes;
}

// Plain frames that follow one that take() took, as far as there is room: what take() does for each is done once for all.
// Data is copied in whole chunks, also beyond its end: there the next record is put.
static void take_run(struct reader *reader, struct tap *tap, const struct tpacket_block_desc *block) {
  size_t room = room_of_run(reader, tap);
  if (room == 0) return;
  const uint8_t *end = (const uint8_t *)block + tap->block_bytes;
  uint8_t *const start = reader->batch.buffer + reader->batch.filled, *out = start;
  uint32_t packets = 0;
  uint64_t last_ns = 0;
  for (; tap->taken + packets < block->hdr.bh1.num_pkts; packets++) {
    const struct tpacket3_hdr *header = (const struct tpacket3_hdr *)tap->packet;
    if (!is_plain(tap, header)) break;
    struct frame frame;
    read_frame(tap, header, &frame);
    uint32_t captured = captured_length(tap, &frame);
    bool has_room = (size_t)(out - start) + record_bytes(tap->format, captured, false) <= room;
    if (!has_room || frame.data + captured + CHUNK > end) break;
    fetch_ahead(tap->packet, header->tp_next_offset);
    out += encode_head(tap->format, &frame, captured, frame.original, out);
    for (uint32_t at = 0; at < captured; at += CHUNK) memcpy(out + at, frame.data + at, CHUNK);
    out += captured;
    out += encode_tail(tap->format, &frame, captured, out);
    last_ns = frame_ns(&frame);
    tap->packet += header->tp_next_offset;
  }
  reader->batch.filled += (size_t)(out - start);
  if (packets > 0) count_run(tap, packets, (size_t)(out - start), last_ns);
}

static bool take_block(struct reader *reader, struct tap *tap, struct tpacket_block_desc *block) {
  if (tap->taken == 0) {
    tap->packet = (uint8_t *)block + block->hdr.bh1.offset_to_first_pkt;
    if (block->hdr.bh1.block_status & TP_STATUS_LOSING) read_statistics(tap);
  }
  while (tap->taken < block->hdr.bh1.num_pkts) {
    struct tpacket3_hdr *header = (struct tpacket3_hdr *)tap->packet;
    fetch_ahead(tap->packet, header->tp_next_offset);
    if (is_wanted(tap, header)) {
      if (!take(reader, tap, header)) return false;
      tap->matched++;
    }
    tap->seen++, tap->taken++;
    tap->packet += header->tp_next_offset;
    take_run(reader, tap, block);
  }
  tap->taken = 0;
  if (reader->batch.ring_bytes > 0) flush(reader, tap); // they lie in this block
  __atomic_store_n(&block->hdr.bh1.block_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
  tap->block = (tap->block + 1) % tap->block_count;
  return true;
}

// At most once around the ring, since the other taps wait; and only until there is a command, which speaks of what comes after it.
void drain(struct reader *reader, struct tap *tap) {
  bool is_busy = false;
  begin_batch(reader, tap);
  for (uint32_t blocks = 0; blocks < tap->block_count; blocks++) {
    struct tpacket_block_desc *block = (struct tpacket_block_desc *)(tap->ring + (size_t)tap->block * tap->block_bytes);
    uint32_t status = __atomic_load_n(&block->hdr.bh1.block_status, __ATOMIC_ACQUIRE);
    if (!(status & TP_STATUS_USER) || has_commands(reader)) break;
    is_busy = !(status & TP_STATUS_BLK_TMO);
    if (take_block(reader, tap, block)) continue;
    tap->is_stalled = true;
    watch(reader, tap, 0);
    break;
  }
  end_batch(reader, tap, is_busy);
  pthread_mutex_lock(&reader->lock);
  read_statistics(tap);
  tap->counters.refused += tap->pending_refused;
  pthread_mutex_unlock(&reader->lock);
  tap->pending_refused = 0;
}

void go_on(struct reader *reader, struct tap *tap) {
  if (tap->is_stalled) watch(reader, tap, EPOLLIN);
  tap->is_stalled = false;
  drain(reader, tap);
}

