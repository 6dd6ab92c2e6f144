// Lists the interfaces of a network namespace with names, link types and addresses, and opens the
// netlink socket whose messages link_events.c reads. In: a namespace's path. Out: links, or a failure.
#include "selcap.h"
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef ARPHRD_IP6GRE
#define ARPHRD_IP6GRE 823 // net/if_arp.h of glibc ends before it
#endif

int open_link_socket(void) {
  int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
  struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK};
  if (fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0) return fd;
  if (fd >= 0) close(fd);
  return -1;
}

static void *grow(void *items, size_t count, size_t size) {
  bool is_full = (count & (count - 1)) == 0; // the capacity doubles at each power of two
  return is_full ? realloc(items, (count ? count * 2 : 1) * size) : items;
}

static uint64_t packets_of(struct rtattr *attribute) {
  struct rtnl_link_stats64 statistics = {0}; // copied: the attribute is not aligned
  size_t bytes = RTA_PAYLOAD(attribute);
  if (bytes > sizeof statistics) bytes = sizeof statistics;
  memcpy(&statistics, RTA_DATA(attribute), bytes);
  return statistics.rx_packets + statistics.tx_packets;
}

static void read_kind(struct link *link, struct rtattr *info) {
  int left = (int)RTA_PAYLOAD(info);
  for (struct rtattr *at = RTA_DATA(info); RTA_OK(at, left); at = RTA_NEXT(at, left))
    if (at->rta_type == IFLA_INFO_KIND)
      snprintf(link->kind, sizeof link->kind, "%.*s", (int)RTA_PAYLOAD(at), (char *)RTA_DATA(at));
}

// What a packet socket gives for it. A tunnel with one other end gives the inner packets; GRE
// without one (also external) gives the outer header in front of them, and is not supported.
static enum link_type link_type_of(const struct ifinfomsg *info) {
  bool has_one_end = (info->ifi_flags & (IFF_POINTOPOINT | IFF_BROADCAST)) == IFF_POINTOPOINT;
  switch (info->ifi_type) {
  case ARPHRD_ETHER:
  case ARPHRD_LOOPBACK: return LINK_ETHERNET; // loopback has an Ethernet header of zeros
  case ARPHRD_NONE: // tun, WireGuard
  case ARPHRD_RAWIP:
  case ARPHRD_TUNNEL:
  case ARPHRD_TUNNEL6:
  case ARPHRD_SIT: return LINK_RAW_IP;
  case ARPHRD_IPGRE:
  case ARPHRD_IP6GRE: return has_one_end ? LINK_RAW_IP : LINK_UNSUPPORTED;
  default: return LINK_UNSUPPORTED;
  }
}

static void read_attribute(struct link *link, struct rtattr *at) {
  switch (at->rta_type) {
  case IFLA_IFNAME: snprintf(link->name, sizeof link->name, "%s", (char *)RTA_DATA(at)); return;
  case IFLA_MTU: memcpy(&link->mtu, RTA_DATA(at), 4); return;
  case IFLA_GSO_MAX_SIZE: memcpy(&link->gso_max, RTA_DATA(at), 4); return;
  case IFLA_STATS64: link->packets = packets_of(at); return;
  case IFLA_LINK: memcpy(&link->peer_index, RTA_DATA(at), 4); return;
  case IFLA_LINKINFO: read_kind(link, at); return;
  }
}

static bool add_name(struct links *out, int index, const struct rtattr *at) {
  struct alternative_name name = {.index = index};
  snprintf(name.text, sizeof name.text, "%.*s", (int)RTA_PAYLOAD(at), (const char *)RTA_DATA(at));
  struct alternative_name *names = grow(out->names, out->name_count, sizeof name);
  if (!names) return false;
  out->names = names;
  names[out->name_count++] = name;
  return true;
}

static bool add_names(struct links *out, int index, struct rtattr *list) {
  int left = (int)RTA_PAYLOAD(list);
  for (struct rtattr *at = RTA_DATA(list); RTA_OK(at, left); at = RTA_NEXT(at, left))
    if (at->rta_type == IFLA_ALT_IFNAME && !add_name(out, index, at)) return false;
  return true;
}

static bool add_link(struct links *out, const struct nlmsghdr *message) {
  const struct ifinfomsg *info = NLMSG_DATA(message);
  struct link link = {.index = info->ifi_index, .gso_max = 65536};
  link.hardware_type = info->ifi_type;
  link.link_type = link_type_of(info);
  link.is_up = (info->ifi_flags & IFF_UP) != 0;
  int left = (int)message->nlmsg_len - (int)NLMSG_LENGTH(sizeof *info);
  for (struct rtattr *at = IFLA_RTA(info); RTA_OK(at, left); at = RTA_NEXT(at, left))
    if ((at->rta_type & NLA_TYPE_MASK) != IFLA_PROP_LIST) read_attribute(&link, at);
    else if (!add_names(out, info->ifi_index, at)) return false;
  struct link *links = grow(out->links, out->link_count, sizeof link);
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
    if (at->rta_type == IFA_LOCAL || (at->rta_type == IFA_ADDRESS && !found))
      found = RTA_DATA(at);
  if (!found) return true;
  if (!inet_ntop(info->ifa_family, found, address.text, sizeof address.text)) return true;
  struct address *addresses = grow(out->addresses, out->address_count, sizeof address);
  if (!addresses) return false;
  out->addresses = addresses;
  addresses[out->address_count++] = address;
  return true;
}

enum { LIST_ERROR = -1, LIST_MORE, LIST_DONE };

static int add_messages(struct links *out, struct nlmsghdr *message, size_t left) {
  for (; NLMSG_OK(message, left); message = NLMSG_NEXT(message, left)) {
    if (message->nlmsg_type == NLMSG_DONE) return LIST_DONE;
    if (message->nlmsg_type == NLMSG_ERROR) {
      errno = -((const struct nlmsgerr *)NLMSG_DATA(message))->error;
      return LIST_ERROR;
    }
    if (message->nlmsg_type == RTM_NEWLINK && !add_link(out, message)) return LIST_ERROR;
    if (message->nlmsg_type == RTM_NEWADDR && !add_address(out, message)) return LIST_ERROR;
  }
  return LIST_MORE;
}

// Requests all objects of the type, or the link with that index.
static bool request_links(int fd, uint16_t type, int index, struct links *out) {
  uint16_t flags = NLM_F_REQUEST | (index ? 0 : NLM_F_DUMP);
  struct { struct nlmsghdr header; struct ifinfomsg body; } request = {
    {sizeof request, type, flags, 1, 0}, {.ifi_family = AF_UNSPEC, .ifi_index = index},
  };
  if (send(fd, &request, sizeof request, 0) < 0) return false;
  char buffer[32768]; // the largest message of the kernel
  for (;;) {
    ssize_t got = recv(fd, buffer, sizeof buffer, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    int state = add_messages(out, (struct nlmsghdr *)buffer, (size_t)got);
    if (state != LIST_MORE) return state == LIST_DONE;
    if (index) return out->link_count > 0;
  }
}

static void fail(struct failure *failure, const char *code, const char *netns) {
  const char *of = netns ? " of the network namespace " : "";
  const char *hint = errno == EPERM ? ", expected the capability CAP_SYS_ADMIN" : "";
  snprintf(failure->code, sizeof failure->code, "%s", code);
  snprintf(failure->message, sizeof failure->message, "Cannot list interfaces%s%.300s: %s%s", of,
           netns ? netns : "", strerror(errno), hint);
}

void free_links(struct links *links) {
  free(links->links);
  free(links->names);
  free(links->addresses);
  *links = (struct links){0};
}

bool read_links(const char *netns, struct links *out, struct failure *failure) {
  *out = (struct links){0};
  int previous_fd;
  bool is_read = false;
  const char *code = netns ? "NO_NAMESPACE" : "NOT_SUPPORTED";
  if (enter_netns(netns, NULL, &previous_fd) == 0) {
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    is_read = fd >= 0 && request_links(fd, RTM_GETLINK, 0, out) &&
              request_links(fd, RTM_GETADDR, 0, out);
    int saved = errno;
    if (fd >= 0) close(fd);
    leave_netns(previous_fd);
    errno = saved;
  } else if (errno == EPERM) code = "NOT_PERMITTED";
  if (is_read) return true;
  // No answer, so it says nothing about the namespace.
  bool lacks = errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS;
  if (lacks) code = "NO_MEMORY";
  fail(failure, code, netns);
  free_links(out);
  return false;
}

bool read_link(int index, struct link *out) {
  struct links found = {0};
  int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  bool is_found = fd >= 0 && request_links(fd, RTM_GETLINK, index, &found);
  int saved = errno;
  if (is_found) *out = found.links[0];
  if (fd >= 0) close(fd);
  free_links(&found);
  errno = saved;
  return is_found;
}
