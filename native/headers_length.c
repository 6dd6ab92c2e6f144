// The length of a frame's headers: Ethernet with VLAN tags (none in front of raw IP), IPv4 with options or IPv6 with
// extension headers, and the transport header. An unknown protocol ends the headers, so that no
// payload is written by mistake.
#include "selcap.h"

static uint32_t at_most(uint32_t bytes, uint32_t length) { return bytes < length ? bytes : length; }
static uint16_t be16(const uint8_t *p) { return (uint16_t)(p[0] << 8 | p[1]); }

static uint32_t transport_end(const uint8_t *frame, uint32_t at, uint32_t length,
                              uint8_t protocol) {
  uint32_t header;
  switch (protocol) {
  case 6: // TCP with its options
    if (at + 13 > length) return length;
    header = (uint32_t)(frame[at + 12] >> 4) * 4;
    return at_most(at + (header < 20 ? 20 : header), length);
  case 17: case 136: case 1: case 58: // UDP, UDP-Lite, ICMP, ICMPv6
    return at_most(at + 8, length);
  case 132: // SCTP, the common header
    return at_most(at + 12, length);
  default: return at_most(at, length);
  }
}

static uint32_t ipv4_end(const uint8_t *frame, uint32_t at, uint32_t length) {
  if (at + 20 > length) return length;
  uint32_t header = (uint32_t)(frame[at] & 15) * 4;
  uint32_t next = at + (header < 20 ? 20 : header);
  if (next > length) return length;
  bool is_later_fragment = (be16(frame + at + 6) & 0x1fff) != 0;
  return is_later_fragment ? next : transport_end(frame, next, length, frame[at + 9]);
}

static uint32_t ipv6_end(const uint8_t *frame, uint32_t at, uint32_t length) {
  if (at + 40 > length) return length;
  uint8_t next = frame[at + 6];
  at += 40;
  for (int hops = 0; hops < 16; hops++) {
    uint32_t size;
    bool is_later_fragment = false;
    switch (next) {
    case 0: case 43: case 60: case 135: case 139: case 140: // options to shim6
      if (at + 2 > length) return length;
      size = ((uint32_t)frame[at + 1] + 1) * 8;
      break;
    case 51: // authentication
      if (at + 2 > length) return length;
      size = ((uint32_t)frame[at + 1] + 2) * 4;
      break;
    case 44:
      if (at + 8 > length) return length;
      is_later_fragment = (be16(frame + at + 2) & 0xfff8) != 0;
      size = 8;
      break;
    default: return transport_end(frame, at, length, next);
    }
    if (at + size > length) return length;
    next = frame[at];
    at += size;
    if (is_later_fragment) return at;
  }
  return at;
}

static uint32_t raw_ip_end(const uint8_t *frame, uint32_t length) {
  uint8_t version = length > 0 ? frame[0] >> 4 : 0;
  if (version == 4) return ipv4_end(frame, 0, length);
  return version == 6 ? ipv6_end(frame, 0, length) : 0;
}

uint32_t headers_length(enum link_type link_type, const uint8_t *frame, uint32_t length) {
  if (link_type == LINK_RAW_IP) return raw_ip_end(frame, length);
  uint32_t at = 12;
  for (int tags = 0; at + 2 <= length; tags++) {
    uint16_t type = be16(frame + at);
    at += 2;
    if (type == 0x0800) return ipv4_end(frame, at, length);
    if (type == 0x86dd) return ipv6_end(frame, at, length);
    if (type == 0x0806) return at_most(at + 28, length); // ARP for IPv4; padding follows
    bool is_tag = type == 0x8100 || type == 0x88a8 || type == 0x9100;
    if (!is_tag || tags == 4) return at_most(at, length);
    at += 2;
  }
  return length;
}
