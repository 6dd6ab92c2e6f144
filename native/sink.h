// Writing encoded records to a file or a pipe.
#pragma once
#include "store.h"

// Write a job and set its answer. A file is cut back to its last whole record after a failed write.
void write_file(struct job *job);
void write_pipe(struct tap *tap, struct job *job);

void copy_parts(const struct job *job, uint8_t *out);
