// Writing what is encoded: records go to the file whole or not at all.
#include "sink.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static size_t write_all(int fd, const struct iovec *parts, int count) {
  struct iovec left[PARTS_MAX], *at = left;
  memcpy(left, parts, (size_t)count * sizeof *parts);
  size_t done = 0;
  while (count > 0) {
    ssize_t wrote = writev(fd, at, count);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote == 0) errno = ENOSPC;
    if (wrote <= 0) break;
    done += (size_t)wrote;
    for (; count > 0 && (size_t)wrote >= at->iov_len; at++, count--) wrote -= (ssize_t)at->iov_len;
    if (count > 0) *at = (struct iovec){(uint8_t *)at->iov_base + wrote, at->iov_len - (size_t)wrote};
  }
  return done;
}

static void copy_out(const struct iovec *parts, size_t from, size_t length, uint8_t *out) {
  for (; length > 0; parts++) {
    if (from >= parts->iov_len) { from -= parts->iov_len; continue; }
    size_t bytes = parts->iov_len - from < length ? parts->iov_len - from : length;
    memcpy(out, (const uint8_t *)parts->iov_base + from, bytes);
    out += bytes, length -= bytes, from = 0;
  }
}

static size_t record_at(const struct tap *tap, const struct iovec *parts, size_t at) {
  uint8_t head[12];
  copy_out(parts, at, sizeof head, head);
  return first_record_bytes(tap->format, head);
}

// How many whole records lie in the first `done` bytes, and how long they are.
static size_t whole(const struct tap *tap, const struct iovec *parts, size_t done, uint64_t *records) {
  size_t at = 0;
  for (*records = 0; at < done; ++*records) {
    size_t size = record_at(tap, parts, at);
    if (at + size > done) break;
    at += size;
  }
  return at;
}

// A pipe cannot be cut back: the rest of a record that it took half of waits for the next time.
static bool carry_on(struct tap *tap) {
  if (tap->carry_bytes == 0) return true;
  size_t done = write_all(tap->sink->fd, &(struct iovec){tap->carry, tap->carry_bytes}, 1);
  tap->carry_bytes -= done;
  memmove(tap->carry, tap->carry + done, tap->carry_bytes);
  return tap->carry_bytes == 0;
}

static bool keep_rest(struct tap *tap, const struct iovec *parts, size_t from, size_t length) {
  uint8_t *carry = realloc(tap->carry, length);
  if (!carry) return false;
  copy_out(parts, from, length, carry);
  tap->carry = carry;
  tap->carry_bytes = length;
  return true;
}

bool write_records(struct tap *tap, const struct iovec *parts, int count, size_t length, uint64_t *records, uint64_t *bytes) {
  *records = *bytes = 0;
  if (!carry_on(tap)) return errno == EAGAIN; // a slow reader: what is in the parts is refused, and that is no failure
  size_t done = write_all(tap->sink->fd, parts, count);
  int error = errno;
  if (done == length) return *records = tap->pending_packets, *bytes = length, true;
  size_t kept = whole(tap, parts, done, records);
  *bytes = kept;
  struct stat status;
  bool is_file = fstat(tap->sink->fd, &status) == 0 && S_ISREG(status.st_mode);
  if (is_file && done > kept && ftruncate(tap->sink->fd, status.st_size - (off_t)(done - kept)) < 0) error = errno;
  if (!is_file && error == EAGAIN) {
    if (done == kept) return true;
    size_t size = record_at(tap, parts, kept);
    if (keep_rest(tap, parts, done, kept + size - done)) { ++*records; *bytes += size; return true; }
  }
  errno = error;
  return false;
}
