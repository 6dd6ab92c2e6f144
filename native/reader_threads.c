// Only for `npm run test:sanitize`, built with ThreadSanitizer and without Node: posts commands and
// reads counters on one thread while the reader drains two rings of the loopback interface. One
// tap's disk is a pipe that is read now and then: its writes wait, so readers and writers change.
// Taps move between several readers all the time; halfway they share a limit. Then readers end while
// a tap is open and writes.
// In: an empty network namespace. Out: exit code 0 if the taps were closed with consistent counters
// and the pipe took whole records, none of them twice.
#include "readers.h"
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
#define PACKETS_PER_ROUND 80
#define PAYLOAD_BYTES 17000 // long frames, which stay in the ring until they are written
#define HEADERS_BYTES (28 + 14 + 20 + 8) // block, Ethernet, IPv4, UDP
#define ENDS 5
#define FILE_TAP 1
#define SLOW_TAP 2
#define TAPS 2
#define READERS 3
#define CLOSE_REQUEST 0 // and the tap's number
#define STORE_BYTES (4 << 20)

static struct {
  pthread_mutex_t lock;
  pthread_cond_t changed;
  int count;
  struct counters counters[TAPS + 1];
} closed = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void take_event(void *context, struct event *event) {
  (void)context;
  if (event->kind == EVENT_CLOSED) {
    pthread_mutex_lock(&closed.lock);
    closed.count++;
    closed.counters[event->id - CLOSE_REQUEST] = event->closed.counters;
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

static uint32_t sent;

static void send_packets(int fd, int count) {
  static uint8_t payload[PAYLOAD_BYTES];
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(9)};
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  for (int i = 0; i < count; i++, sent++) {
    memset(payload, (int)(sent & 255), sizeof payload);
    memcpy(payload, &sent, sizeof sent);
    sendto(fd, payload, sizeof payload, 0, (struct sockaddr *)&to, sizeof to); // nobody listens
  }
}

// The descriptor stands for the device, too.
static struct sink *make_sink(int fd, int64_t bytes_left) {
  struct sink *sink = calloc(1, sizeof *sink);
  if (!sink) fail("calloc");
  *sink = (struct sink){.fd = fd, .bytes_left = bytes_left, .is_empty = true, .is_file = true};
  sink->device_id = (uint64_t)fd;
  return sink;
}

static void add_tap(struct readers *readers, uint32_t id, struct limit_group *group, int fd,
                    int64_t bytes_left) {
  char filter[] = "udp";
  struct tap_spec spec = {
    .filter = filter, .snap_length = 262144, .format = FORMAT_PCAPNG,
    .ring_bytes = 1 << 19, .instructions_max = 1500, .window = {0, UINT64_MAX},
    .link_type = LINK_ETHERNET,
  };
  struct failure failure;
  strcpy(spec.interface, "lo");
  struct tap *tap = open_ring(&spec, &failure);
  if (!tap) {
    fprintf(stderr, "%s\n", failure.message);
    exit(1);
  }
  tap->id = id;
  tap->capture_group = retain_group(group);
  tap->sink = make_sink(fd, bytes_left);
  add_tap_to_readers(readers, tap);
}

// Few sinks, so that the ring overflows now and then and the tap is resumed.
static void run_round(struct readers *readers, struct limit_group *group, int fd, int round) {
  struct counters counters;
  struct waiting waiting;
  struct command limits = {.kind = COMMAND_SET_LIMITS, .group = group, .packets = -1, .bytes = -1};
  struct command window = {.kind = COMMAND_SET_WINDOW, .id = FILE_TAP, .window = {0, UINT64_MAX}};
  struct command offer = {.kind = COMMAND_OFFER_SINK, .id = FILE_TAP};
  if (round >= ROUNDS / 2) limits.packets = INT64_MAX / 2; // the first limit brings the taps together
  post_group_command(readers, limits);
  post_tap_command(readers, window);
  read_counters(readers, FILE_TAP, &counters, &waiting);
  if (round % 8 == 0) {
    offer.sink = make_sink(fd, 400000);
    post_tap_command(readers, offer);
  }
  struct command rotate = {.kind = COMMAND_ROTATE, .id = FILE_TAP};
  if (round % 5 == 0) post_tap_command(readers, rotate);
  nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
  if (counters.received < counters.packets) fail("fewer packets received than written");
}

static struct { uint8_t *data; size_t bytes; } taken;

// A disk that answers now and then.
static void *read_slowly(void *argument) {
  const int *fd = argument;
  for (ssize_t got = 1; got > 0; taken.bytes += (size_t)got) {
    taken.data = realloc(taken.data, taken.bytes + (1 << 16));
    if (!taken.data) fail("realloc");
    got = read(*fd, taken.data + taken.bytes, 1 << 16);
    if (got < 0) fail("reading the pipe");
    nanosleep(&(struct timespec){.tv_nsec = 9000000}, NULL);
  }
  return NULL;
}

// Each record holds one packet, and each packet is there at most once.
static bool is_all_whole(void) {
  static uint8_t seen[ROUNDS * PACKETS_PER_ROUND];
  size_t at = 0;
  while (at < taken.bytes) {
    const uint8_t *payload = taken.data + at + HEADERS_BYTES;
    uint32_t number;
    memcpy(&number, payload, sizeof number);
    bool is_whole = number < sizeof seen && ++seen[number] == 1;
    for (size_t i = sizeof number; is_whole && i < PAYLOAD_BYTES; i++)
      is_whole = payload[i] == (number & 255);
    if (!is_whole) return false;
    at += encoded_record_bytes(FORMAT_PCAPNG, taken.data + at);
  }
  return at == taken.bytes;
}

static void close_tap(struct readers *readers, uint32_t id) {
  struct command command = {.kind = COMMAND_CLOSE, .id = id, .request = CLOSE_REQUEST + id};
  post_tap_command(readers, command);
}

static bool is_even(uint32_t id) {
  const struct counters *sum = &closed.counters[id];
  printf("tap %u: received %lu, written %lu, dropped %lu, refused %lu\n", id, sum->received,
         sum->packets, sum->dropped, sum->refused);
  return sum->received == sum->packets + sum->dropped + sum->refused && sum->packets > 0;
}

static void end_while_writing(int sender, int fd) {
  struct counters counters = {0};
  struct waiting waiting;
  struct limit_group *group = create_group();
  struct readers *readers = start_readers(take_event, NULL);
  if (!group || !readers) fail("starting the reader");
  add_tap(readers, FILE_TAP, group, fd, INT64_MAX);
  while (counters.packets == 0) {
    send_packets(sender, PACKETS_PER_ROUND);
    read_counters(readers, FILE_TAP, &counters, &waiting);
  }
  stop_readers(readers);
  release_group(group);
}

int main(void) {
  pthread_t disk;
  int ends[2], sender = set_up("lo"), fd = open("/tmp", O_TMPFILE | O_RDWR | O_APPEND, 0600);
  if (fd < 0 || pipe(ends) < 0) fail("opening a file");
  struct limit_group *group = create_group();
  struct readers *readers = start_readers(take_event, NULL);
  if (!group || !readers) fail("starting the reader");
  if (pthread_create(&disk, NULL, read_slowly, &ends[0]) != 0) fail("pthread_create");
  post_to_all(readers, (struct command){.kind = COMMAND_SET_BUFFER_MAX, .bytes = STORE_BYTES});
  set_readers(readers, READERS, 0);
  add_tap(readers, FILE_TAP, group, fd, 100000);
  add_tap(readers, SLOW_TAP, group, ends[1], INT64_MAX);
  for (int round = 0; round < ROUNDS; round++) {
    send_packets(sender, PACKETS_PER_ROUND);
    run_round(readers, group, fd, round);
  }
  struct buffer_use use;
  if (!read_buffer_use(readers, &use)) fail("read_buffer_use");
  free(use.devices);
  close_tap(readers, FILE_TAP);
  close_tap(readers, SLOW_TAP);
  pthread_mutex_lock(&closed.lock);
  while (closed.count < TAPS) pthread_cond_wait(&closed.changed, &closed.lock);
  pthread_mutex_unlock(&closed.lock);
  struct readers_use moved = read_readers_use(readers);
  post_group_command(readers, (struct command){.kind = COMMAND_RELEASE_GROUP, .group = group});
  stop_readers(readers);
  close(ends[1]);
  pthread_join(disk, NULL);
  bool has_waited = use.high_water_bytes > STORE_BYTES / 4;
  for (int end = 0; end < ENDS; end++) end_while_writing(sender, fd);
  bool are_even = is_even(FILE_TAP) && is_even(SLOW_TAP) && is_all_whole();
  printf("%u readers, %lu moves\n", moved.count, moved.moves);
  bool has_moved = moved.count == READERS && moved.moves > 0;
  return are_even && has_waited && has_moved && closed.counters[FILE_TAP].dropped > 0 ? 0 : 1;
}
