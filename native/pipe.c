// A pipe as a sink: its writing end never waits, so that a slow reader costs its own records only (sink.c).
#include "addon.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

// pipe(bytes) → [the end to read from, the end to write to]; both are the caller's to close
napi_value make_pipe(napi_env env, napi_callback_info info) {
  ARGUMENTS(1);
  double bytes;
  int ends[2];
  if (!number_of(env, argv[0], &bytes)) return NULL;
  if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0) return napi_throw_error(env, strerrorname_np(errno), "Cannot make a pipe"), NULL;
  fcntl(ends[1], F_SETPIPE_SZ, (int)bytes); // where the system allows less, it keeps the size that it has
  napi_value out;
  CHECK(napi_create_array_with_length(env, 2, &out));
  for (uint32_t i = 0; i < 2; i++) CHECK(napi_set_element(env, out, i, number(env, ends[i])));
  return out;
}
