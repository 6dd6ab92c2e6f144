// Writes encoded records to a file or a pipe: each whole or not at all.
// In: parts of whole records. Out: how many were written. Cuts a file back after a failed write.
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
    for (; count > 0 && (size_t)wrote >= at->iov_len; at++, count--)
      wrote -= (ssize_t)at->iov_len;
    if (count == 0) break;
    *at = (struct iovec){(uint8_t *)at->iov_base + wrote, at->iov_len - (size_t)wrote};
  }
  return done;
}

static void copy_out(const struct iovec *parts, size_t from, size_t length, uint8_t *out) {
  for (; length > 0; parts++) {
    if (from >= parts->iov_len) {
      from -= parts->iov_len;
      continue;
    }
    size_t bytes = parts->iov_len - from < length ? parts->iov_len - from : length;
    memcpy(out, (const uint8_t *)parts->iov_base + from, bytes);
    out += bytes, length -= bytes, from = 0;
  }
}

static size_t record_bytes_at(const struct tap *tap, const struct iovec *parts, size_t at) {
  uint8_t head[12];
  copy_out(parts, at, sizeof head, head);
  return encoded_record_bytes(tap->format, head);
}

// Counts the whole records in the first `done` bytes and returns their length.
static size_t whole_records(const struct tap *tap, const struct iovec *parts, size_t done,
                            uint64_t *records) {
  size_t at = 0;
  for (*records = 0; at < done; ++*records) {
    size_t size = record_bytes_at(tap, parts, at);
    if (at + size > done) break;
    at += size;
  }
  return at;
}

// A pipe cannot be cut back: the rest of a record it took the beginning of is written first.
static bool finish_partial_record(struct tap *tap) {
  if (tap->partial_bytes == 0) return true;
  struct iovec rest = {tap->partial_record, tap->partial_bytes};
  size_t done = write_all(tap->sink->fd, &rest, 1);
  tap->partial_bytes -= done;
  memmove(tap->partial_record, tap->partial_record + done, tap->partial_bytes);
  return tap->partial_bytes == 0;
}

static bool keep_partial_record(struct tap *tap, const struct iovec *parts, size_t from,
                                size_t length) {
  uint8_t *rest = realloc(tap->partial_record, length);
  if (!rest) return false;
  copy_out(parts, from, length, rest);
  tap->partial_record = rest;
  tap->partial_bytes = length;
  return true;
}

bool write_records(struct tap *tap, const struct iovec *parts, int count, size_t length,
                   uint64_t *records, uint64_t *bytes) {
  int fd = tap->sink->fd;
  *records = *bytes = 0;
  // EAGAIN: the reader of the pipe is slow. The parts are refused; the write did not fail.
  if (!finish_partial_record(tap)) return errno == EAGAIN;
  size_t done = write_all(fd, parts, count);
  int error = errno;
  if (done == length) return *records = tap->pending_packets, *bytes = length, true;
  size_t kept = whole_records(tap, parts, done, records);
  *bytes = kept;
  struct stat status;
  bool is_file = fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
  off_t torn = (off_t)(done - kept);
  if (is_file && torn > 0 && ftruncate(fd, status.st_size - torn) < 0) error = errno;
  if (!is_file && error == EAGAIN) {
    if (torn == 0) return true;
    size_t size = record_bytes_at(tap, parts, kept);
    if (keep_partial_record(tap, parts, done, kept + size - done)) {
      ++*records;
      *bytes += size;
      return true;
    }
  }
  errno = error;
  return false;
}
