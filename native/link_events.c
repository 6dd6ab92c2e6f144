// Interfaces and network namespaces that come and go.
#include "reader_state.h"
#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

void look_for_namespaces(struct reader *reader) {
  for (struct tap *tap = reader->taps; tap; tap = tap->next) {
    if (!tap->netns || access(tap->netns, F_OK) == 0) continue;
    free(tap->netns);
    tap->netns = NULL;
    emit(reader, (struct event){.kind = EVENT_DOWN, .id = tap->id});
  }
}

// Some things nobody tells of: they are looked at twice a second while there are any.
bool needs_looks(const struct reader *reader) {
  for (const struct tap *tap = reader->taps; tap; tap = tap->next)
    if (tap->netns || tap->is_stalled) return true;
  return false;
}

// A tap that waits for its next file is not drained, but its ring may be overflowing.
void count_what_waits(struct reader *reader) {
  pthread_mutex_lock(&reader->lock);
  for (struct tap *tap = reader->taps; tap; tap = tap->next)
    if (tap->is_stalled) read_statistics(tap);
  pthread_mutex_unlock(&reader->lock);
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

void read_link_changes(struct reader *reader) {
  char buffer[32768];
  for (;;) {
    ssize_t got = recv(reader->link_watch, buffer, sizeof buffer, 0);
    if (got < 0 && errno == ENOBUFS) { emit(reader, (struct event){.kind = EVENT_LINKS_LOST}); continue; }
    if (got <= 0) return;
    size_t left = (size_t)got;
    for (struct nlmsghdr *message = (struct nlmsghdr *)buffer; NLMSG_OK(message, left); message = NLMSG_NEXT(message, left)) tell_of_link(reader, message);
  }
}

