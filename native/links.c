// The interfaces of a network namespace and their addresses, and a socket that tells of changes.
#include "selcap.h"
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int open_link_watch(void) {
  int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
  struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK};
  if (fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0) return fd;
  if (fd >= 0) close(fd);
  return -1;
}

static void *grown(void *items, size_t count, size_t size) {
  return (count & (count - 1)) == 0 ? realloc(items, (count ? count * 2 : 1) * size) : items;
}

static bool add_link(struct links *out, const struct nlmsghdr *message) {
  const struct ifinfomsg *info = NLMSG_DATA(message);
  struct link link = {.index = info->ifi_index, .is_up = (info->ifi_flags & IFF_UP) != 0, .gso_max = 65536};
  int left = (int)message->nlmsg_len - (int)NLMSG_LENGTH(sizeof *info);
  for (struct rtattr *at = IFLA_RTA(info); RTA_OK(at, left); at = RTA_NEXT(at, left)) {
    if (at->rta_type == IFLA_IFNAME) snprintf(link.name, sizeof link.name, "%s", (char *)RTA_DATA(at));
    else if (at->rta_type == IFLA_MTU) memcpy(&link.mtu, RTA_DATA(at), 4);
    else if (at->rta_type == IFLA_GSO_MAX_SIZE) memcpy(&link.gso_max, RTA_DATA(at), 4);
    else if (at->rta_type == IFLA_STATS64) {
      struct rtnl_link_stats64 statistics; // not aligned where it lies
      memcpy(&statistics, RTA_DATA(at), sizeof statistics < RTA_PAYLOAD(at) ? sizeof statistics : RTA_PAYLOAD(at));
      link.packets = statistics.rx_packets + statistics.tx_packets;
    }
    else if (at->rta_type == IFLA_LINK) memcpy(&link.peer_index, RTA_DATA(at), 4);
    else if (at->rta_type == IFLA_LINKINFO) {
      int inner = (int)RTA_PAYLOAD(at);
      for (struct rtattr *in = RTA_DATA(at); RTA_OK(in, inner); in = RTA_NEXT(in, inner))
        if (in->rta_type == IFLA_INFO_KIND) snprintf(link.kind, sizeof link.kind, "%.*s", (int)RTA_PAYLOAD(in), (char *)RTA_DATA(in));
    }
  }
  struct link *links = grown(out->links, out->link_count, sizeof link);
  if (!links) return false;
  out->links = links;
  links[out->link_count++] = link;
  return true;
}

static bool add_address(struct links *out, const struct nlmsghdr *message) {
  const struct ifaddrmsg *info = NLMSG_DATA(message);
  struct address address = {.index = (int)info->ifa_index};
  const void *found = NULL;
  int left = (int)message->nlmsg_len - (int)NLMSG_LENGTH(sizeof *info);
  for (struct rtattr *at = IFA_RTA(info); RTA_OK(at, left); at = RTA_NEXT(at, left))
    if (at->rta_type == IFA_LOCAL || (at->rta_type == IFA_ADDRESS && !found)) found = RTA_DATA(at);
  if (!found || !inet_ntop(info->ifa_family, found, address.text, sizeof address.text)) return true;
  struct address *addresses = grown(out->addresses, out->address_count, sizeof address);
  if (!addresses) return false;
  out->addresses = addresses;
  addresses[out->address_count++] = address;
  return true;
}

// All of that type, or the link of that index alone.
static bool ask(int fd, uint16_t type, int index, struct links *out) {
  struct { struct nlmsghdr header; struct ifinfomsg body; } request = {
    {sizeof request, type, NLM_F_REQUEST | (index ? 0 : NLM_F_DUMP), 1, 0}, {.ifi_family = AF_UNSPEC, .ifi_index = index},
  };
  if (send(fd, &request, sizeof request, 0) < 0) return false;
  char buffer[32768]; // the kernel sends no more at a time
  for (;;) {
    ssize_t got = recv(fd, buffer, sizeof buffer, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    size_t left = (size_t)got;
    for (struct nlmsghdr *message = (struct nlmsghdr *)buffer; NLMSG_OK(message, left); message = NLMSG_NEXT(message, left)) {
      if (message->nlmsg_type == NLMSG_DONE) return true;
      if (message->nlmsg_type == NLMSG_ERROR) return false;
      if (message->nlmsg_type == RTM_NEWLINK && !add_link(out, message)) return false;
      if (message->nlmsg_type == RTM_NEWADDR && !add_address(out, message)) return false;
    }
    if (index) return out->link_count > 0;
  }
}

bool read_links(const char *netns, struct links *out, struct failure *failure) {
  *out = (struct links){0};
  int own;
  bool is_read = false;
  const char *code = netns ? "NO_NAMESPACE" : "NOT_SUPPORTED";
  if (enter_netns(netns, &own) == 0) {
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    is_read = fd >= 0 && ask(fd, RTM_GETLINK, 0, out) && ask(fd, RTM_GETADDR, 0, out);
    int saved = errno;
    if (fd >= 0) close(fd);
    leave_netns(own);
    errno = saved;
  } else if (errno == EPERM) code = "NOT_PERMITTED";
  if (is_read) return true;
  snprintf(failure->code, sizeof failure->code, "%s", code);
  snprintf(failure->message, sizeof failure->message, "Cannot list interfaces%s%.300s: %s%s", netns ? " of the network namespace " : "", netns ? netns : "", strerror(errno),
           errno == EPERM ? ", expected the capability CAP_SYS_ADMIN" : "");
  free(out->links);
  free(out->addresses);
  *out = (struct links){0};
  return false;
}

uint32_t gso_max_of(int index) {
  struct links found = {0};
  int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  uint32_t gso_max = fd >= 0 && ask(fd, RTM_GETLINK, index, &found) ? found.links[0].gso_max : 65536;
  if (fd >= 0) close(fd);
  free(found.links);
  return gso_max;
}
