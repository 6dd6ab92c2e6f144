// Writing what is encoded.
#pragma once
#include "selcap.h"
#include <sys/uio.h>

#define PARTS_MAX 64

// Writes the parts, which are whole records and together `length` long, to the present sink of the tap. False: it failed
// (errno), and the file was cut back to the last whole record; `*records` and `*bytes` say what did get written.
bool write_records(struct tap *tap, const struct iovec *parts, int count, size_t length, uint64_t *records, uint64_t *bytes);
