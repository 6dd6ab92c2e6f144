// What the addon's parts share. Threads and ownership: README.md.
#pragma once
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum format { FORMAT_PCAP, FORMAT_PCAPNG };

struct counters {
  uint64_t received, dropped, packets, bytes, refused, truncated;
  uint64_t last_ns; // kernel time of the last record written, 0 before the first
};

// Shared by the taps of one capture; only the reader thread counts it down. Negative: no limit.
struct group {
  int references;
  int64_t packets_left, bytes_left;
  bool is_over;
};

// Whose packets count, by the kernel's time of each: from_ns <= time < until_ns, since the epoch.
struct window {
  uint64_t from_ns, until_ns;
};

struct sink {
  struct sink *next;
  int fd;
  int64_t bytes_left;
  bool is_empty, is_file;
};

struct tap_spec {
  char interface[16];
  char *netns;  // NULL: this one
  char *filter; // "" for everything
  uint32_t snap_length;
  enum format format;
  bool headers_only, inside_is_pod;
  size_t ring_bytes;
  uint32_t instructions_max; // of the filter, before it is optimised
  struct window window;
};

struct program {
  struct sock_filter *instructions;
  unsigned count;
};

struct failure {
  char code[20];
  char message[512];
};

struct tap {
  struct tap *next;
  uint32_t id;
  int fd;
  uint8_t *ring;
  size_t ring_bytes;
  uint32_t block_bytes, block_count, block; // the block to look at next
  uint32_t taken;                           // packets of that block that are done with
  uint8_t *packet;                          // the next one in it
  enum format format;
  bool headers_only, inside_is_pod;
  uint32_t snap_length;
  struct group *group;
  struct sink *sink; // the present one, then those offered
  struct counters counters;
  struct program program;   // the filter, where the kernel refused it: applied to each packet here; count 0: the kernel filters
  struct window window;
  uint64_t handed, lost;    // counted by the kernel: packets, drops included; drops
  uint64_t looked_at_ns;    // the kernel's counts, by the wall clock
  uint64_t seen, matched;   // packets taken from the ring; those within the window that the program lets through
  uint64_t drops_told;      // of counters.dropped, those already put into a record
  uint64_t pending_packets, pending_bytes, pending_refused, pending_first_ns, pending_last_ns; // encoded, not yet written
  uint8_t *carry;           // the rest of a record that a pipe took half of
  size_t carry_bytes;
  bool has_written, is_stalled, is_failed, is_closing;
  uint64_t close_by_ms;
  uint32_t close_request;
  char *netns; // looked at now and then: a namespace that is gone must not be held
};

// filter.c
#define KERNEL_INSTRUCTIONS_MAX 4096 // BPF_MAXINSNS: what any kernel takes at most
bool compile_filter(const char *text, const struct tap_spec *limits, const char *live_interface, struct program *out, struct failure *failure);
bool lets_through(const struct program *program, const uint8_t *frame, uint32_t original, uint32_t captured);

// netns.c: enters another network namespace on this thread and comes back; -1 with errno.
int enter_netns(const char *path, int *own);
void leave_netns(int own);

// ring.c
struct tap *open_ring(const struct tap_spec *spec, struct failure *failure);
void close_ring(struct tap *tap);
bool stop_receiving(struct tap *tap);
void read_statistics(struct tap *tap);
bool may_be_within(const struct tap *tap);

// headers.c: bytes up to the end of the transport header, at most `length`.
uint32_t headers_length(const uint8_t *frame, uint32_t length);

// encode.c
struct frame {
  const uint8_t *data;
  uint32_t captured, original; // of data, before a tag is put back
  uint32_t seconds, nanoseconds;
  uint32_t flags;              // epb_flags
  uint64_t drops;              // lost before this one
  uint8_t tag[4];
  bool has_tag;
};
static inline uint64_t frame_ns(const struct frame *frame) { return (uint64_t)frame->seconds * 1000000000 + frame->nanoseconds; }
#define ENCODE_OVERHEAD 80
size_t record_bytes(enum format format, uint32_t captured, bool has_drops);
size_t encode_head(enum format format, const struct frame *frame, uint32_t captured, uint32_t original, uint8_t *out);
size_t encode_tail(enum format format, const struct frame *frame, uint32_t captured, uint8_t *out);
size_t encode_record(enum format format, const struct frame *frame, uint32_t captured, uint32_t original, uint8_t *out);
size_t first_record_bytes(enum format format, const uint8_t *record);

// links.c
struct link {
  char name[16], kind[16];
  int index, peer_index; // 0: none
  uint32_t mtu, gso_max;
  uint64_t packets; // both ways, since it was made
  bool is_up;
};
struct address {
  int index;
  char text[46];
};
struct links {
  struct link *links;
  size_t link_count;
  struct address *addresses;
  size_t address_count;
};
bool read_links(const char *netns, struct links *out, struct failure *failure);
uint32_t gso_max_of(int index); // of an interface of this thread's namespace; 65536 if it cannot be told
int open_link_watch(void);
