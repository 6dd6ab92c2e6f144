// Types that all files of the addon share. Threads and ownership: README.md.
#pragma once
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct reader;

#define INTERFACE_NAME_BYTES 16 // IFNAMSIZ, the NUL included
#define ALTERNATIVE_NAME_BYTES 128 // ALTIFNAMSIZ
#define NETNS_ID_BYTES 44          // device:inode

// Of a file's header (LINKTYPE_*): what a frame begins with.
enum link_type { LINK_UNSUPPORTED = 0, LINK_ETHERNET = 1, LINK_RAW_IP = 101 };

// What became of the interface of a tap. After LINK_DOWN comes LINK_UP again; the others are final.
enum link_state { LINK_UP, LINK_DOWN, LINK_GONE, LINK_RENAMED, LINK_NETNS_GONE };

enum format { FORMAT_PCAP, FORMAT_PCAPNG };

struct counters {
  uint64_t received, dropped, packets, bytes, refused, truncated;
  uint64_t last_ns; // kernel time of the last record written, 0 before the first
};

// A limit that the taps of one capture share. Negative: no limit. Only the reader thread counts it
// down; `references` is atomic (limit_group.c). What a record takes is given back if its write
// fails, so EVENT_LIMIT waits until nothing is queued.
struct limit_group {
  int references;
  struct reader *reader; // that has its taps, from its first limit on (readers.c)
  int64_t packets_left, bytes_left;
  int64_t queued_packets, queued_bytes; // of jobs: taken off the limit and not yet written
  uint32_t reached_by;                  // the tap whose packet reached it
  bool is_reached, is_bytes_reached, is_told;
};

// Packets count if from_ns <= kernel time < until_ns, both since the epoch.
struct window {
  uint64_t from_ns, until_ns;
};

struct sink {
  struct sink *next;
  int fd;
  int64_t bytes_left;
  uint64_t device_id; // of a file: st_dev
  bool is_empty, is_file;
  struct device *device; // of a file, once a tap has the sink
  struct job *last_job;  // queued and not yet completed, or NULL: it may grow
  uint32_t jobs;         // not yet completed
  int64_t queued_bytes;  // of these
};

struct tap_spec {
  char interface[INTERFACE_NAME_BYTES];
  int index;                     // 0: any
  enum link_type link_type;      // that its file's header says
  char *netns;                   // NULL: the network namespace of this process
  char netns_id[NETNS_ID_BYTES]; // "": any
  char *filter; // "" for everything
  uint32_t snap_length;
  enum format format;
  bool headers_only, inside_is_pod;
  size_t ring_bytes;
  uint32_t instructions_max; // of the filter, before optimisation
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
  uint32_t block_bytes, block_count, block; // block: the next one to drain
  uint32_t block_packets_done;              // packets of that block that were drained
  uint8_t *next_packet;                     // in that block
  enum format format;
  enum link_type link_type;
  bool headers_only, inside_is_pod, is_loopback;
  uint32_t snap_length;
  struct limit_group *capture_group; // NULL: its taps share no limit
  struct limit_group *group;         // the same once it has a limit
  struct sink *sink; // the present one, then those offered
  struct sink *left_sinks; // the tap moved on from them, and they have jobs that are not completed
  struct job *first_job, **last_job; // not yet completed, the oldest first; guarded by the lock
  uint64_t waiting_bytes;            // of these; guarded by the lock
  struct counters counters;
  struct program program; // count 0: the kernel filters; else the reader applies it to each packet
  struct window window;
  uint64_t kernel_packets, kernel_drops; // PACKET_STATISTICS; packets include the drops
  uint64_t statistics_read_ns;           // when they were read, by the wall clock
  bool has_released;                     // a block since then; any thread sets it
  uint64_t drained_packets;              // taken from the ring
  uint64_t matched_packets;              // of those, within the window and matched by the program
  uint64_t drops_reported;               // of counters.dropped, already written into a record
  uint64_t pending_refused, pending_truncated; // not yet in the counters
  uint8_t *partial_record; // the rest of a record of which a pipe took the beginning
  size_t partial_bytes;
  bool has_written, is_stalled, is_write_failed, is_closing, is_drained;
  bool is_fast; // its present block was filled in a moment
  bool waits_for_room; // in the store; is_stalled is set, too
  // Which reader has it (readers.c), and what it costs (balance.c).
  struct tap *next_known;
  struct reader *reader;
  bool is_added; // to that reader's taps: it is not on its way any more
  uint64_t measured_cost, recent_cost;
  uint64_t close_by_ms;
  uint32_t close_request;
  // What was opened: looked at every 500 ms and at each netlink message (link_events.c).
  char interface[INTERFACE_NAME_BYTES];
  int index;
  char *netns; // a namespace that was deleted must not be kept alive
  char netns_id[NETNS_ID_BYTES];
  enum link_state link_state;
  uint64_t link_seen_ns; // when it was last found up, by the wall clock
};

// filter.c
#define KERNEL_INSTRUCTIONS_MAX 4096 // BPF_MAXINSNS: the most that any kernel takes
bool compile_filter(const char *text, const struct tap_spec *limits, const char *live_interface,
                    struct program *out, struct failure *failure);
bool matches_program(const struct program *program, const uint8_t *frame, uint32_t original,
                     uint32_t captured);

// netns.c: moves this thread into another network namespace and back; -1 with errno. `expected_id`:
// NULL or "" for any; ESTALE if the path leads to another namespace.
int enter_netns(const char *path, const char *expected_id, int *previous_fd);
bool read_netns_id(const char *path, char id[NETNS_ID_BYTES]);
void leave_netns(int previous_fd);

// ring.c
struct tap *open_ring(const struct tap_spec *spec, struct failure *failure);
void close_ring(struct tap *tap);
bool stop_receiving(struct tap *tap);
static inline struct tpacket_block_desc *block_at(const struct tap *tap, uint32_t block) {
  return (struct tpacket_block_desc *)(tap->ring + (size_t)block * tap->block_bytes);
}
void read_statistics(struct tap *tap);
bool has_window_ended_since(const struct tap *tap);
bool may_overlap_window(const struct tap *tap);
uint64_t wall_ns(void);

// limit_group.c
struct limit_group *create_group(void);
struct limit_group *retain_group(struct limit_group *group);
void release_group(struct limit_group *group); // NULL is ignored

// headers_length.c: bytes up to the end of the transport header, at most `length`.
uint32_t headers_length(enum link_type link_type, const uint8_t *frame, uint32_t length);

// encode.c
struct frame {
  const uint8_t *data;
  uint32_t captured, original; // of data, before a VLAN tag is put back
  uint32_t seconds, nanoseconds;
  uint32_t flags; // epb_flags
  uint64_t drops; // since the previous record
  uint8_t tag[4];
  bool has_tag;
};
static inline uint64_t frame_ns(const struct frame *frame) {
  return (uint64_t)frame->seconds * 1000000000 + frame->nanoseconds;
}
#define ENCODE_OVERHEAD 80
size_t record_bytes(enum format format, uint32_t captured, bool has_drops);
size_t encode_head(enum format format, const struct frame *frame, uint32_t captured,
                   uint32_t original, uint8_t *out);
size_t encode_tail(enum format format, const struct frame *frame, uint32_t captured, uint8_t *out);
size_t encode_record(enum format format, const struct frame *frame, uint32_t captured,
                     uint32_t original, uint8_t *out);
size_t encoded_record_bytes(enum format format, const uint8_t *record);

// links.c
struct link {
  char name[INTERFACE_NAME_BYTES], kind[16];
  int index, peer_index;  // 0: none
  uint16_t hardware_type; // ARPHRD_*
  enum link_type link_type;
  uint32_t mtu, gso_max;
  uint64_t packets; // received and sent since the interface was created
  bool is_up;
};
struct address {
  int index;
  char text[46];
};
struct alternative_name {
  int index;
  char text[ALTERNATIVE_NAME_BYTES];
};
struct links {
  struct link *links;
  size_t link_count;
  struct alternative_name *names;
  size_t name_count;
  struct address *addresses;
  size_t address_count;
};
bool read_links(const char *netns, struct links *out, struct failure *failure);
void free_links(struct links *links);
// Of this thread's namespace. False with errno.
bool read_link(int index, struct link *out);
int open_link_socket(void);
