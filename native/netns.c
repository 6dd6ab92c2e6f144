// Moves the calling thread into another network namespace and back.
// A socket that is created inside stays in that namespace.
#include "selcap.h"
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

// A namespace keeps device and inode as long as anything holds it; a name may be given to another.
static void format_id(const struct stat *status, char id[NETNS_ID_BYTES]) {
  snprintf(id, NETNS_ID_BYTES, "%llu:%llu", (unsigned long long)status->st_dev,
           (unsigned long long)status->st_ino);
}

bool read_netns_id(const char *path, char id[NETNS_ID_BYTES]) {
  struct stat status;
  if (stat(path, &status) < 0) return false;
  format_id(&status, id);
  return true;
}

static bool is_expected(int fd, const char *expected_id) {
  struct stat status;
  char id[NETNS_ID_BYTES];
  if (!expected_id || expected_id[0] == '\0') return true;
  if (fstat(fd, &status) < 0) return false;
  format_id(&status, id);
  if (strcmp(id, expected_id) == 0) return true;
  errno = ESTALE;
  return false;
}

int enter_netns(const char *path, const char *expected_id, int *previous_fd) {
  *previous_fd = -1;
  if (!path) return 0;
  int target_fd = open(path, O_RDONLY | O_CLOEXEC);
  if (target_fd < 0) return -1;
  if (!is_expected(target_fd, expected_id)) {
    int saved = errno;
    close(target_fd);
    errno = saved;
    return -1;
  }
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
