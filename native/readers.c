// The readers of one environment, and which of them has which tap. All calls may come from any
// thread; the lock of `readers` is taken before the lock of a reader.
// Only the thread of a reader gives its taps away (balance.c): a tap belongs to one reader at any
// time, and its commands follow it in their order.
#include "readers_state.h"
#include <sched.h>
#include <stdlib.h>

#define CORES_PER_READER 2
#define BUSY_PERCENT 50

static uint32_t readers_for_cores(void) {
  cpu_set_t cores;
  CPU_ZERO(&cores);
  int count = sched_getaffinity(0, sizeof cores, &cores) == 0 ? CPU_COUNT(&cores) : 1;
  uint32_t most = (uint32_t)count / CORES_PER_READER;
  return most < 1 ? 1 : most > READERS_MAX ? READERS_MAX : most;
}

struct readers *start_readers(emit_function *emit, void *context) {
  struct readers *readers = calloc(1, sizeof *readers);
  if (!readers) return NULL;
  readers->emit = emit;
  readers->context = context;
  readers->most = readers_for_cores();
  readers->busy_percent = BUSY_PERCENT;
  readers->store.bytes_max = STORE_BYTES_MAX;
  pthread_mutex_init(&readers->lock, NULL);
  pthread_mutex_init(&readers->store.lock, NULL);
  readers->all[0] = start_reader(readers);
  if (!readers->all[0]) return free(readers), NULL;
  readers->count = 1;
  return readers;
}

// Under the lock. NULL: there are enough, or no thread can be made.
struct reader *start_another(struct readers *readers) {
  if (readers->is_stopping || readers->count >= readers->most) return NULL;
  struct reader *reader = start_reader(readers);
  if (!reader) return NULL;
  readers->all[readers->count] = reader;
  __atomic_store_n(&readers->count, readers->count + 1, __ATOMIC_RELAXED);
  return reader;
}

// A tap that a worker opens, or that a reader gives away, arrives at any reader until the last
// thread has ended.
void stop_readers(struct readers *readers) {
  pthread_mutex_lock(&readers->lock);
  readers->is_stopping = true;
  pthread_mutex_unlock(&readers->lock);
  post_to_all(readers, (struct command){.kind = COMMAND_STOP});
  for (uint32_t i = 0; i < readers->count; i++) end_threads(readers->all[i]);
  for (uint32_t i = 0; i < readers->count; i++) wait_for_workers(readers->all[i]);
  for (uint32_t i = 0; i < readers->count; i++) end_reader(readers->all[i]);
  for (uint32_t i = 0; i < readers->count; i++) free_reader(readers->all[i]);
  pthread_mutex_destroy(&readers->lock);
  free(readers);
}

void set_readers(struct readers *readers, uint32_t most, uint32_t busy_percent) {
  pthread_mutex_lock(&readers->lock);
  if (most > READERS_MAX) most = READERS_MAX;
  if (most < readers->count) most = readers->count; // a reader that was started stays
  __atomic_store_n(&readers->most, most, __ATOMIC_RELAXED);
  __atomic_store_n(&readers->busy_percent, busy_percent, __ATOMIC_RELAXED);
  while (busy_percent == 0 && start_another(readers)) continue;
  pthread_mutex_unlock(&readers->lock);
}

struct reader *first_reader(struct readers *readers) { return readers->all[0]; }

// Under the lock.
struct reader *idlest_reader(const struct readers *readers) {
  struct reader *idlest = readers->all[0];
  for (uint32_t i = 1; i < readers->count; i++)
    if (readers->all[i]->busy_percent < idlest->busy_percent) idlest = readers->all[i];
  return idlest;
}

// Under the lock.
static struct tap *known_tap(const struct readers *readers, uint32_t id) {
  struct tap *tap = readers->taps;
  while (tap && tap->id != id) tap = tap->next_known;
  return tap;
}

// Under the lock. A tap of a group with a limit goes where the group is.
void assign_tap(struct tap *tap, struct reader *reader) {
  struct limit_group *group = tap->capture_group;
  bool is_limited = group && group->reader;
  tap->reader = is_limited ? group->reader : reader;
  tap->group = is_limited ? group : NULL;
}

void add_tap_to_readers(struct readers *readers, struct tap *tap) {
  pthread_mutex_lock(&readers->lock);
  bool is_first_busy = readers->all[0]->busy_percent >= readers->busy_percent;
  assign_tap(tap, is_first_busy ? idlest_reader(readers) : readers->all[0]);
  tap->next_known = readers->taps;
  readers->taps = tap;
  post_command(tap->reader, (struct command){.kind = COMMAND_ADD_TAP, .tap = tap});
  pthread_mutex_unlock(&readers->lock);
}

void forget_tap(struct readers *readers, struct tap *tap) {
  pthread_mutex_lock(&readers->lock);
  struct tap **at = &readers->taps;
  while (*at != tap) at = &(*at)->next_known;
  *at = tap->next_known;
  pthread_mutex_unlock(&readers->lock);
}

// A command for a tap that was closed meanwhile does nothing.
void post_tap_command(struct readers *readers, struct command command) {
  pthread_mutex_lock(&readers->lock);
  struct tap *tap = known_tap(readers, command.id);
  if (tap) post_command(tap->reader, command);
  pthread_mutex_unlock(&readers->lock);
  if (!tap) free(command.sink);
}

// Under the lock. Until its first limit a group's taps are with any readers, which do not look at
// it. With a limit they are together, since only one thread may count it down.
static void gather_group(struct readers *readers, struct limit_group *group) {
  for (struct tap *tap = readers->taps; tap && !group->reader; tap = tap->next_known)
    if (tap->capture_group == group) group->reader = tap->reader;
  if (!group->reader) group->reader = idlest_reader(readers);
  for (uint32_t i = 0; i < readers->count; i++)
    if (readers->all[i] != group->reader)
      post_command(readers->all[i], (struct command){.kind = COMMAND_GATHER});
}

void post_group_command(struct readers *readers, struct command command) {
  struct limit_group *group = command.group;
  bool is_limit = command.kind == COMMAND_SET_LIMITS && (command.packets >= 0 || command.bytes >= 0);
  pthread_mutex_lock(&readers->lock);
  if (is_limit && !group->reader) gather_group(readers, group);
  if (group->reader) post_command(group->reader, command);
  else if (command.kind == COMMAND_RELEASE_GROUP) release_group(group);
  pthread_mutex_unlock(&readers->lock);
}

void post_to_all(struct readers *readers, struct command command) {
  pthread_mutex_lock(&readers->lock);
  for (uint32_t i = 0; i < readers->count; i++) post_command(readers->all[i], command);
  pthread_mutex_unlock(&readers->lock);
}

// One reader hears of this namespace's interfaces, for all.
void tell_others_to_look(const struct reader *reader, int index) {
  struct readers *readers = reader->readers;
  pthread_mutex_lock(&readers->lock);
  for (uint32_t i = 0; i < readers->count; i++)
    if (readers->all[i] != reader)
      post_command(readers->all[i], (struct command){.kind = COMMAND_LOOK, .index = index});
  pthread_mutex_unlock(&readers->lock);
}

bool read_counters(struct readers *readers, uint32_t id, struct counters *out,
                   struct waiting *waiting) {
  pthread_mutex_lock(&readers->lock);
  struct tap *tap = known_tap(readers, id);
  if (tap) read_tap_counters(tap->reader, tap, out, waiting);
  pthread_mutex_unlock(&readers->lock);
  return tap != NULL;
}

static uint64_t mixed(uint64_t hash, uint64_t count) { return (hash ^ count) * 1099511628211u; }

// Another number when any tap counted anything, and at each millisecond while packets wait for a disk.
uint64_t read_changes(struct readers *readers) {
  uint64_t hash = 0;
  pthread_mutex_lock(&readers->lock);
  for (const struct tap *tap = readers->taps; tap; tap = tap->next_known) {
    struct counters counters;
    struct waiting waiting;
    read_tap_counters(tap->reader, tap, &counters, &waiting);
    hash = mixed(mixed(hash, counters.received), counters.dropped);
    hash = mixed(mixed(hash, counters.packets), counters.refused);
    if (waiting.bytes) hash = mixed(hash, now_ms());
  }
  pthread_mutex_unlock(&readers->lock);
  return hash;
}

bool read_buffer_use(struct readers *readers, struct buffer_use *out) {
  bool has_memory = true;
  *out = (struct buffer_use){0};
  pthread_mutex_lock(&readers->lock);
  out->bytes = __atomic_load_n(&readers->store.bytes, __ATOMIC_RELAXED);
  out->high_water_bytes = __atomic_load_n(&readers->store.bytes_peak, __ATOMIC_RELAXED);
  for (uint32_t i = 0; i < readers->count && has_memory; i++)
    has_memory = add_device_use(readers->all[i], out);
  pthread_mutex_unlock(&readers->lock);
  return has_memory;
}

struct readers_use read_readers_use(struct readers *readers) {
  pthread_mutex_lock(&readers->lock);
  struct readers_use use = {readers->count, readers->moves};
  pthread_mutex_unlock(&readers->lock);
  return use;
}
