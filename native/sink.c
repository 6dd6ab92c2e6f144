// Writing what is encoded: records go to the file whole or not at all.
#include "sink.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static size_t write_all(int fd, const uint8_t *data, size_t length) {
  size_t done = 0;
  while (done < length) {
    ssize_t wrote = write(fd, data + done, length - done);
    if (wrote > 0) done += (size_t)wrote;
    else if (wrote == 0) { errno = ENOSPC; break; }
    else if (errno != EINTR) break;
  }
  return done;
}

// How many whole records lie in the first `done` bytes, and how long they are.
static size_t whole(const struct tap *tap, const uint8_t *buffer, size_t done, uint64_t *records) {
  size_t at = 0;
  for (*records = 0; at < done; ++*records) {
    size_t size = first_record_bytes(tap->format, buffer + at);
    if (at + size > done) break;
    at += size;
  }
  return at;
}

// A pipe cannot be cut back: the rest of a record that it took half of waits for the next time.
static bool carry_on(struct tap *tap) {
  if (tap->carry_bytes == 0) return true;
  size_t done = write_all(tap->sink->fd, tap->carry, tap->carry_bytes);
  tap->carry_bytes -= done;
  memmove(tap->carry, tap->carry + done, tap->carry_bytes);
  return tap->carry_bytes == 0;
}

static bool keep_rest(struct tap *tap, const uint8_t *rest, size_t length) {
  uint8_t *carry = realloc(tap->carry, length);
  if (!carry) return false;
  memcpy(carry, rest, length);
  tap->carry = carry;
  tap->carry_bytes = length;
  return true;
}

bool write_records(struct tap *tap, const uint8_t *buffer, size_t length, uint64_t *records, uint64_t *bytes) {
  *records = *bytes = 0;
  if (!carry_on(tap)) return errno == EAGAIN; // a slow reader: what is in the buffer is refused, and that is no failure
  size_t done = write_all(tap->sink->fd, buffer, length);
  int error = errno;
  size_t kept = whole(tap, buffer, done, records);
  *bytes = kept;
  if (done == length) return true;
  struct stat status;
  bool is_file = fstat(tap->sink->fd, &status) == 0 && S_ISREG(status.st_mode);
  if (is_file && done > kept && ftruncate(tap->sink->fd, status.st_size - (off_t)(done - kept)) < 0) error = errno;
  if (!is_file && error == EAGAIN) {
    if (done == kept) return true;
    size_t size = first_record_bytes(tap->format, buffer + kept);
    if (keep_rest(tap, buffer + done, kept + size - done)) { ++*records; *bytes += size; return true; }
  }
  errno = error;
  return false;
}

bool is_file_sink(const struct tap *tap) {
  struct stat status;
  return fstat(tap->sink->fd, &status) == 0 && S_ISREG(status.st_mode);
}

bool write_parts(struct tap *tap, const struct iovec *parts, int count, size_t length) {
  ssize_t done = writev(tap->sink->fd, parts, count);
  if (done == (ssize_t)length) return true;
  int error = done < 0 ? errno : ENOSPC; // a file takes less only where there is no room
  struct stat status;
  if (done > 0 && fstat(tap->sink->fd, &status) == 0 && ftruncate(tap->sink->fd, status.st_size - done) < 0) error = errno;
  errno = error;
  return false;
}
