// A pipe as a sink. Its writing end does not block, so that a slow reader loses only its own
// records (sink.c).
#include "addon.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

// pipe(bytes) → [reading end, writing end]; the caller closes both
napi_value make_pipe(napi_env env, napi_callback_info info) {
  ARGUMENTS(1);
  (void)instance;
  double bytes;
  int ends[2];
  if (!get_number(env, argv[0], &bytes)) return NULL;
  if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
    return napi_throw_error(env, strerrorname_np(errno), "Cannot make a pipe"), NULL;
  // Where the system allows less, the pipe keeps its size.
  fcntl(ends[1], F_SETPIPE_SZ, (int)bytes);
  napi_value out;
  CHECK(napi_create_array_with_length(env, 2, &out));
  for (uint32_t i = 0; i < 2; i++)
    CHECK(napi_set_element(env, out, i, make_number(env, ends[i])));
  return out;
}
