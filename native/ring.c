// Opening, stopping and closing one TPACKET_V3 ring. Called on threads of their own: opening takes some 10 ms, closing 20.
#include "selcap.h"
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
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
#define BLOCK_HUGE (512u << 10)  // the thread wakes up half as often (bench/README.md), and there are eight of them still
#define BLOCKS_MIN 4u
#define RETIRE_MS 100
#define NS_PER_SECOND 1000000000u

static void fail(struct failure *failure, const struct tap_spec *spec, const char *code, const char *detail) {
  snprintf(failure->code, sizeof failure->code, "%s", code);
  snprintf(failure->message, sizeof failure->message, "Cannot open tap on \"%s\": %.400s", spec->interface, detail);
}

static void fail_errno(struct failure *failure, const struct tap_spec *spec, const char *what) {
  int error = errno;
  char detail[400];
  const char *code = "NO_INTERFACE";
  if (error == EPERM || error == EACCES) {
    code = "NOT_PERMITTED";
    char program[160] = "node";
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    if (length > 0) program[length] = '\0';
    snprintf(detail, sizeof detail, "not permitted, expected the capability CAP_NET_RAW%s; run it as root, or: sudo setcap cap_net_raw,cap_net_admin,cap_sys_admin+ep %s",
             spec->netns ? " and, for another network namespace, CAP_SYS_ADMIN" : "", program);
  } else if (error == ENOMEM || error == ENOBUFS) {
    code = "NO_MEMORY";
    snprintf(detail, sizeof detail, "%s: the kernel has no memory for it (%s)", what, strerrorname_np(error));
  } else if (error == ENODEV || error == ENXIO) {
    snprintf(detail, sizeof detail, "there is no such interface%s", spec->netns ? " in its network namespace" : "");
  } else if (error == ENETDOWN) {
    code = "INTERFACE_DOWN";
    snprintf(detail, sizeof detail, "the interface is down");
  } else {
    code = "NOT_SUPPORTED";
    snprintf(detail, sizeof detail, "%s: %s (%s)", what, strerror(error), strerrorname_np(error));
  }
  fail(failure, spec, code, detail);
}

static uint64_t wall_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return (uint64_t)now.tv_sec * NS_PER_SECOND + (uint64_t)now.tv_nsec;
}

static int attach_program(int fd, const struct program *program) {
  struct sock_fprog attached = {(unsigned short)program->count, program->instructions};
  if (program->count > KERNEL_INSTRUCTIONS_MAX) return errno = EINVAL, -1;
  return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &attached, sizeof attached);
}

// A program that the kernel refuses is applied by the reader to each packet. One that looks at VLAN tags is not: the kernel
// keeps them beside the packet, where only its own interpreter looks.
static bool attach(struct tap *tap, const struct tap_spec *spec, struct failure *failure) {
  struct sock_filter accept_all = BPF_STMT(BPF_RET | BPF_K, spec->snap_length);
  const struct program everything = {&accept_all, 1};
  struct program program = {0};
  if (spec->filter[0] == '\0') return attach_program(tap->fd, &everything) == 0 || (fail_errno(failure, spec, "attaching the filter"), false);
  if (!compile_filter(spec->filter, spec, spec->interface, &program, failure)) return false;
  int error = attach_program(tap->fd, &program) == 0 ? 0 : errno;
  bool is_refused = error == ENOMEM || error == EINVAL, needs_kernel = strstr(spec->filter, "vlan") != NULL;
  if (is_refused && !needs_kernel && attach_program(tap->fd, &everything) == 0) return tap->program = program, true;
  free(program.instructions);
  if (error == 0) return true;
  errno = error;
  if (!is_refused) return fail_errno(failure, spec, "attaching the filter"), false;
  char detail[200];
  snprintf(detail, sizeof detail, "the kernel refused a filter of %u instructions (%s, see net.core.optmem_max)%s", program.count, strerrorname_np(error),
           needs_kernel ? ", and VLAN tags are seen by the kernel alone" : "");
  return fail(failure, spec, "FILTER_TOO_LONG", detail), false;
}

static bool map_ring(struct tap *tap, const struct tap_spec *spec, uint32_t gso_max, struct failure *failure) {
  int version = TPACKET_V3;
  tap->block_bytes = gso_max > 65536 || spec->ring_bytes >= (1u << 20) ? BLOCK_LARGE : BLOCK_SMALL;
  if (spec->ring_bytes >= 8 * BLOCK_HUGE) tap->block_bytes = BLOCK_HUGE;
  tap->block_count = (uint32_t)(spec->ring_bytes / tap->block_bytes);
  if (tap->block_count < BLOCKS_MIN) tap->block_count = BLOCKS_MIN;
  tap->ring_bytes = (size_t)tap->block_bytes * tap->block_count;
  struct tpacket_req3 request = {
    .tp_block_size = tap->block_bytes, .tp_block_nr = tap->block_count, .tp_frame_size = 2048,
    .tp_frame_nr = tap->block_bytes / 2048 * tap->block_count, .tp_retire_blk_tov = RETIRE_MS,
  };
  if (setsockopt(tap->fd, SOL_PACKET, PACKET_VERSION, &version, sizeof version) < 0) return fail_errno(failure, spec, "asking for TPACKET_V3"), false;
  if (setsockopt(tap->fd, SOL_PACKET, PACKET_RX_RING, &request, sizeof request) < 0) return fail_errno(failure, spec, "making the ring"), false;
  tap->ring = mmap(NULL, tap->ring_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, tap->fd, 0);
  if (tap->ring != MAP_FAILED) return true;
  tap->ring = NULL;
  return fail_errno(failure, spec, "mapping the ring"), false;
}

static bool open_socket(struct tap *tap, const struct tap_spec *spec, struct failure *failure) {
  // Protocol 0: nothing is received before the bind, so no packet slips in ahead of the filter.
  tap->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
  if (tap->fd < 0) return fail_errno(failure, spec, "making a packet socket"), false;
  struct ifreq request = {0};
  memcpy(request.ifr_name, spec->interface, sizeof request.ifr_name);
  if (ioctl(tap->fd, SIOCGIFINDEX, &request) < 0) return fail_errno(failure, spec, "looking it up"), false;
  if (!attach(tap, spec, failure) || !map_ring(tap, spec, gso_max_of(request.ifr_ifindex), failure)) return false;
  struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = request.ifr_ifindex};
  if (bind(tap->fd, (struct sockaddr *)&address, sizeof address) < 0) return fail_errno(failure, spec, "binding to it"), false;
  return true;
}

struct tap *open_ring(const struct tap_spec *spec, struct failure *failure) {
  struct tap *tap = calloc(1, sizeof *tap);
  if (!tap) return fail(failure, spec, "NO_MEMORY", "out of memory"), NULL;
  tap->fd = -1;
  tap->format = spec->format;
  tap->headers_only = spec->headers_only;
  tap->inside_is_pod = spec->inside_is_pod;
  tap->snap_length = spec->snap_length;
  tap->window = spec->window;
  tap->looked_at_ns = wall_ns();
  int own;
  if (enter_netns(spec->netns, &own) < 0) {
    if (errno == EPERM) fail_errno(failure, spec, "entering its network namespace");
    else {
      char detail[380];
      snprintf(detail, sizeof detail, "the network namespace %.250s cannot be entered (%s); the pod may be gone", spec->netns, strerrorname_np(errno));
      fail(failure, spec, "NO_NAMESPACE", detail);
    }
    free(tap);
    return NULL;
  }
  bool is_open = open_socket(tap, spec, failure);
  leave_netns(own);
  tap->netns = spec->netns ? strdup(spec->netns) : NULL;
  if (is_open) return tap;
  close_ring(tap);
  return NULL;
}

// From now on the kernel takes nothing more into the ring.
bool stop_receiving(struct tap *tap) {
  struct sock_filter refuse_all = BPF_STMT(BPF_RET | BPF_K, 0);
  struct sock_fprog program = {1, &refuse_all};
  return setsockopt(tap->fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) == 0;
}

// The kernel's counts are 32 bits and start again at each reading: this thread alone reads them.
void read_statistics(struct tap *tap) {
  struct tpacket_stats_v3 statistics;
  socklen_t size = sizeof statistics;
  if (getsockopt(tap->fd, SOL_PACKET, PACKET_STATISTICS, &statistics, &size) < 0) return;
  uint64_t before_ns = tap->looked_at_ns;
  tap->looked_at_ns = wall_ns();
  tap->handed += statistics.tp_packets; // includes the drops
  tap->lost += statistics.tp_drops;
  // A drop has no time: it counts if any of the time since the last look lies within the window, so none is kept back.
  if (tap->looked_at_ns >= tap->window.from_ns && before_ns < tap->window.until_ns) tap->counters.dropped += statistics.tp_drops;
  tap->counters.received = tap->matched + tap->counters.dropped;
}

// Whether packets that lie in the ring may be of the window: a second is longer than any of them lies there.
bool may_be_within(const struct tap *tap) {
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
  free(tap->carry);
  free(tap->netns);
  free(tap->program.instructions);
  free(tap);
}
