// Writing encoded records to the sink of a tap.
#pragma once
#include "selcap.h"
#include <sys/uio.h>

#define PARTS_MAX 64

// Writes the parts, which are whole records and together `length` long, to the tap's present sink.
// False: the write failed (errno) and the file was cut back to the last whole record.
// `*records` and `*bytes`: what was written.
bool write_records(struct tap *tap, const struct iovec *parts, int count, size_t length,
                   uint64_t *records, uint64_t *bytes);
