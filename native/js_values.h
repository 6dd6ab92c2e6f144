// Conversion between JavaScript values and the addon's structs.
#pragma once
#include "reader.h"
#include <node_api.h>

// Returns NULL from a native function while an exception is pending.
#define CHECK(call) do { if ((call) != napi_ok) return NULL; } while (0)

// From JavaScript. False: the value has the wrong type and an exception is pending.
bool get_number(napi_env env, napi_value value, double *out);
bool get_text(napi_env env, napi_value value, char **out); // freed by the caller
bool get_group(napi_env env, napi_value value, struct limit_group **out);
bool get_window(napi_env env, napi_value value, struct window *out);
bool get_sink(napi_env env, napi_value value, struct sink **out); // freed by the caller
bool get_property(napi_env env, napi_value object, const char *name, napi_value *out);
bool get_number_property(napi_env env, napi_value object, const char *name, double *out);
bool get_bool_property(napi_env env, napi_value object, const char *name, bool *out);
bool get_text_property(napi_env env, napi_value object, const char *name, char **out);

// To JavaScript. NULL: an exception is pending.
napi_value make_number(napi_env env, double value);
napi_value make_buffer_use(napi_env env, const struct buffer_use *use);
napi_value make_event(napi_env env, const struct event *event);
