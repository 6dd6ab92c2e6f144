// What the files of the addon's door share.
#pragma once
#include "reader.h"
#include <node_api.h>

struct instance {
  struct reader *reader;
  napi_threadsafe_function call;
  uint32_t next_tap;
};

#define CHECK(call) do { if ((call) != napi_ok) return NULL; } while (0)
#define ARGUMENTS(count) \
  napi_value argv[count]; size_t argc = count; struct instance *instance; \
  CHECK(napi_get_cb_info(env, info, &argc, argv, NULL, NULL)); \
  if (argc < count) return napi_throw_type_error(env, NULL, "Cannot call the addon: an argument is missing"), NULL; \
  CHECK(napi_get_instance_data(env, (void **)&instance)); \
  if (!instance->reader) return napi_throw_error(env, NULL, "Cannot call the addon: expected start() to be called first"), NULL

// values.c: what comes in is checked, what goes out is made. False: an exception is pending.
bool number_of(napi_env env, napi_value value, double *out);
bool text_of(napi_env env, napi_value value, char **out);
struct sink *sink_of(napi_env env, napi_value fd, napi_value bytes_left, napi_value is_empty);
bool window_of(napi_env env, napi_value from_ms, napi_value until_ms, struct window *out);
napi_value number(napi_env env, double value);
napi_value counters_object(napi_env env, const struct counters *counters);
napi_value event_object(napi_env env, const struct event *event);

// calls.c: calls that are answered later
napi_value compile(napi_env env, napi_callback_info info);
napi_value links(napi_env env, napi_callback_info info);
napi_value open_tap(napi_env env, napi_callback_info info);

// pipe.c
napi_value make_pipe(napi_env env, napi_callback_info info);

// addon.c
void emit_event(void *context, struct event *event);
