// Interfaces and network namespaces that appear, change and disappear.
// In: messages of the netlink socket; by time, the interface of each tap. Out: events.
#include "readers_state.h"
#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#define TOLD_LOOKS 20 // of so many looks, one at taps of whose interfaces netlink tells

// Whether the tap's socket is bound to the interface that was opened, under its name. The calls on
// the socket answer for its network namespace, so this thread need not enter it.
static enum link_state link_state_of(const struct tap *tap) {
  char id[NETNS_ID_BYTES];
  bool has_netns = !tap->netns || (read_netns_id(tap->netns, id) && !strcmp(id, tap->netns_id));
  if (!has_netns) return LINK_NETNS_GONE;
  struct sockaddr_ll bound = {0};
  socklen_t size = sizeof bound;
  if (getsockname(tap->fd, (struct sockaddr *)&bound, &size) < 0) return LINK_GONE;
  if (bound.sll_ifindex != tap->index) return LINK_GONE; // -1 once the interface left its namespace
  struct ifreq request = {.ifr_ifindex = tap->index};
  if (ioctl(tap->fd, SIOCGIFNAME, &request) < 0) return LINK_GONE;
  if (strncmp(request.ifr_name, tap->interface, sizeof request.ifr_name) != 0) return LINK_RENAMED;
  if (ioctl(tap->fd, SIOCGIFFLAGS, &request) < 0) return LINK_GONE;
  return request.ifr_flags & IFF_UP ? LINK_UP : LINK_DOWN;
}

// `is_told`: by the kernel, so that it happened now and not at some time since the last look.
static void note_link_state(struct reader *reader, struct tap *tap, enum link_state state,
                            bool is_told) {
  uint64_t last_ns = tap->counters.last_ns, seen_ns = tap->link_seen_ns, now_ns = wall_ns();
  if (state == LINK_UP) tap->link_seen_ns = now_ns;
  if (state == tap->link_state) return;
  tap->link_state = state;
  struct event event = {.kind = state == LINK_UP ? EVENT_UP : EVENT_DOWN, .id = tap->id};
  if (state != LINK_UP) {
    event.down.state = state;
    event.down.since_ns = is_told ? now_ns : last_ns > seen_ns ? last_ns : seen_ns;
  }
  // Another interface or namespace is meant now: no packet of this one may follow.
  if (state > LINK_DOWN) stop_receiving(tap);
  emit(reader, event);
}

void look_at_interface(struct reader *reader, struct tap *tap, bool is_told) {
  if (tap->link_state > LINK_DOWN || tap->is_closing) return;
  note_link_state(reader, tap, link_state_of(tap), is_told);
}

// The kernel told of a change of it. 0: of any, messages were lost.
void look_at_link(struct reader *reader, int index) {
  for (struct tap *tap = reader->taps; tap; tap = tap->next)
    if (!tap->netns && (index == 0 || tap->index == index)) look_at_interface(reader, tap, true);
}

// The socket's error tells that it was set down: since the last time, and maybe up again by now.
// Netlink may have told the same before.
void note_link_down(struct reader *reader, struct tap *tap) {
  if (tap->link_state > LINK_DOWN || tap->is_closing) return;
  enum link_state now = link_state_of(tap);
  bool is_known = now == LINK_DOWN && tap->link_state == LINK_DOWN;
  bool is_watched = __atomic_load_n(&reader->readers->are_links_watched, __ATOMIC_RELAXED);
  if (is_known && !tap->netns && is_watched) return;
  if (now <= LINK_DOWN) {
    note_link_state(reader, tap, LINK_UP, true);
    note_link_state(reader, tap, LINK_DOWN, true);
  }
  note_link_state(reader, tap, now, true);
}

// Netlink tells of this namespace, and a message that was lost is found later; of others it does not.
void look_at_interfaces(struct reader *reader) {
  bool is_told = __atomic_load_n(&reader->readers->are_links_watched, __ATOMIC_RELAXED);
  bool is_all = !is_told || reader->looks++ % TOLD_LOOKS == 0;
  for (struct tap *tap = reader->taps; tap; tap = tap->next)
    if (is_all || tap->netns) look_at_interface(reader, tap, false);
}

// A reader that has no taps any more looks until it knows that it is idle.
bool needs_polling(const struct reader *reader) {
  return reader->taps != NULL || reader->busy_percent > 0;
}

// Counts the drops of taps that wait for a sink: drain() does not run for them.
void count_pending(struct reader *reader) {
  pthread_mutex_lock(&reader->lock);
  for (struct tap *tap = reader->taps; tap; tap = tap->next)
    if (tap->is_stalled) read_statistics(tap);
  pthread_mutex_unlock(&reader->lock);
}

static void emit_link_event(struct reader *reader, const struct nlmsghdr *message) {
  if (message->nlmsg_type != RTM_NEWLINK && message->nlmsg_type != RTM_DELLINK) return;
  const struct ifinfomsg *info = NLMSG_DATA(message);
  if (info->ifi_family != AF_UNSPEC) return; // AF_BRIDGE: about a port of a bridge
  struct link_event link = {
    .index = info->ifi_index,
    .is_gone = message->nlmsg_type == RTM_DELLINK,
    .is_up = (info->ifi_flags & IFF_UP) != 0,
  };
  int left = (int)message->nlmsg_len - (int)NLMSG_LENGTH(sizeof *info);
  for (struct rtattr *at = IFLA_RTA(info); RTA_OK(at, left); at = RTA_NEXT(at, left))
    if (at->rta_type == IFLA_IFNAME)
      snprintf(link.name, sizeof link.name, "%s", (char *)RTA_DATA(at));
  look_at_link(reader, link.index);
  tell_others_to_look(reader, link.index);
  emit(reader, (struct event){.kind = EVENT_LINK, .link = link});
}

void read_link_events(struct reader *reader) {
  char buffer[32768];
  for (;;) {
    ssize_t got = recv(reader->link_fd, buffer, sizeof buffer, 0);
    if (got < 0 && errno == ENOBUFS) {
      reader->looks = 0; // all taps at the next look
      tell_others_to_look(reader, 0);
      emit(reader, (struct event){.kind = EVENT_LINKS_LOST});
      continue;
    }
    if (got <= 0) return;
    size_t left = (size_t)got;
    struct nlmsghdr *message = (struct nlmsghdr *)buffer;
    for (; NLMSG_OK(message, left); message = NLMSG_NEXT(message, left))
      emit_link_event(reader, message);
  }
}
