// Opens, stops and closes one TPACKET_V3 ring, and reads its statistics.
// In: a tap's spec. Out: a tap whose filter was attached before the bind, or a failure.
// open_ring() takes about 10 ms and close_ring() 20: they run on workers.
#include "selcap.h"
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <linux/if_ether.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BLOCK_SMALL (128u << 10)
#define BLOCK_LARGE (256u << 10) // where frames may be longer than 64 KiB (BIG TCP)
#define BLOCK_HUGE (512u << 10)  // halves the wake-ups (bench/README.md) of rings with 8 blocks
#define BLOCKS_MIN 4u
#define FRAME_BYTES 2048
#define RETIRE_MS 100
#define NS_PER_SECOND 1000000000u
#ifndef PACKET_IGNORE_OUTGOING
#define PACKET_IGNORE_OUTGOING 23 // Linux 4.20; linux/if_packet.h of older distributions ends before it
#endif

static bool fail(struct failure *failure, const struct tap_spec *spec, const char *code,
                 const char *detail) {
  snprintf(failure->code, sizeof failure->code, "%s", code);
  snprintf(failure->message, sizeof failure->message, "Cannot open tap on \"%s\": %.400s",
           spec->interface, detail);
  return false;
}

static bool fail_errno(struct failure *failure, const struct tap_spec *spec, const char *what) {
  int error = errno;
  char detail[400];
  const char *code = "NO_INTERFACE";
  if (error == EPERM || error == EACCES) {
    code = "NOT_PERMITTED";
    char program[160] = "node";
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    if (length > 0) program[length] = '\0';
    snprintf(detail, sizeof detail,
             "not permitted, expected the capability CAP_NET_RAW%s; run it as root, or: "
             "sudo setcap cap_net_raw,cap_net_admin,cap_sys_admin+ep %s",
             spec->netns ? " and, for another network namespace, CAP_SYS_ADMIN" : "", program);
  } else if (error == ENOMEM || error == ENOBUFS) {
    code = "NO_MEMORY";
    snprintf(detail, sizeof detail, "%s: the kernel has no memory for it (%s)", what,
             strerrorname_np(error));
  } else if (error == ENODEV || error == ENXIO) {
    snprintf(detail, sizeof detail, "there is no such interface%s",
             spec->netns ? " in its network namespace" : "");
  } else if (error == ENETDOWN) {
    code = "INTERFACE_DOWN";
    snprintf(detail, sizeof detail, "the interface is down");
  } else {
    code = "NOT_SUPPORTED";
    snprintf(detail, sizeof detail, "%s: %s (%s)", what, strerror(error),
             strerrorname_np(error));
  }
  return fail(failure, spec, code, detail);
}

uint64_t wall_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return (uint64_t)now.tv_sec * NS_PER_SECOND + (uint64_t)now.tv_nsec;
}

static int attach_program(int fd, const struct program *program) {
  struct sock_fprog attached = {(unsigned short)program->count, program->instructions};
  if (program->count > KERNEL_INSTRUCTIONS_MAX) return errno = EINVAL, -1;
  return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &attached, sizeof attached);
}

static bool fail_refused(const struct tap_spec *spec, unsigned count, int error, bool needs_kernel,
                         struct failure *failure) {
  char detail[200];
  const char *reason = needs_kernel ? ", and VLAN tags are seen by the kernel alone" : "";
  snprintf(detail, sizeof detail,
           "the kernel refused a filter of %u instructions (%s, see net.core.optmem_max)%s", count,
           strerrorname_np(error), reason);
  return fail(failure, spec, "FILTER_TOO_LONG", detail);
}

// The reader applies a program that the kernel refuses to each packet. Not one that looks at VLAN
// tags: the kernel strips them, and only its own interpreter sees them.
static bool attach_filter(struct tap *tap, const struct tap_spec *spec, struct failure *failure) {
  static const char what[] = "attaching the filter";
  struct sock_filter accept_all = BPF_STMT(BPF_RET | BPF_K, spec->snap_length);
  const struct program everything = {&accept_all, 1};
  struct program program = {0};
  if (spec->filter[0] == '\0')
    return attach_program(tap->fd, &everything) == 0 || fail_errno(failure, spec, what);
  if (!compile_filter(spec->filter, spec, spec->interface, &program, failure)) return false;
  int error = attach_program(tap->fd, &program) == 0 ? 0 : errno;
  bool is_refused = error == ENOMEM || error == EINVAL;
  bool needs_kernel = strstr(spec->filter, "vlan") != NULL;
  if (is_refused && !needs_kernel && attach_program(tap->fd, &everything) == 0) {
    tap->program = program;
    return true;
  }
  free(program.instructions);
  if (error == 0) return true;
  errno = error;
  if (!is_refused) return fail_errno(failure, spec, what);
  return fail_refused(spec, program.count, error, needs_kernel, failure);
}

static void set_ring_size(struct tap *tap, const struct tap_spec *spec, uint32_t gso_max) {
  bool is_large = gso_max > 65536 || spec->ring_bytes >= (1u << 20);
  tap->block_bytes = is_large ? BLOCK_LARGE : BLOCK_SMALL;
  if (spec->ring_bytes >= 8 * BLOCK_HUGE) tap->block_bytes = BLOCK_HUGE;
  tap->block_count = (uint32_t)(spec->ring_bytes / tap->block_bytes);
  if (tap->block_count < BLOCKS_MIN) tap->block_count = BLOCKS_MIN;
  tap->ring_bytes = (size_t)tap->block_bytes * tap->block_count;
}

static bool map_ring(struct tap *tap, const struct tap_spec *spec, struct failure *failure) {
  int version = TPACKET_V3;
  struct tpacket_req3 request = {
    .tp_block_size = tap->block_bytes,
    .tp_block_nr = tap->block_count,
    .tp_frame_size = FRAME_BYTES,
    .tp_frame_nr = tap->block_bytes / FRAME_BYTES * tap->block_count,
    .tp_retire_blk_tov = RETIRE_MS,
  };
  if (setsockopt(tap->fd, SOL_PACKET, PACKET_VERSION, &version, sizeof version) < 0)
    return fail_errno(failure, spec, "asking for TPACKET_V3");
  if (setsockopt(tap->fd, SOL_PACKET, PACKET_RX_RING, &request, sizeof request) < 0)
    return fail_errno(failure, spec, "making the ring");
  tap->ring = mmap(NULL, tap->ring_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, tap->fd, 0);
  if (tap->ring != MAP_FAILED) return true;
  tap->ring = NULL;
  return fail_errno(failure, spec, "mapping the ring");
}

// Whether the interface is still the one that was asked for. The file's header says its link type.
static bool is_as_asked(const struct link *link, const struct tap_spec *spec,
                        struct failure *failure) {
  char detail[200];
  if (spec->index && link->index != spec->index)
    return fail(failure, spec, "NO_INTERFACE", "another interface has its name now");
  if (link->link_type == LINK_UNSUPPORTED) {
    snprintf(detail, sizeof detail,
             "its link type (ARPHRD %u) is not supported, expected Ethernet, loopback or IP without "
             "a link header",
             link->hardware_type);
    return fail(failure, spec, "NOT_SUPPORTED", detail);
  }
  return link->link_type == spec->link_type ||
         fail(failure, spec, "NO_INTERFACE", "its link type is another now");
}

// Loopback gives a packet socket each packet twice: when it leaves, and when it arrives.
static bool take_once(struct tap *tap, const struct link *link, const struct tap_spec *spec,
                      struct failure *failure) {
  tap->is_loopback = link->hardware_type == ARPHRD_LOOPBACK;
  if (!tap->is_loopback) return true;
  int on = 1;
  return setsockopt(tap->fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof on) == 0 ||
         fail_errno(failure, spec, "leaving out what loopback gives twice");
}

static bool open_socket(struct tap *tap, const struct tap_spec *spec, struct failure *failure) {
  // With protocol 0 the socket receives nothing before the bind, so the filter sees each packet.
  tap->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
  if (tap->fd < 0) return fail_errno(failure, spec, "making a packet socket");
  struct ifreq request = {0};
  memcpy(request.ifr_name, spec->interface, sizeof request.ifr_name);
  if (ioctl(tap->fd, SIOCGIFINDEX, &request) < 0)
    return fail_errno(failure, spec, "looking it up");
  struct link link;
  if (!read_link(request.ifr_ifindex, &link)) return fail_errno(failure, spec, "looking it up");
  if (!is_as_asked(&link, spec, failure)) return false;
  if (!take_once(tap, &link, spec, failure)) return false;
  if (!attach_filter(tap, spec, failure)) return false;
  tap->index = link.index;
  memcpy(tap->interface, link.name, sizeof tap->interface);
  set_ring_size(tap, spec, link.gso_max);
  if (!map_ring(tap, spec, failure)) return false;
  struct sockaddr_ll address = {
    .sll_family = AF_PACKET,
    .sll_protocol = htons(ETH_P_ALL),
    .sll_ifindex = request.ifr_ifindex,
  };
  bool is_bound = bind(tap->fd, (struct sockaddr *)&address, sizeof address) == 0;
  return is_bound || fail_errno(failure, spec, "binding to it");
}

static bool fail_namespace(struct failure *failure, const struct tap_spec *spec) {
  if (errno == EPERM || errno == EMFILE || errno == ENFILE)
    return fail_errno(failure, spec, "entering its network namespace");
  char detail[380];
  if (errno == ESTALE)
    return fail(failure, spec, "NO_NAMESPACE", "another network namespace has its name now");
  snprintf(detail, sizeof detail,
           "the network namespace %.250s cannot be entered (%s); the pod may be gone", spec->netns,
           strerrorname_np(errno));
  return fail(failure, spec, "NO_NAMESPACE", detail);
}

struct tap *open_ring(const struct tap_spec *spec, struct failure *failure) {
  struct tap *tap = calloc(1, sizeof *tap);
  if (!tap) return fail(failure, spec, "NO_MEMORY", "out of memory"), NULL;
  tap->fd = -1;
  tap->format = spec->format;
  tap->link_type = spec->link_type;
  tap->headers_only = spec->headers_only;
  tap->inside_is_pod = spec->inside_is_pod;
  tap->snap_length = spec->snap_length;
  tap->window = spec->window;
  tap->statistics_read_ns = tap->link_seen_ns = wall_ns();
  int previous_fd;
  if (enter_netns(spec->netns, spec->netns_id, &previous_fd) < 0) {
    fail_namespace(failure, spec);
    free(tap);
    return NULL;
  }
  if (spec->netns) read_netns_id("/proc/thread-self/ns/net", tap->netns_id);
  bool is_open = open_socket(tap, spec, failure);
  leave_netns(previous_fd);
  tap->netns = spec->netns ? strdup(spec->netns) : NULL;
  if (is_open) return tap;
  close_ring(tap);
  return NULL;
}

// The kernel puts nothing more into the ring after this.
bool stop_receiving(struct tap *tap) {
  struct sock_filter refuse_all = BPF_STMT(BPF_RET | BPF_K, 0);
  struct sock_fprog program = {1, &refuse_all};
  return setsockopt(tap->fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) == 0;
}

// Whether all drops since the last reading came after the window's end. The kernel drops while
// every block waits for the reader: where none was given back since, drops are later than each
// packet in the ring.
static bool are_drops_late(const struct tap *tap, bool has_released) {
  if (has_released) return false;
  uint64_t newest_ns = 0;
  for (uint32_t block = 0; block < tap->block_count; block++) {
    const struct tpacket_block_desc *desc = block_at(tap, block);
    uint32_t status = __atomic_load_n(&desc->hdr.bh1.block_status, __ATOMIC_ACQUIRE);
    if (!(status & TP_STATUS_USER)) return false;
    const struct tpacket_bd_ts *last = &desc->hdr.bh1.ts_last_pkt;
    uint64_t last_ns = (uint64_t)last->ts_sec * 1000000000 + last->ts_nsec;
    if (last_ns > newest_ns) newest_ns = last_ns;
  }
  return newest_ns >= tap->window.until_ns;
}

// A drop has no time: it counts if any time since the last reading lies within the window.
static bool may_drops_match(const struct tap *tap, uint64_t before_ns, uint64_t now_ns,
                            bool has_released) {
  if (now_ns < tap->window.from_ns || before_ns >= tap->window.until_ns) return false;
  return now_ns < tap->window.until_ns || !are_drops_late(tap, has_released);
}

// Only the reader thread calls this: the kernel's counts have 32 bits and restart at each reading.
void read_statistics(struct tap *tap) {
  struct tpacket_stats_v3 statistics;
  socklen_t size = sizeof statistics;
  bool has_released = __atomic_exchange_n(&tap->has_released, false, __ATOMIC_RELAXED);
  if (getsockopt(tap->fd, SOL_PACKET, PACKET_STATISTICS, &statistics, &size) < 0) return;
  uint64_t before_ns = tap->statistics_read_ns, now_ns = wall_ns();
  tap->statistics_read_ns = now_ns;
  tap->kernel_packets += statistics.tp_packets;
  tap->kernel_drops += statistics.tp_drops;
  if (statistics.tp_drops > 0 && may_drops_match(tap, before_ns, now_ns, has_released))
    tap->counters.dropped += statistics.tp_drops;
  tap->counters.received = tap->matched_packets + tap->counters.dropped;
}

// A window that ended since the last reading: the drops up to now have to be told apart from later
// ones before a block is given back.
bool has_window_ended_since(const struct tap *tap) {
  return tap->statistics_read_ns < tap->window.until_ns && wall_ns() >= tap->window.until_ns;
}

// Whether packets in the ring may be within the window: none lies there for a second.
bool may_overlap_window(const struct tap *tap) {
  uint64_t now_ns = wall_ns();
  return now_ns >= tap->window.from_ns && now_ns - NS_PER_SECOND < tap->window.until_ns;
}

void close_ring(struct tap *tap) {
  if (tap->ring) munmap(tap->ring, tap->ring_bytes);
  if (tap->fd >= 0) close(tap->fd);
  while (tap->sink) {
    struct sink *next = tap->sink->next;
    free(tap->sink);
    tap->sink = next;
  }
  free(tap->partial_record);
  free(tap->netns);
  free(tap->program.instructions);
  free(tap);
}
