// Sends so many frames of one size out of an interface, as fast as it can or at a rate: sender IF SIZE COUNT [PER_SECOND]
#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define BATCH 64

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char **argv) {
  if (argc < 4) return 2;
  int size = atoi(argv[2]), fd = socket(AF_PACKET, SOCK_RAW, 0);
  long count = atol(argv[3]), rate = argc > 4 ? atol(argv[4]) : 0;
  static unsigned char frame[65536] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, 0x45, 0, 0, 0, 0, 0, 0, 0, 64, 17, 0, 0, 10, 9, 9, 1, 10, 9, 9, 2, 0x0f, 0xa0, 0x0f, 0xa1};
  frame[16] = (unsigned char)((size - 14) >> 8), frame[17] = (unsigned char)(size - 14);
  frame[38] = (unsigned char)((size - 34) >> 8), frame[39] = (unsigned char)(size - 34);
  struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_IP), .sll_ifindex = (int)if_nametoindex(argv[1]), .sll_halen = 6};
  int one = 1;
  setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &one, sizeof one);
  if (bind(fd, (struct sockaddr *)&to, sizeof to) < 0) return perror("bind"), 1;
  struct iovec part = {frame, (size_t)size};
  struct mmsghdr messages[BATCH] = {0};
  for (int i = 0; i < BATCH; i++) messages[i].msg_hdr = (struct msghdr){.msg_iov = &part, .msg_iovlen = 1};
  double start = now();
  long most = rate > 0 && rate / 1000 < BATCH ? (rate + 999) / 1000 : BATCH; // a burst every millisecond, or more often
  for (long sent = 0; sent < count;) {
    unsigned batch = count - sent < most ? (unsigned)(count - sent) : (unsigned)most;
    int done = sendmmsg(fd, messages, batch, 0);
    if (done > 0) sent += done;
    for (double wait; rate > 0 && (wait = (double)sent / (double)rate - (now() - start)) > 0;) {
      struct timespec nap = {(time_t)wait, (long)((wait - (double)(time_t)wait) * 1e9)};
      nanosleep(&nap, NULL);
    }
  }
  return 0;
}
