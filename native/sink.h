// Writing what is encoded.
#pragma once
#include "selcap.h"

// Writes the whole buffer to the present sink of the tap. False: it failed (errno), and the file was cut back to the last
// whole record; `*records` and `*bytes` say what did get written.
bool write_records(struct tap *tap, const uint8_t *buffer, size_t length, uint64_t *records, uint64_t *bytes);
