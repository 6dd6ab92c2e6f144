// Writing what is encoded.
#pragma once
#include "selcap.h"
#include <sys/uio.h>

// Writes the whole buffer to the present sink of the tap. False: it failed (errno), and the file was cut back to the last
// whole record; `*records` and `*bytes` say what did get written.
bool write_records(struct tap *tap, const uint8_t *buffer, size_t length, uint64_t *records, uint64_t *bytes);

// Writes one record out of parts, to a file only (is_file_sink). False: it failed (errno), and the file is as it was.
bool write_parts(struct tap *tap, const struct iovec *parts, int count, size_t length);
bool is_file_sink(const struct tap *tap);
