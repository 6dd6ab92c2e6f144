// What the files with native functions share: the instance of the addon in one environment.
#pragma once
#include "js_values.h"
#include "readers.h"

struct instance {
  int references; // one for the environment, one for each limit group of JavaScript's
  struct readers *readers; // NULL before start() and after the end of the environment
  napi_threadsafe_function callback;
  uint32_t last_tap;
};

// Copies the arguments. NULL: an argument is missing or start() was not called; it has thrown.
static inline struct instance *get_arguments(napi_env env, napi_callback_info info, size_t count,
                                             napi_value *argv) {
  size_t given = count;
  struct instance *instance;
  CHECK(napi_get_cb_info(env, info, &given, argv, NULL, NULL));
  CHECK(napi_get_instance_data(env, (void **)&instance));
  const char *fault = NULL;
  if (given < count) fault = "Cannot call the addon: an argument is missing";
  else if (!instance->readers) fault = "Cannot call the addon: expected start() to be called first";
  if (!fault) return instance;
  napi_throw_type_error(env, NULL, fault);
  return NULL;
}

#define ARGUMENTS(count) \
  napi_value argv[count]; \
  struct instance *instance = get_arguments(env, info, count, argv); \
  if (!instance) return NULL

// async_calls.c: calls that an event answers
napi_value compile(napi_env env, napi_callback_info info);
napi_value list_links(napi_env env, napi_callback_info info);
napi_value open_tap(napi_env env, napi_callback_info info);

// pipe.c
napi_value make_pipe(napi_env env, napi_callback_info info);
