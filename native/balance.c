// Moves taps from a reader that has too much to do to one that has less.
// Runs on the reader's thread between two passes. In: what the reader and its taps cost since the
// last look. Out: a tap, or all taps of a limited group, in the hands of another reader.
// Leaves alone: taps that close, and those whose records wait for a disk.
#include "readers_state.h"
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>

#define NS_PER_PACKET 64 // what a tap costs is told apart by its packets and bytes
#define BYTES_PER_NS 4
#define FORCED_MS 2

static uint64_t thread_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

// Since the last look of the same thread; who reads may have changed since.
static uint32_t measure(struct reader *reader) {
  uint64_t cpu_ns = thread_ns(), now = now_ms();
  bool is_same = reader->measured_ms > 0 && pthread_equal(reader->measured_thread, pthread_self());
  uint64_t spent_ns = is_same ? cpu_ns - reader->measured_ns : 0;
  uint64_t passed_ms = now - reader->measured_ms;
  reader->measured_thread = pthread_self();
  reader->measured_ns = cpu_ns;
  reader->measured_ms = now;
  for (struct tap *tap = reader->taps; tap; tap = tap->next) {
    uint64_t cost = tap->drained_packets * NS_PER_PACKET + tap->counters.bytes / BYTES_PER_NS;
    tap->recent_cost = cost - tap->measured_cost;
    tap->measured_cost = cost;
  }
  return is_same && passed_ms > 0 ? (uint32_t)(spent_ns / 10000 / passed_ms) : 0;
}

static bool is_together(const struct tap *tap, const struct tap *other) {
  return tap == other || (tap->group && tap->group == other->group);
}

static uint64_t cost_with_group(const struct reader *reader, const struct tap *of) {
  uint64_t cost = 0;
  for (const struct tap *tap = reader->taps; tap; tap = tap->next)
    if (is_together(of, tap)) cost += tap->recent_cost;
  return cost;
}

// All that was taken is written, and nobody waits for an answer.
static bool is_movable(const struct reader *reader, const struct tap *tap) {
  const struct job *batch = reader->batch;
  bool has_batch = batch && batch->tap == tap && batch->filled > 0;
  return !tap->is_closing && !tap->waits_for_room && !tap->first_job && !tap->left_sinks &&
         !has_batch;
}

// Under the lock of all readers. A tap of the group that is with another reader, or on its way,
// would lose sight of it.
static bool is_group_here(const struct reader *reader, const struct limit_group *group) {
  for (const struct tap *tap = reader->readers->taps; tap; tap = tap->next_known)
    if (tap->capture_group == group && !(tap->is_added && tap->group && tap->reader == reader))
      return false;
  return true;
}

static bool are_movable(const struct reader *reader, const struct tap *of) {
  if (of->group && !is_group_here(reader, of->group)) return false;
  for (const struct tap *tap = reader->taps; tap; tap = tap->next)
    if (is_together(of, tap) && !is_movable(reader, tap)) return false;
  return true;
}

static bool is_command_of(const struct command *command, const struct tap *tap) {
  return command->id == tap->id || (tap->group && command->group == tap->group);
}

// Under the lock of all readers, so that no later command overtakes these.
static void pass_commands_on(struct reader *from, const struct tap *tap, struct reader *to) {
  struct command *first = NULL, **last = &first;
  pthread_mutex_lock(&from->lock);
  for (struct command **at = &from->first_command; *at;) {
    struct command *command = *at;
    if (!is_command_of(command, tap)) {
      at = &command->next;
      continue;
    }
    __atomic_store_n(at, command->next, __ATOMIC_RELAXED);
    command->next = NULL;
    *last = command;
    last = &command->next;
  }
  from->last_command = &from->first_command;
  while (*from->last_command) from->last_command = &(*from->last_command)->next;
  pthread_mutex_unlock(&from->lock);
  while (first) {
    struct command *command = first;
    first = command->next;
    post_command(to, *command);
    free(command);
  }
}

// Under the lock of all readers.
static void move_tap(struct reader *reader, struct tap *tap, struct reader *to) {
  pthread_mutex_lock(&reader->lock);
  struct tap **at = &reader->taps;
  while (*at != tap) at = &(*at)->next;
  *at = tap->next;
  pthread_mutex_unlock(&reader->lock);
  epoll_ctl(reader->epoll_fd, EPOLL_CTL_DEL, tap->fd, NULL);
  if (reader->batch && reader->batch->tap == tap) reader->batch->tap = NULL;
  for (struct sink *sink = tap->sink; sink; sink = sink->next) release_device(reader, sink);
  tap->is_added = tap->is_stalled = false;
  assign_tap(tap, to);
  post_command(tap->reader, (struct command){.kind = COMMAND_ADD_TAP, .tap = tap});
  pass_commands_on(reader, tap, tap->reader);
  reader->readers->moves++;
}

// Under the lock of all readers.
static void move_together(struct reader *reader, struct tap *of, struct reader *to) {
  struct limit_group *group = of->group;
  if (!group) return move_tap(reader, of, to);
  group->reader = to;
  for (struct tap *tap = reader->taps, *next; tap; tap = next) {
    next = tap->next;
    if (tap->group == group) move_tap(reader, tap, to);
  }
}

// What brings the two closest to each other, and is less than what lies between them.
static struct tap *best_to_move(const struct reader *reader, uint64_t surplus) {
  struct tap *best = NULL;
  uint64_t best_distance = surplus / 2;
  for (struct tap *tap = reader->taps; tap; tap = tap->next) {
    uint64_t cost = cost_with_group(reader, tap);
    uint64_t distance = cost > surplus / 2 ? cost - surplus / 2 : surplus / 2 - cost;
    if (cost == 0 || distance >= best_distance || !are_movable(reader, tap)) continue;
    best = tap;
    best_distance = distance;
  }
  return best;
}

// Under the lock of all readers.
static void move_best(struct reader *reader) {
  uint64_t total = 0;
  struct reader *to = idlest_reader(reader->readers);
  if (to->busy_percent * 2 > reader->busy_percent) to = start_another(reader->readers);
  if (!to || to == reader) return;
  for (const struct tap *tap = reader->taps; tap; tap = tap->next) total += tap->recent_cost;
  uint32_t between = reader->busy_percent - to->busy_percent;
  struct tap *tap = best_to_move(reader, total * between / reader->busy_percent);
  if (tap) move_together(reader, tap, to);
}

// Under the lock of all readers. For tests: the oldest tap goes to the next reader.
static void move_any(struct reader *reader) {
  struct readers *readers = reader->readers;
  uint32_t index = 0;
  while (readers->all[index] != reader) index++;
  struct tap *oldest = reader->taps;
  while (oldest && oldest->next) oldest = oldest->next;
  if (readers->count > 1 && oldest && are_movable(reader, oldest))
    move_together(reader, oldest, readers->all[(index + 1) % readers->count]);
}

// Under the lock of all readers. Groups that have a limit since their taps were opened.
static bool bring_to_groups(struct reader *reader) {
  bool is_done = true;
  for (struct tap *tap = reader->taps, *next; tap; tap = next) {
    next = tap->next;
    struct limit_group *group = tap->capture_group;
    if (!group || !group->reader || group->reader == reader || tap->is_closing) continue;
    if (is_movable(reader, tap)) {
      move_tap(reader, tap, group->reader);
      continue;
    }
    // What it took without the limit is still being written: it takes no more meanwhile.
    is_done = false;
    tap->is_stalled = true;
    watch_tap(reader, tap, 0);
  }
  return is_done;
}

static void balance_now(struct reader *reader, bool is_forced) {
  struct readers *readers = reader->readers;
  uint32_t busy_percent = is_forced ? 0 : measure(reader);
  pthread_mutex_lock(&readers->lock);
  reader->busy_percent = busy_percent;
  if (is_forced) move_any(reader);
  else if (busy_percent > 0 && busy_percent >= readers->busy_percent) move_best(reader);
  pthread_mutex_unlock(&readers->lock);
}

// False: a write took long, and another thread is the reader now.
bool balance(struct reader *reader, bool is_looking) {
  struct readers *readers = reader->readers;
  if (__atomic_load_n(&readers->most, __ATOMIC_RELAXED) == 1) return true;
  bool is_forced = __atomic_load_n(&readers->busy_percent, __ATOMIC_RELAXED) == 0 &&
                   now_ms() - reader->moved_ms >= FORCED_MS;
  if (!is_looking && !is_forced && !reader->gathers) return true;
  if (!write_batch(reader)) return false;
  if (is_looking || is_forced) balance_now(reader, is_forced);
  if (is_forced) reader->moved_ms = now_ms();
  if (!reader->gathers) return true;
  pthread_mutex_lock(&readers->lock);
  reader->gathers = !bring_to_groups(reader);
  pthread_mutex_unlock(&readers->lock);
  return true;
}
