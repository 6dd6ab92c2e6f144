// A limit that the taps of one capture share, with its reference count. Each owner holds one
// reference: the JavaScript object, a call that opens a tap, an open tap. Owners live on different
// threads, so the count is atomic. Only the reader thread touches the other members.
#include "selcap.h"
#include <stdlib.h>

struct limit_group *create_group(void) {
  struct limit_group *group = malloc(sizeof *group);
  if (!group) return NULL;
  *group = (struct limit_group){.references = 1, .packets_left = -1, .bytes_left = -1};
  return group;
}

struct limit_group *retain_group(struct limit_group *group) {
  __atomic_add_fetch(&group->references, 1, __ATOMIC_RELAXED);
  return group;
}

void release_group(struct limit_group *group) {
  if (group && __atomic_sub_fetch(&group->references, 1, __ATOMIC_ACQ_REL) == 0) free(group);
}
