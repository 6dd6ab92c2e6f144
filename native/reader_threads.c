// Only for `npm run test:sanitize`, built with ThreadSanitizer and without Node: posts commands and
// reads counters on one thread while the reader drains a ring of the loopback interface.
// In: an empty network namespace. Out: exit code 0 if the tap was closed with consistent counters.
#include "reader.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS 400
#define PACKETS_PER_ROUND 40
#define TAP 1
#define CLOSE_REQUEST 2

static struct {
  pthread_mutex_t lock;
  pthread_cond_t changed;
  bool is_closed;
  struct counters counters;
} closed = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void take_event(void *context, struct event *event) {
  (void)context;
  if (event->kind == EVENT_CLOSED) {
    pthread_mutex_lock(&closed.lock);
    closed.is_closed = true;
    closed.counters = event->closed.counters;
    pthread_cond_signal(&closed.changed);
    pthread_mutex_unlock(&closed.lock);
  }
  free_event(event);
}

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static int set_up(const char *interface) {
  struct ifreq request = {.ifr_flags = IFF_UP};
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) fail("socket");
  strcpy(request.ifr_name, interface);
  if (ioctl(fd, SIOCSIFFLAGS, &request) < 0) fail("setting the interface up");
  return fd;
}

static void send_packets(int fd, int count) {
  static const char payload[4000];
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(9)};
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  for (int i = 0; i < count; i++)
    sendto(fd, payload, sizeof payload, 0, (struct sockaddr *)&to, sizeof to); // nobody listens
}

static struct sink *make_sink(int fd, int64_t bytes_left) {
  struct sink *sink = calloc(1, sizeof *sink);
  if (!sink) fail("calloc");
  *sink = (struct sink){.fd = fd, .bytes_left = bytes_left, .is_empty = true, .is_file = true};
  return sink;
}

static void add_tap(struct reader *reader, const char *interface, struct limit_group *group,
                    int fd) {
  char filter[] = "udp";
  struct tap_spec spec = {
    .filter = filter, .snap_length = 262144, .format = FORMAT_PCAPNG,
    .ring_bytes = 1 << 19, .instructions_max = 1500, .window = {0, UINT64_MAX},
    .link_type = LINK_ETHERNET,
  };
  struct failure failure;
  strcpy(spec.interface, interface);
  struct tap *tap = open_ring(&spec, &failure);
  if (!tap) {
    fprintf(stderr, "%s\n", failure.message);
    exit(1);
  }
  tap->id = TAP;
  tap->group = retain_group(group);
  tap->sink = make_sink(fd, 100000);
  post_command(reader, (struct command){.kind = COMMAND_ADD_TAP, .tap = tap});
}

// Few sinks, so that the ring overflows now and then and the tap is resumed.
static void run_round(struct reader *reader, struct limit_group *group, int fd, int round) {
  struct counters counters;
  struct command limits = {.kind = COMMAND_SET_LIMITS, .group = group, .packets = -1, .bytes = -1};
  struct command window = {.kind = COMMAND_SET_WINDOW, .id = TAP, .window = {0, UINT64_MAX}};
  struct command offer = {.kind = COMMAND_OFFER_SINK, .id = TAP};
  post_command(reader, limits);
  post_command(reader, window);
  read_counters(reader, TAP, &counters);
  if (round % 8 == 0) {
    offer.sink = make_sink(fd, 400000);
    post_command(reader, offer);
  }
  if (round % 5 == 0) post_command(reader, (struct command){.kind = COMMAND_ROTATE, .id = TAP});
  nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
  if (counters.received < counters.packets) fail("fewer packets received than written");
}

static void close_tap(struct reader *reader) {
  struct command command = {.kind = COMMAND_CLOSE, .id = TAP, .request = CLOSE_REQUEST};
  post_command(reader, command);
  pthread_mutex_lock(&closed.lock);
  while (!closed.is_closed) pthread_cond_wait(&closed.changed, &closed.lock);
  pthread_mutex_unlock(&closed.lock);
}

int main(void) {
  int sender = set_up("lo"), fd = open("/tmp", O_TMPFILE | O_RDWR | O_APPEND, 0600);
  if (fd < 0) fail("opening a file");
  struct limit_group *group = create_group();
  struct reader *reader = start_reader(take_event, NULL);
  if (!group || !reader) fail("starting the reader");
  add_tap(reader, "lo", group, fd);
  for (int round = 0; round < ROUNDS; round++) {
    send_packets(sender, PACKETS_PER_ROUND);
    run_round(reader, group, fd, round);
  }
  close_tap(reader);
  post_command(reader, (struct command){.kind = COMMAND_RELEASE_GROUP, .group = group});
  stop_reader(reader);
  struct counters *sum = &closed.counters;
  printf("received %lu, written %lu, dropped %lu, refused %lu\n", sum->received, sum->packets,
         sum->dropped, sum->refused);
  bool is_even = sum->received == sum->packets + sum->dropped + sum->refused;
  return is_even && sum->packets > 0 && sum->dropped > 0 ? 0 : 1;
}
