// Writes encoded records to a file or a pipe: each whole or not at all.
// In: a job. Out: how many of its records were written. Cuts a file back after a failed write.
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

void copy_parts(const struct job *job, uint8_t *out) {
  copy_out(job->parts, 0, job_bytes(job), out);
}

static size_t record_bytes_at(const struct job *job, size_t at) {
  uint8_t head[12];
  copy_out(job->parts, at, sizeof head, head);
  return encoded_record_bytes(job->format, head);
}

// Counts the whole records in the first `done` bytes.
static void count_whole(struct job *job, size_t done) {
  size_t at = 0;
  for (job->written_packets = 0; at < done; job->written_packets++) {
    size_t size = record_bytes_at(job, at);
    if (at + size > done) break;
    at += size;
  }
  job->written_bytes = at;
}

static bool is_all_written(struct job *job, size_t done) {
  if (done != job_bytes(job)) return false;
  job->written_packets = job->packets;
  job->written_bytes = done;
  job->error = 0;
  return true;
}

void write_file(struct job *job) {
  size_t done = write_all(job->fd, job->parts, job->count);
  job->error = errno;
  if (is_all_written(job, done)) return;
  count_whole(job, done);
  off_t torn = (off_t)(done - job->written_bytes);
  struct stat status;
  if (torn == 0) return;
  bool is_cut = fstat(job->fd, &status) == 0 && ftruncate(job->fd, status.st_size - torn) == 0;
  if (!is_cut) job->error = errno;
}

// A pipe cannot be cut back: the rest of a record it took the beginning of is written first.
static bool finish_partial_record(struct tap *tap, int fd) {
  if (tap->partial_bytes == 0) return true;
  struct iovec rest = {tap->partial_record, tap->partial_bytes};
  size_t done = write_all(fd, &rest, 1);
  tap->partial_bytes -= done;
  memmove(tap->partial_record, tap->partial_record + done, tap->partial_bytes);
  return tap->partial_bytes == 0;
}

static bool keep_partial_record(struct tap *tap, const struct job *job, size_t from,
                                size_t length) {
  uint8_t *rest = realloc(tap->partial_record, length);
  if (!rest) return false;
  copy_out(job->parts, from, length, rest);
  tap->partial_record = rest;
  tap->partial_bytes = length;
  return true;
}

// EAGAIN: the reader of the pipe is slow. Records are refused; the write did not fail.
void write_pipe(struct tap *tap, struct job *job) {
  job->written_packets = job->written_bytes = 0;
  if (!finish_partial_record(tap, job->fd)) {
    job->error = errno == EAGAIN ? 0 : errno;
    return;
  }
  size_t done = write_all(job->fd, job->parts, job->count);
  job->error = errno;
  if (is_all_written(job, done)) return;
  count_whole(job, done);
  if (job->error != EAGAIN) return;
  size_t kept = job->written_bytes;
  size_t size = done > kept ? record_bytes_at(job, kept) : 0;
  if (size > 0 && !keep_partial_record(tap, job, done, kept + size - done)) return;
  job->error = 0;
  job->written_packets += size > 0;
  job->written_bytes += size;
}
