// Encodes a frame as a record, always little-endian: pcap (microseconds) or a pcapng enhanced
// packet block (nanoseconds). Does not know files, limits or rings.
#include "selcap.h"
#include <string.h>

static uint8_t *put32(uint8_t *out, uint32_t value) {
  memcpy(out, &value, 4);
  return out + 4;
}

static uint32_t padded(uint32_t bytes) { return (bytes + 3) & ~3u; }

size_t record_bytes(enum format format, uint32_t captured, bool has_drops) {
  if (format == FORMAT_PCAP) return 16 + captured;
  return 28 + padded(captured) + 8 + (has_drops ? 12 : 0) + 4 + 4;
}

static uint8_t *put_data(uint8_t *out, const struct frame *frame, uint32_t captured) {
  if (!frame->has_tag || captured <= 12) {
    memcpy(out, frame->data, captured);
    return out + captured;
  }
  uint32_t tag = captured - 12 < 4 ? captured - 12 : 4;
  memcpy(out, frame->data, 12);
  memcpy(out + 12, frame->tag, tag);
  memcpy(out + 12 + tag, frame->data + 12, captured - 12 - tag);
  return out + captured;
}

size_t encode_head(enum format format, const struct frame *frame, uint32_t captured,
                   uint32_t original, uint8_t *out) {
  uint8_t *at = out;
  if (format == FORMAT_PCAP) {
    at = put32(at, frame->seconds);
    at = put32(at, frame->nanoseconds / 1000);
  } else {
    at = put32(at, 6);
    at = put32(at, (uint32_t)record_bytes(format, captured, frame->drops > 0));
    at = put32(at, 0);
    uint64_t time_ns = frame_ns(frame);
    at = put32(at, (uint32_t)(time_ns >> 32));
    at = put32(at, (uint32_t)time_ns);
  }
  at = put32(at, captured);
  at = put32(at, original);
  return (size_t)(at - out);
}

size_t encode_tail(enum format format, const struct frame *frame, uint32_t captured, uint8_t *out) {
  if (format == FORMAT_PCAP) return 0;
  uint8_t *at = out;
  for (uint32_t pad = padded(captured) - captured; pad > 0; pad--) *at++ = 0;
  at = put32(at, 2 | 4 << 16); // epb_flags
  at = put32(at, frame->flags);
  if (frame->drops > 0) {
    at = put32(at, 4 | 8 << 16); // epb_dropcount
    at = put32(at, (uint32_t)frame->drops);
    at = put32(at, (uint32_t)(frame->drops >> 32));
  }
  at = put32(at, 0); // end of options
  at = put32(at, (uint32_t)record_bytes(format, captured, frame->drops > 0));
  return (size_t)(at - out);
}

size_t encode_record(enum format format, const struct frame *frame, uint32_t captured,
                     uint32_t original, uint8_t *out) {
  uint8_t *at = out + encode_head(format, frame, captured, original, out);
  at = put_data(at, frame, captured);
  at += encode_tail(format, frame, captured, at);
  return (size_t)(at - out);
}

size_t encoded_record_bytes(enum format format, const uint8_t *record) {
  uint32_t bytes;
  memcpy(&bytes, record + (format == FORMAT_PCAP ? 8 : 4), 4);
  return format == FORMAT_PCAP ? 16 + (size_t)bytes : bytes;
}
