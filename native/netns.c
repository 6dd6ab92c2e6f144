// Entering another network namespace, for one thread and for a moment. A socket made inside stays there.
#include "selcap.h"
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

int enter_netns(const char *path, int *own) {
  *own = -1;
  if (!path) return 0;
  int there = open(path, O_RDONLY | O_CLOEXEC);
  if (there < 0) return -1;
  *own = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
  int failed = *own < 0 || setns(there, CLONE_NEWNET) < 0;
  int saved = errno;
  close(there);
  if (failed && *own >= 0) close(*own), *own = -1;
  errno = saved;
  return failed ? -1 : 0;
}

void leave_netns(int own) {
  if (own < 0) return;
  if (setns(own, CLONE_NEWNET) < 0) abort(); // this thread must never go on in a stranger's network
  close(own);
}
