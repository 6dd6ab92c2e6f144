// Interfaces and network namespaces that appear and disappear.
// In: messages of the netlink socket, and the paths of the taps' namespaces. Out: events.
#include "reader_state.h"
#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

// Emits EVENT_DOWN once for each tap whose network namespace was deleted.
void scan_namespaces(struct reader *reader) {
  for (struct tap *tap = reader->taps; tap; tap = tap->next) {
    if (!tap->netns || access(tap->netns, F_OK) == 0) continue;
    free(tap->netns);
    tap->netns = NULL;
    emit(reader, (struct event){.kind = EVENT_DOWN, .id = tap->id});
  }
}

// Links in other namespaces and stalled taps have no netlink event: poll them every 500 ms.
bool needs_polling(const struct reader *reader) {
  for (const struct tap *tap = reader->taps; tap; tap = tap->next)
    if (tap->netns || tap->is_stalled) return true;
  return false;
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
  emit(reader, (struct event){.kind = EVENT_LINK, .link = link});
}

void read_link_events(struct reader *reader) {
  char buffer[32768];
  for (;;) {
    ssize_t got = recv(reader->link_fd, buffer, sizeof buffer, 0);
    if (got < 0 && errno == ENOBUFS) {
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
