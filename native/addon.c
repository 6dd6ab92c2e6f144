// The native functions that JavaScript calls, and the callback that takes the events.
// In: checked arguments. Out: commands for the reader, events for JavaScript. One reader for each
// environment. Calls that block are in async_calls.c.
#include "addon.h"
#include <signal.h>
#include <stdlib.h>

// On the JavaScript thread; env is NULL while the environment is torn down.
static void deliver_event(napi_env env, napi_value callback, void *context, void *data) {
  (void)context;
  struct event *event = data;
  napi_value undefined, argument, result;
  bool is_alive = env && napi_get_undefined(env, &undefined) == napi_ok;
  argument = is_alive ? make_event(env, event) : NULL;
  free_event(event);
  if (!argument) return;
  napi_status status = napi_call_function(env, undefined, callback, 1, &argument, &result);
  if (status != napi_pending_exception) return;
  napi_value exception;
  napi_get_and_clear_last_exception(env, &exception);
  napi_fatal_exception(env, exception);
}

// On any thread.
static void queue_event(void *context, struct event *event) {
  struct instance *instance = context;
  napi_threadsafe_function callback = instance->callback;
  if (napi_call_threadsafe_function(callback, event, napi_tsfn_nonblocking) == napi_ok) return;
  free_event(event); // the environment has ended
}

// offer(tap, { fd, bytesLeft, isEmpty, device })
static napi_value offer(napi_env env, napi_callback_info info) {
  ARGUMENTS(2);
  double tap;
  struct sink *sink;
  if (!get_number(env, argv[0], &tap) || !get_sink(env, argv[1], &sink)) return NULL;
  struct command command = {.kind = COMMAND_OFFER_SINK, .id = (uint32_t)tap, .sink = sink};
  post_tap_command(instance->readers, command);
  return NULL;
}

static napi_value post_simple(napi_env env, napi_callback_info info, enum command_kind kind) {
  ARGUMENTS(1);
  double tap;
  if (!get_number(env, argv[0], &tap)) return NULL;
  post_tap_command(instance->readers, (struct command){.kind = kind, .id = (uint32_t)tap});
  return NULL;
}

// rotate(tap)
static napi_value rotate(napi_env env, napi_callback_info info) {
  return post_simple(env, info, COMMAND_ROTATE);
}

// retry(tap)
static napi_value retry(napi_env env, napi_callback_info info) {
  return post_simple(env, info, COMMAND_RETRY);
}

// setBytesLeft(tap, bytes)
static napi_value set_bytes_left(napi_env env, napi_callback_info info) {
  ARGUMENTS(2);
  double tap, bytes;
  if (!get_number(env, argv[0], &tap) || !get_number(env, argv[1], &bytes)) return NULL;
  struct command command = {.kind = COMMAND_SET_BYTES_LEFT, .id = (uint32_t)tap};
  command.bytes = (int64_t)bytes;
  post_tap_command(instance->readers, command);
  return NULL;
}

// close(call, tap) → EVENT_CLOSED
static napi_value close_tap(napi_env env, napi_callback_info info) {
  ARGUMENTS(2);
  double request, tap;
  if (!get_number(env, argv[0], &request) || !get_number(env, argv[1], &tap)) return NULL;
  struct command command = {.kind = COMMAND_CLOSE, .id = (uint32_t)tap};
  command.request = (uint32_t)request;
  post_tap_command(instance->readers, command);
  return NULL;
}

// setWindow(tap, { fromMs, untilMs })
static napi_value set_window(napi_env env, napi_callback_info info) {
  ARGUMENTS(2);
  double tap;
  struct window window;
  if (!get_number(env, argv[0], &tap) || !get_window(env, argv[1], &window)) return NULL;
  struct command command = {.kind = COMMAND_SET_WINDOW, .id = (uint32_t)tap, .window = window};
  post_tap_command(instance->readers, command);
  return NULL;
}

// counters(tap, Float64Array of 9: received, dropped, packets, bytes, refused, truncated, time of
// the last packet in ms or 0, bytes that wait for the disk, for how many ms) → whether the tap is
// open. Called each second for each tap: numbers
// in an array cost less than an object with named properties.
static napi_value counters(napi_env env, napi_callback_info info) {
  ARGUMENTS(2);
  double tap, *out;
  size_t length;
  napi_typedarray_type type;
  struct counters found;
  struct waiting waiting;
  if (!get_number(env, argv[0], &tap)) return NULL;
  napi_status status =
    napi_get_typedarray_info(env, argv[1], &type, &length, (void **)&out, NULL, NULL);
  if (status != napi_ok || type != napi_float64_array || length < 9)
    return napi_throw_type_error(
             env, NULL, "Cannot call the addon: expected a Float64Array of 9"), NULL;
  bool is_open = read_counters(instance->readers, (uint32_t)tap, &found, &waiting);
  if (is_open) {
    const uint64_t counts[] = {
      found.received, found.dropped, found.packets, found.bytes, found.refused, found.truncated,
    };
    for (size_t i = 0; i < 6; i++) out[i] = (double)counts[i];
    out[6] = (double)found.last_ns / 1e6;
    out[7] = (double)waiting.bytes;
    out[8] = (double)waiting.oldest_ms;
  }
  napi_value answer;
  CHECK(napi_get_boolean(env, is_open, &answer));
  return answer;
}

// changes() → another number when any tap counted anything, and while packets wait for a disk
static napi_value changes(napi_env env, napi_callback_info info) {
  ARGUMENTS(0);
  (void)argv;
  napi_value answer;
  CHECK(napi_create_double(env, (double)(read_changes(instance->readers) >> 11), &answer));
  return answer;
}

static void release_instance(struct instance *instance) {
  if (--instance->references == 0) free(instance);
}

// When an environment ends, groups and instance are finalized in no order that Node-API promises:
// each group holds a reference to the instance.
static void finalize_group(napi_env env, void *data, void *hint) {
  (void)env;
  struct instance *instance = hint;
  // Through the reader, after the commands that still refer to the group.
  struct command command = {.kind = COMMAND_RELEASE_GROUP, .group = data};
  if (instance->readers) post_group_command(instance->readers, command);
  else release_group(data);
  release_instance(instance);
}

static void finalize_instance(napi_env env, void *data, void *hint) {
  (void)env, (void)hint;
  release_instance(data);
}

// limitGroup() → an external for open() and setLimits()
static napi_value make_limit_group(napi_env env, napi_callback_info info) {
  ARGUMENTS(0);
  (void)argv;
  struct limit_group *group = create_group();
  if (!group) return napi_throw_error(env, NULL, "Cannot call the addon: out of memory"), NULL;
  napi_value out;
  if (napi_create_external(env, group, finalize_group, instance, &out) != napi_ok)
    return release_group(group), NULL;
  instance->references++;
  return out;
}

// setLimits(group, packets or -1, bytes or -1)
static napi_value set_limits(napi_env env, napi_callback_info info) {
  ARGUMENTS(3);
  double packets, bytes;
  struct limit_group *group;
  if (!get_group(env, argv[0], &group) || !get_number(env, argv[1], &packets)) return NULL;
  if (!get_number(env, argv[2], &bytes)) return NULL;
  struct command command = {.kind = COMMAND_SET_LIMITS, .group = group};
  command.packets = (int64_t)packets;
  command.bytes = (int64_t)bytes;
  post_group_command(instance->readers, command);
  return NULL;
}

// setBufferBytesMax(bytes)
static napi_value set_buffer_bytes_max(napi_env env, napi_callback_info info) {
  ARGUMENTS(1);
  double bytes;
  if (!get_number(env, argv[0], &bytes)) return NULL;
  struct command command = {.kind = COMMAND_SET_BUFFER_MAX};
  command.bytes = (int64_t)bytes;
  post_to_all(instance->readers, command);
  return NULL;
}

// buffer() → { bytes, highWaterBytes, devices: [{ device, bytes, oldestMs }] }, which wait for disks
static napi_value buffer(napi_env env, napi_callback_info info) {
  ARGUMENTS(0);
  (void)argv;
  struct buffer_use use;
  if (!read_buffer_use(instance->readers, &use))
    return napi_throw_error(env, NULL, "Cannot call the addon: out of memory"), NULL;
  napi_value out = make_buffer_use(env, &use);
  free(use.devices);
  return out;
}

// setReaders(most, busyPercent): at most so many threads read, and one gives taps away that is busy
// for so much of the time; 0: always, for tests
static napi_value set_readers_options(napi_env env, napi_callback_info info) {
  ARGUMENTS(2);
  double most, busy_percent;
  if (!get_number(env, argv[0], &most) || !get_number(env, argv[1], &busy_percent)) return NULL;
  set_readers(instance->readers, (uint32_t)most, (uint32_t)busy_percent);
  return NULL;
}

// readers() → [how many read, how many taps were moved between them]
static napi_value readers(napi_env env, napi_callback_info info) {
  ARGUMENTS(0);
  (void)argv;
  struct readers_use use = read_readers_use(instance->readers);
  napi_value out;
  CHECK(napi_create_array(env, &out));
  napi_set_element(env, out, 0, make_number(env, use.count));
  napi_set_element(env, out, 1, make_number(env, (double)use.moves));
  return out;
}

// watchLinks()
static napi_value watch_links(napi_env env, napi_callback_info info) {
  ARGUMENTS(0);
  (void)argv;
  post_command(first_reader(instance->readers), (struct command){.kind = COMMAND_WATCH_LINKS});
  return NULL;
}

static void stop_instance(void *data) {
  struct instance *instance = data;
  stop_readers(instance->readers);
  instance->readers = NULL;
  // Node frees it only after the last thread that uses it has released it.
  napi_release_threadsafe_function(instance->callback, napi_tsfn_release);
}

// start(callback): once for each environment
static napi_value start(napi_env env, napi_callback_info info) {
  napi_value callback, name;
  size_t argc = 1;
  struct instance *instance;
  CHECK(napi_get_cb_info(env, info, &argc, &callback, NULL, NULL));
  CHECK(napi_get_instance_data(env, (void **)&instance));
  if (instance->readers)
    return napi_throw_error(env, NULL, "Cannot start the addon: it was started already"), NULL;
  CHECK(napi_create_string_utf8(env, "selcap", NAPI_AUTO_LENGTH, &name));
  CHECK(napi_create_threadsafe_function(env, callback, NULL, name, 0, 1, NULL, NULL, NULL,
                                        deliver_event, &instance->callback));
  instance->readers = start_readers(queue_event, instance);
  if (!instance->readers) {
    napi_release_threadsafe_function(instance->callback, napi_tsfn_abort);
    return napi_throw_error(env, NULL, "Cannot start the addon: no thread can be made"), NULL;
  }
  CHECK(napi_add_env_cleanup_hook(env, stop_instance, instance));
  return NULL;
}

// ref(): the process lives while a call waits for its answer
static napi_value ref(napi_env env, napi_callback_info info) {
  ARGUMENTS(0);
  (void)argv;
  napi_ref_threadsafe_function(env, instance->callback);
  return NULL;
}

// unref(): no call waits
static napi_value unref(napi_env env, napi_callback_info info) {
  ARGUMENTS(0);
  (void)argv;
  napi_unref_threadsafe_function(env, instance->callback);
  return NULL;
}

#define FUNCTION(name, function) {name, 0, function, 0, 0, 0, napi_default, 0}

NAPI_MODULE_INIT() {
  // A write beyond the size limit of files then fails with EFBIG and does not end the process.
  signal(SIGXFSZ, SIG_IGN);
  struct instance *instance = calloc(1, sizeof *instance);
  if (!instance) return NULL;
  instance->references = 1;
  CHECK(napi_set_instance_data(env, instance, finalize_instance, NULL));
  napi_property_descriptor functions[] = {
    FUNCTION("start", start), FUNCTION("ref", ref), FUNCTION("unref", unref),
    FUNCTION("compile", compile), FUNCTION("links", list_links), FUNCTION("open", open_tap),
    FUNCTION("offer", offer), FUNCTION("rotate", rotate), FUNCTION("retry", retry),
    FUNCTION("setBytesLeft", set_bytes_left), FUNCTION("setWindow", set_window),
    FUNCTION("counters", counters), FUNCTION("close", close_tap),
    FUNCTION("limitGroup", make_limit_group), FUNCTION("setLimits", set_limits),
    FUNCTION("setBufferBytesMax", set_buffer_bytes_max), FUNCTION("buffer", buffer),
    FUNCTION("changes", changes),
    FUNCTION("setReaders", set_readers_options), FUNCTION("readers", readers),
    FUNCTION("watchLinks", watch_links), FUNCTION("pipe", make_pipe),
  };
  CHECK(napi_define_properties(env, exports, sizeof functions / sizeof *functions, functions));
  return exports;
}
