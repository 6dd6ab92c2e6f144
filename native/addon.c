// The door to JavaScript: checks what comes in, hands work to other threads, and calls one function of JavaScript's with what
// happened. Every asynchronous call carries a request number that comes back with its answer. One reader for each environment.
#include "addon.h"
#include <signal.h>
#include <stdlib.h>

// On the JavaScript thread; env is NULL while the environment is being taken down.
static void deliver(napi_env env, napi_value callback, void *context, void *data) {
  (void)context;
  struct event *event = data;
  napi_value undefined, argument;
  if (env && napi_get_undefined(env, &undefined) == napi_ok && (argument = event_object(env, event))) {
    napi_value result;
    if (napi_call_function(env, undefined, callback, 1, &argument, &result) == napi_pending_exception) {
      napi_value exception;
      napi_get_and_clear_last_exception(env, &exception);
      napi_fatal_exception(env, exception);
    }
  }
  free(event->links.links);
  free(event->links.addresses);
  free(event);
}

void emit_event(void *context, struct event *event) {
  struct instance *instance = context;
  if (napi_call_threadsafe_function(instance->call, event, napi_tsfn_nonblocking) == napi_ok) return;
  free(event->links.links);
  free(event->links.addresses);
  free(event);
}

// offer(tap, fd, bytesLeft, isEmpty)
static napi_value offer(napi_env env, napi_callback_info info) {
  ARGUMENTS(4);
  double tap;
  struct sink *sink;
  if (!number_of(env, argv[0], &tap) || !(sink = sink_of(env, argv[1], argv[2], argv[3]))) return NULL;
  tell(instance->reader, (struct command){.kind = COMMAND_OFFER, .id = (uint32_t)tap, .sink = sink});
  return NULL;
}

// order(what, tap, number): rotate, bytesLeft, retry, close (number: the request)
static napi_value order(napi_env env, napi_callback_info info) {
  ARGUMENTS(3);
  static const enum command_kind kinds[] = {COMMAND_ROTATE, COMMAND_BYTES_LEFT, COMMAND_RETRY, COMMAND_CLOSE};
  double what, tap, value;
  if (!number_of(env, argv[0], &what) || !number_of(env, argv[1], &tap) || !number_of(env, argv[2], &value)) return NULL;
  if (what < 0 || what > 3) return napi_throw_range_error(env, NULL, "Cannot call the addon: there is no such order"), NULL;
  tell(instance->reader, (struct command){.kind = kinds[(int)what], .id = (uint32_t)tap, .bytes = (int64_t)value, .request = (uint32_t)value});
  return NULL;
}

// setWindow(tap, fromMs, untilMs)
static napi_value set_window(napi_env env, napi_callback_info info) {
  ARGUMENTS(3);
  double tap;
  struct window window;
  if (!number_of(env, argv[0], &tap) || !window_of(env, argv[1], argv[2], &window)) return NULL;
  tell(instance->reader, (struct command){.kind = COMMAND_WINDOW, .id = (uint32_t)tap, .window = window});
  return NULL;
}

// counters(tap, Float64Array of 7: received, dropped, packets, bytes, refused, truncated, time of the last packet in ms or 0)
// → whether it is still open. Asked each second of each tap: numbers into an array cost less than an object made here, name by name.
static napi_value counters(napi_env env, napi_callback_info info) {
  ARGUMENTS(2);
  double tap, *out;
  size_t length;
  napi_typedarray_type type;
  struct counters found;
  if (!number_of(env, argv[0], &tap)) return NULL;
  if (napi_get_typedarray_info(env, argv[1], &type, &length, (void **)&out, NULL, NULL) != napi_ok || type != napi_float64_array || length < 7)
    return napi_throw_type_error(env, NULL, "Cannot call the addon: expected a Float64Array of 7"), NULL;
  bool is_open = read_counters(instance->reader, (uint32_t)tap, &found);
  if (is_open) {
    const uint64_t counts[] = {found.received, found.dropped, found.packets, found.bytes, found.refused, found.truncated};
    for (size_t i = 0; i < 6; i++) out[i] = (double)counts[i];
    out[6] = (double)found.last_ns / 1e6;
  }
  napi_value answer;
  CHECK(napi_get_boolean(env, is_open, &answer));
  return answer;
}

static void release_group(napi_env env, void *data, void *hint) {
  (void)hint;
  struct instance *instance;
  if (napi_get_instance_data(env, (void **)&instance) != napi_ok || !instance || !instance->reader) return free(data);
  tell(instance->reader, (struct command){.kind = COMMAND_RELEASE, .group = data});
}

// group() → an external for open() and setLeft()
static napi_value make_group(napi_env env, napi_callback_info info) {
  (void)info;
  struct group *group = calloc(1, sizeof *group);
  if (!group) return napi_throw_error(env, NULL, "Cannot call the addon: out of memory"), NULL;
  *group = (struct group){.references = 1, .packets_left = -1, .bytes_left = -1};
  napi_value out;
  CHECK(napi_create_external(env, group, release_group, NULL, &out));
  return out;
}

// setLeft(group, packets or -1, bytes or -1)
static napi_value set_left(napi_env env, napi_callback_info info) {
  ARGUMENTS(3);
  double packets, bytes;
  struct group *group;
  if (napi_get_value_external(env, argv[0], (void **)&group) != napi_ok) return napi_throw_type_error(env, NULL, "Cannot call the addon: expected a group"), NULL;
  if (!number_of(env, argv[1], &packets) || !number_of(env, argv[2], &bytes)) return NULL;
  tell(instance->reader, (struct command){.kind = COMMAND_SET_LEFT, .group = group, .packets = (int64_t)packets, .bytes = (int64_t)bytes});
  return NULL;
}

static napi_value watch_links(napi_env env, napi_callback_info info) {
  (void)info;
  struct instance *instance;
  CHECK(napi_get_instance_data(env, (void **)&instance));
  if (instance->reader) tell(instance->reader, (struct command){.kind = COMMAND_WATCH_LINKS});
  return NULL;
}

static void end(void *data) {
  struct instance *instance = data;
  if (instance->reader) stop_reader(instance->reader);
  instance->reader = NULL;
}

// start(callback): once for each environment
static napi_value start(napi_env env, napi_callback_info info) {
  napi_value callback, name;
  size_t argc = 1;
  struct instance *instance;
  CHECK(napi_get_cb_info(env, info, &argc, &callback, NULL, NULL));
  CHECK(napi_get_instance_data(env, (void **)&instance));
  if (instance->reader) return napi_throw_error(env, NULL, "Cannot start the addon: it was started already"), NULL;
  CHECK(napi_create_string_utf8(env, "selcap", NAPI_AUTO_LENGTH, &name));
  CHECK(napi_create_threadsafe_function(env, callback, NULL, name, 0, 1, NULL, NULL, NULL, deliver, &instance->call));
  instance->reader = start_reader(emit_event, instance);
  if (!instance->reader) return napi_throw_error(env, NULL, "Cannot start the addon: no thread can be made"), NULL;
  CHECK(napi_add_env_cleanup_hook(env, end, instance));
  return NULL;
}

// hold(isHeld): whether something is under way that JavaScript must live to see
static napi_value hold(napi_env env, napi_callback_info info) {
  ARGUMENTS(1);
  bool is_held;
  CHECK(napi_get_value_bool(env, argv[0], &is_held));
  if (is_held) napi_ref_threadsafe_function(env, instance->call);
  else napi_unref_threadsafe_function(env, instance->call);
  return NULL;
}


NAPI_MODULE_INIT() {
  signal(SIGXFSZ, SIG_IGN); // a file at its size limit is an error of write(2), not the end of the process
  struct instance *instance = calloc(1, sizeof *instance);
  if (!instance) return NULL;
  CHECK(napi_set_instance_data(env, instance, NULL, NULL)); // never freed: groups are released after it, when an environment ends
  napi_property_descriptor functions[] = {
    {"start", 0, start, 0, 0, 0, napi_default, 0}, {"hold", 0, hold, 0, 0, 0, napi_default, 0},
    {"compile", 0, compile, 0, 0, 0, napi_default, 0}, {"links", 0, links, 0, 0, 0, napi_default, 0},
    {"open", 0, open_tap, 0, 0, 0, napi_default, 0}, {"offer", 0, offer, 0, 0, 0, napi_default, 0},
    {"order", 0, order, 0, 0, 0, napi_default, 0}, {"setWindow", 0, set_window, 0, 0, 0, napi_default, 0}, {"counters", 0, counters, 0, 0, 0, napi_default, 0},
    {"group", 0, make_group, 0, 0, 0, napi_default, 0}, {"setLeft", 0, set_left, 0, 0, 0, napi_default, 0},
    {"watchLinks", 0, watch_links, 0, 0, 0, napi_default, 0}, {"pipe", 0, make_pipe, 0, 0, 0, napi_default, 0},
  };
  CHECK(napi_define_properties(env, exports, sizeof functions / sizeof *functions, functions));
  return exports;
}
