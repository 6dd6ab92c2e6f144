// One thread drains all rings of one environment: frames in, whole records in a 64 KiB buffer that stays in the cache, write(2).
// It alone touches taps, sinks and groups; others tell it what to do and are told what happened.
#include "reader.h"
#include "sink.h"
#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BUFFER_BYTES 65536
#define DRAIN_MS_MAX 160 // the kernel gives a partly filled block away after 100
#ifndef TP_STATUS_GSO_TCP
#define TP_STATUS_GSO_TCP (1 << 8) // Linux 5.14; older headers do not name it
#endif

struct reader {
  pthread_t thread;
  int epoll, wake, link_watch;
  pthread_mutex_t lock; // of the commands, and of the counters that others read
  struct command *first, **last;
  struct tap *taps;
  void (*emit)(void *context, struct event *event);
  void *context;
  bool is_stopping;
  int running; // threads that open, close, compile
  pthread_cond_t none_running;
  size_t filled;
  uint8_t buffer[BUFFER_BYTES];
};

static uint64_t now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void emit(struct reader *reader, struct event event) {
  struct event *copy = malloc(sizeof *copy);
  if (!copy) return;
  *copy = event;
  reader->emit(reader->context, copy);
}

static void watch(struct reader *reader, struct tap *tap, uint32_t events) {
  struct epoll_event event = {.events = events, .data.ptr = tap};
  epoll_ctl(reader->epoll, EPOLL_CTL_MOD, tap->fd, &event);
}

// What was encoded and not written is counted as refused, and given back to the limits.
static void give_back(struct tap *tap, uint64_t records, uint64_t bytes) {
  tap->counters.refused += records;
  if (!tap->group) return;
  if (tap->group->packets_left >= 0) tap->group->packets_left += (int64_t)records;
  if (tap->group->bytes_left >= 0) tap->group->bytes_left += (int64_t)bytes;
}

static void settle(struct reader *reader, struct tap *tap, bool is_written, uint64_t records, uint64_t bytes) {
  int error = errno;
  pthread_mutex_lock(&reader->lock);
  bool is_first = !tap->has_written && records > 0;
  read_statistics(tap); // first: what was written was received
  tap->counters.packets += records;
  tap->counters.bytes += bytes;
  if (records > 0) tap->counters.last_ns = tap->pending_last_ns;
  give_back(tap, tap->pending_packets - records, tap->pending_bytes - bytes);
  tap->sink->bytes_left += (int64_t)(tap->pending_bytes - bytes);
  pthread_mutex_unlock(&reader->lock);
  tap->pending_packets = tap->pending_bytes = 0;
  reader->filled = 0;
  if (is_first) {
    tap->has_written = true;
    emit(reader, (struct event){.kind = EVENT_FIRST_PACKET, .id = tap->id, .number = (int64_t)tap->counters.last_ns});
  }
  if (is_written) return;
  tap->is_failed = true;
  struct event event = {.kind = EVENT_WRITE_FAILED, .id = tap->id, .number = tap->sink->fd};
  snprintf(event.failure.code, sizeof event.failure.code, "%s", strerrorname_np(error) ? strerrorname_np(error) : "EIO");
  emit(reader, event);
}

static void flush(struct reader *reader, struct tap *tap) {
  if (reader->filled == 0) return;
  uint64_t records, bytes;
  bool is_written = write_records(tap, reader->buffer, reader->filled, &records, &bytes);
  settle(reader, tap, is_written, records, bytes);
}

static void move_on(struct reader *reader, struct tap *tap) {
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

static struct frame read_frame(const struct tap *tap, const struct tpacket3_hdr *header) {
  const struct sockaddr_ll *from = (const void *)((const uint8_t *)header + TPACKET_ALIGN(sizeof *header));
  struct frame frame = {
    .data = (const uint8_t *)header + header->tp_mac, .captured = header->tp_snaplen, .original = header->tp_len,
    .time_ns = (uint64_t)header->tp_sec * 1000000000 + header->tp_nsec,
    .drops = tap->counters.dropped - tap->drops_told,
  };
  bool is_outgoing = from->sll_pkttype == PACKET_OUTGOING;
  frame.flags = is_outgoing == tap->inside_is_pod ? 2 : 1; // outbound 2, inbound 1, seen from the pod
  if (header->tp_status & TP_STATUS_CSUMNOTREADY) frame.flags |= 1u << 9;
  else if (header->tp_status & TP_STATUS_CSUM_VALID) frame.flags |= 1u << 10;
  if (header->tp_status & TP_STATUS_GSO_TCP) frame.flags |= 1u << 11;
  if (header->tp_status & TP_STATUS_VLAN_VALID) {
    uint16_t type = header->tp_status & TP_STATUS_VLAN_TPID_VALID ? header->hv1.tp_vlan_tpid : 0x8100;
    uint16_t tag = (uint16_t)header->hv1.tp_vlan_tci;
    frame.has_tag = true;
    frame.tag[0] = (uint8_t)(type >> 8), frame.tag[1] = (uint8_t)type, frame.tag[2] = (uint8_t)(tag >> 8), frame.tag[3] = (uint8_t)tag;
  }
  return frame;
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

static void write_large(struct reader *reader, struct tap *tap, const struct frame *frame, uint32_t captured, uint32_t original, size_t size) {
  flush(reader, tap);
  uint8_t *record = malloc(size);
  uint64_t records = 0, bytes = 0;
  errno = ENOMEM;
  bool is_written = record && (encode_record(tap->format, frame, captured, original, record), write_records(tap, record, size, &records, &bytes));
  free(record);
  settle(reader, tap, is_written, records, bytes);
}

// False: there is no room for it now; it stays in the ring.
static bool take(struct reader *reader, struct tap *tap, const struct tpacket3_hdr *header) {
  if (tap->is_failed || (tap->group && tap->group->is_over)) return tap->pending_refused++, true;
  struct frame frame = read_frame(tap, header);
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
  if (reader->filled + size > BUFFER_BYTES) flush(reader, tap);
  if (tap->is_failed) return tap->pending_refused++, true;
  tap->drops_told = tap->counters.dropped;
  sink->is_empty = false;
  sink->bytes_left -= (int64_t)size;
  tap->pending_packets++;
  tap->pending_bytes += size;
  tap->pending_last_ns = frame.time_ns;
  if (tap->group && tap->group->bytes_left >= 0 && (tap->group->bytes_left -= (int64_t)size) == 0) reach_limit(reader, tap, true);
  if (tap->group && tap->group->packets_left > 0 && --tap->group->packets_left == 0) reach_limit(reader, tap, false);
  if (size > BUFFER_BYTES) write_large(reader, tap, &frame, captured, original, size);
  else reader->filled += encode_record(tap->format, &frame, captured, original, reader->buffer + reader->filled);
  return true;
}

static bool take_block(struct reader *reader, struct tap *tap, struct tpacket_block_desc *block) {
  if (tap->taken == 0) {
    tap->packet = (uint8_t *)block + block->hdr.bh1.offset_to_first_pkt;
    if (block->hdr.bh1.block_status & TP_STATUS_LOSING) read_statistics(tap);
  }
  for (; tap->taken < block->hdr.bh1.num_pkts; tap->taken++) {
    struct tpacket3_hdr *header = (struct tpacket3_hdr *)tap->packet;
    if (!take(reader, tap, header)) return false;
    tap->seen++;
    tap->packet += header->tp_next_offset;
  }
  tap->taken = 0;
  __atomic_store_n(&block->hdr.bh1.block_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
  tap->block = (tap->block + 1) % tap->block_count;
  return true;
}

// At most once around the ring: the other taps wait.
static void drain(struct reader *reader, struct tap *tap) {
  for (uint32_t blocks = 0; blocks < tap->block_count; blocks++) {
    struct tpacket_block_desc *block = (struct tpacket_block_desc *)(tap->ring + (size_t)tap->block * tap->block_bytes);
    if (!(__atomic_load_n(&block->hdr.bh1.block_status, __ATOMIC_ACQUIRE) & TP_STATUS_USER)) break;
    if (take_block(reader, tap, block)) continue;
    tap->is_stalled = true;
    watch(reader, tap, 0);
    break;
  }
  flush(reader, tap);
  pthread_mutex_lock(&reader->lock);
  read_statistics(tap);
  tap->counters.refused += tap->pending_refused;
  pthread_mutex_unlock(&reader->lock);
  tap->pending_refused = 0;
}

static void go_on(struct reader *reader, struct tap *tap) {
  if (tap->is_stalled) watch(reader, tap, EPOLLIN);
  tap->is_stalled = false;
  drain(reader, tap);
}

struct errand {
  struct reader *reader;
  void *(*work)(void *);
  void *argument;
};

static void *run_errand(void *argument) {
  struct errand errand = *(struct errand *)argument;
  free(argument);
  errand.work(errand.argument);
  pthread_mutex_lock(&errand.reader->lock);
  if (--errand.reader->running == 0) pthread_cond_signal(&errand.reader->none_running);
  pthread_mutex_unlock(&errand.reader->lock);
  return NULL;
}

// Opening and closing are nearly all waiting: a thread each, however many.
bool run_elsewhere(struct reader *reader, void *(*work)(void *), void *argument) {
  struct errand *errand = malloc(sizeof *errand);
  if (!errand) return false;
  *errand = (struct errand){reader, work, argument};
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  pthread_attr_setstacksize(&attributes, 1 << 20);
  pthread_mutex_lock(&reader->lock);
  reader->running++;
  pthread_mutex_unlock(&reader->lock);
  pthread_t thread;
  int failed = pthread_create(&thread, &attributes, run_errand, errand);
  pthread_attr_destroy(&attributes);
  if (!failed) return true;
  pthread_mutex_lock(&reader->lock);
  reader->running--;
  pthread_mutex_unlock(&reader->lock);
  free(errand);
  return false;
}

struct closing {
  struct reader *reader;
  struct tap *tap;
  struct event event;
};

static void *close_elsewhere(void *argument) {
  struct closing *closing = argument;
  close_ring(closing->tap);
  emit(closing->reader, closing->event);
  free(closing);
  return NULL;
}

static void let_go(struct reader *reader, struct tap *tap) {
  uint64_t accounted = tap->counters.packets + tap->counters.refused + tap->counters.dropped;
  if (tap->counters.received < accounted) tap->counters.received = accounted;
  tap->counters.refused += tap->counters.received - accounted; // in a block the kernel kept
  epoll_ctl(reader->epoll, EPOLL_CTL_DEL, tap->fd, NULL);
  if (tap->group && --tap->group->references == 0) free(tap->group);
  struct closing *closing = malloc(sizeof *closing);
  if (!closing) return close_ring(tap);
  *closing = (struct closing){reader, tap, {.kind = EVENT_DONE, .id = tap->close_request, .counters = tap->counters}};
  if (!run_elsewhere(reader, close_elsewhere, closing)) close_elsewhere(closing);
}

static void start_closing(struct reader *reader, struct tap *tap, uint32_t request) {
  tap->is_closing = true;
  tap->close_request = request;
  tap->close_by_ms = now_ms() + DRAIN_MS_MAX;
  stop_receiving(tap);
  go_on(reader, tap);
}

// Everything the kernel took is accounted for, or it had its time.
static bool is_drained(struct reader *reader, struct tap *tap) {
  drain(reader, tap);
  pthread_mutex_lock(&reader->lock);
  read_statistics(tap);
  bool is_all = tap->counters.received - tap->counters.dropped <= tap->seen;
  pthread_mutex_unlock(&reader->lock);
  return is_all || now_ms() >= tap->close_by_ms;
}

// Calls and takes out every tap for which `is_over` says so.
static void sweep(struct reader *reader, bool (*is_over)(struct reader *, struct tap *)) {
  for (struct tap **at = &reader->taps; *at;) {
    struct tap *tap = *at;
    if (!is_over(reader, tap)) { at = &tap->next; continue; }
    pthread_mutex_lock(&reader->lock);
    *at = tap->next;
    pthread_mutex_unlock(&reader->lock);
    let_go(reader, tap);
  }
}

static bool has_closed(struct reader *reader, struct tap *tap) { return tap->is_closing && is_drained(reader, tap); }

static bool is_any_closing(const struct reader *reader) {
  for (const struct tap *tap = reader->taps; tap; tap = tap->next) if (tap->is_closing) return true;
  return false;
}

static void look_for_namespaces(struct reader *reader) {
  for (struct tap *tap = reader->taps; tap; tap = tap->next) {
    if (!tap->netns || access(tap->netns, F_OK) == 0) continue;
    free(tap->netns);
    tap->netns = NULL;
    emit(reader, (struct event){.kind = EVENT_DOWN, .id = tap->id});
  }
}

static bool has_namespaces(const struct reader *reader) {
  for (const struct tap *tap = reader->taps; tap; tap = tap->next) if (tap->netns) return true;
  return false;
}

static struct tap *find(const struct reader *reader, uint32_t id) {
  struct tap *tap = reader->taps;
  while (tap && tap->id != id) tap = tap->next;
  return tap;
}

static void offer(struct reader *reader, struct tap *tap, struct sink *sink) {
  struct sink **last = &tap->sink;
  while (*last) last = &(*last)->next;
  *last = sink;
  go_on(reader, tap);
}

static void add(struct reader *reader, struct tap *tap) {
  if (tap->group) tap->group->references++;
  pthread_mutex_lock(&reader->lock);
  tap->next = reader->taps;
  reader->taps = tap;
  pthread_mutex_unlock(&reader->lock);
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = tap};
  epoll_ctl(reader->epoll, EPOLL_CTL_ADD, tap->fd, &event);
}

static void release(struct group *group) {
  if (--group->references == 0) free(group);
}

static void set_left(struct group *group, int64_t packets, int64_t bytes) {
  group->packets_left = packets;
  group->bytes_left = bytes;
  group->is_over = packets == 0 || bytes == 0;
}

static void watch_links(struct reader *reader) {
  if (reader->link_watch >= 0) return;
  reader->link_watch = open_link_watch();
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = &reader->link_watch};
  if (reader->link_watch >= 0) epoll_ctl(reader->epoll, EPOLL_CTL_ADD, reader->link_watch, &event);
}

static void obey(struct reader *reader, const struct command *command) {
  struct tap *tap = find(reader, command->id);
  switch (command->kind) {
  case COMMAND_ADD: return add(reader, command->tap);
  case COMMAND_OFFER: return tap ? offer(reader, tap, command->sink) : free(command->sink);
  case COMMAND_ROTATE:
    if (tap) drain(reader, tap);
    if (tap && tap->sink && !tap->sink->is_empty && tap->sink->next) move_on(reader, tap);
    return;
  case COMMAND_BYTES_LEFT:
    if (tap && tap->sink) tap->sink->bytes_left = command->bytes, go_on(reader, tap);
    return;
  case COMMAND_RETRY:
    if (tap) tap->is_failed = false;
    return;
  case COMMAND_CLOSE:
    if (tap && !tap->is_closing) start_closing(reader, tap, command->request);
    return;
  case COMMAND_SET_LEFT: return set_left(command->group, command->packets, command->bytes);
  case COMMAND_RELEASE: return release(command->group);
  case COMMAND_WATCH_LINKS: return watch_links(reader);
  case COMMAND_STOP: reader->is_stopping = true; return;
  }
}

static void obey_all(struct reader *reader) {
  uint64_t ignored;
  if (read(reader->wake, &ignored, sizeof ignored) < 0 && errno != EAGAIN) return;
  pthread_mutex_lock(&reader->lock);
  struct command *command = reader->first;
  reader->first = NULL;
  reader->last = &reader->first;
  pthread_mutex_unlock(&reader->lock);
  while (command) {
    struct command *next = command->next;
    obey(reader, command);
    free(command);
    command = next;
  }
}

static void tell_of_link(struct reader *reader, const struct nlmsghdr *message) {
  if (message->nlmsg_type != RTM_NEWLINK && message->nlmsg_type != RTM_DELLINK) return;
  const struct ifinfomsg *info = NLMSG_DATA(message);
  if (info->ifi_family != AF_UNSPEC) return; // a bridge tells of its ports
  struct event event = {.kind = EVENT_LINK, .number = info->ifi_index, .flag = message->nlmsg_type == RTM_DELLINK, .is_up = (info->ifi_flags & IFF_UP) != 0};
  int left = (int)message->nlmsg_len - (int)NLMSG_LENGTH(sizeof *info);
  for (struct rtattr *at = IFLA_RTA(info); RTA_OK(at, left); at = RTA_NEXT(at, left))
    if (at->rta_type == IFLA_IFNAME) snprintf(event.failure.message, sizeof event.failure.message, "%s", (char *)RTA_DATA(at));
  emit(reader, event);
}

static void read_link_changes(struct reader *reader) {
  char buffer[32768];
  for (;;) {
    ssize_t got = recv(reader->link_watch, buffer, sizeof buffer, 0);
    if (got < 0 && errno == ENOBUFS) { emit(reader, (struct event){.kind = EVENT_LINKS_LOST}); continue; }
    if (got <= 0) return;
    size_t left = (size_t)got;
    for (struct nlmsghdr *message = (struct nlmsghdr *)buffer; NLMSG_OK(message, left); message = NLMSG_NEXT(message, left)) tell_of_link(reader, message);
  }
}

static void attend(struct reader *reader, const struct epoll_event *event) {
  if (event->data.ptr == &reader->wake) return obey_all(reader);
  if (event->data.ptr == &reader->link_watch) return read_link_changes(reader);
  struct tap *tap = event->data.ptr;
  if (event->events & (EPOLLERR | EPOLLHUP)) {
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(tap->fd, SOL_SOCKET, SO_ERROR, &error, &size); // reading it clears it; what follows is up to the links
    if (error == ENETDOWN) emit(reader, (struct event){.kind = EVENT_DOWN, .id = tap->id});
  }
  if (!tap->is_stalled) drain(reader, tap);
}

static bool is_any(struct reader *reader, struct tap *tap) {
  (void)reader;
  stop_receiving(tap);
  return true;
}

static void *run(void *argument) {
  struct reader *reader = argument;
  uint64_t namespaces_at = now_ms();
  while (!reader->is_stopping) {
    struct epoll_event events[64];
    int timeout = is_any_closing(reader) ? 5 : has_namespaces(reader) ? 500 : -1;
    int count = epoll_wait(reader->epoll, events, 64, timeout);
    bool has_command = false; // last: a command may free a tap that an event of this round is about
    for (int i = 0; i < count; i++) {
      if (events[i].data.ptr == &reader->wake) has_command = true;
      else attend(reader, &events[i]);
    }
    if (has_command) obey_all(reader);
    sweep(reader, has_closed);
    if (now_ms() - namespaces_at < 500) continue;
    namespaces_at = now_ms();
    look_for_namespaces(reader);
  }
  sweep(reader, is_any);
  return NULL;
}

struct reader *start_reader(void (*emit)(void *context, struct event *event), void *context) {
  struct reader *reader = calloc(1, sizeof *reader);
  if (!reader) return NULL;
  reader->emit = emit;
  reader->context = context;
  reader->last = &reader->first;
  reader->link_watch = -1;
  pthread_mutex_init(&reader->lock, NULL);
  pthread_cond_init(&reader->none_running, NULL);
  reader->epoll = epoll_create1(EPOLL_CLOEXEC);
  reader->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = &reader->wake};
  bool is_ready = reader->epoll >= 0 && reader->wake >= 0 && epoll_ctl(reader->epoll, EPOLL_CTL_ADD, reader->wake, &event) == 0;
  if (is_ready && pthread_create(&reader->thread, NULL, run, reader) == 0) return reader;
  free(reader);
  return NULL;
}

void stop_reader(struct reader *reader) {
  tell(reader, (struct command){.kind = COMMAND_STOP});
  pthread_join(reader->thread, NULL);
  pthread_mutex_lock(&reader->lock);
  while (reader->running > 0) pthread_cond_wait(&reader->none_running, &reader->lock);
  pthread_mutex_unlock(&reader->lock);
  obey_all(reader); // a ring that was opened meanwhile
  sweep(reader, is_any);
  pthread_mutex_lock(&reader->lock);
  while (reader->running > 0) pthread_cond_wait(&reader->none_running, &reader->lock);
  pthread_mutex_unlock(&reader->lock);
  if (reader->link_watch >= 0) close(reader->link_watch);
  close(reader->epoll);
  close(reader->wake);
  free(reader);
}

void tell(struct reader *reader, struct command command) {
  struct command *copy = malloc(sizeof *copy);
  if (!copy) abort();
  *copy = command;
  copy->next = NULL;
  pthread_mutex_lock(&reader->lock);
  *reader->last = copy;
  reader->last = &copy->next;
  pthread_mutex_unlock(&reader->lock);
  uint64_t one = 1;
  if (write(reader->wake, &one, sizeof one) < 0) return; // full: it is awake already
}

bool read_counters(struct reader *reader, uint32_t id, struct counters *out) {
  pthread_mutex_lock(&reader->lock);
  struct tap *tap = find(reader, id);
  if (tap) *out = tap->counters;
  pthread_mutex_unlock(&reader->lock);
  return tap != NULL;
}
