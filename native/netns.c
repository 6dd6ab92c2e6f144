// Moves the calling thread into another network namespace and back.
// A socket that is created inside stays in that namespace.
#include "selcap.h"
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

int enter_netns(const char *path, int *previous_fd) {
  *previous_fd = -1;
  if (!path) return 0;
  int target_fd = open(path, O_RDONLY | O_CLOEXEC);
  if (target_fd < 0) return -1;
  *previous_fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
  int failed = *previous_fd < 0 || setns(target_fd, CLONE_NEWNET) < 0;
  int saved = errno;
  close(target_fd);
  if (failed && *previous_fd >= 0) close(*previous_fd), *previous_fd = -1;
  errno = saved;
  return failed ? -1 : 0;
}

void leave_netns(int previous_fd) {
  if (previous_fd < 0) return;
  // Abort: continuing in another pod's network namespace would capture the wrong traffic.
  if (setns(previous_fd, CLONE_NEWNET) < 0) abort();
  close(previous_fd);
}
