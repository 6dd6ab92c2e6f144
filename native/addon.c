// The door to JavaScript: checks what comes in, hands work to other threads, and calls one function of JavaScript's with what
// happened. Every asynchronous call carries a request number that comes back with its answer. One reader for each environment.
#include "reader.h"
#include <node_api.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct instance {
  struct reader *reader;
  napi_threadsafe_function call;
  uint32_t next_tap;
};

struct errand {
  struct reader *reader;
  struct instance *instance;
  uint32_t request, tap;
  struct tap_spec spec;
  struct group *group;
  struct sink *sink;
};

#define CHECK(call) do { if ((call) != napi_ok) return NULL; } while (0)
#define ARGUMENTS(count) \
  napi_value argv[count]; size_t argc = count; struct instance *instance; \
  CHECK(napi_get_cb_info(env, info, &argc, argv, NULL, NULL)); \
  if (argc < count) return napi_throw_type_error(env, NULL, "Cannot call the addon: an argument is missing"), NULL; \
  CHECK(napi_get_instance_data(env, (void **)&instance)); \
  if (!instance->reader) return napi_throw_error(env, NULL, "Cannot call the addon: expected start() to be called first"), NULL

static bool number_of(napi_env env, napi_value value, double *out) {
  if (napi_get_value_double(env, value, out) == napi_ok) return true;
  napi_throw_type_error(env, NULL, "Cannot call the addon: expected a number");
  return false;
}

static bool text_of(napi_env env, napi_value value, char **out) {
  size_t length;
  if (napi_get_value_string_utf8(env, value, NULL, 0, &length) != napi_ok) return napi_throw_type_error(env, NULL, "Cannot call the addon: expected a string"), false;
  *out = malloc(length + 1);
  if (!*out) return napi_throw_error(env, NULL, "Cannot call the addon: out of memory"), false;
  napi_get_value_string_utf8(env, value, *out, length + 1, &length);
  if (strlen(*out) == length) return true;
  free(*out);
  return napi_throw_type_error(env, NULL, "Cannot call the addon: expected a string without NUL"), false;
}

static napi_value number(napi_env env, double value) {
  napi_value out = NULL;
  napi_create_double(env, value, &out);
  return out;
}

static napi_value text(napi_env env, const char *value) {
  napi_value out = NULL;
  napi_create_string_utf8(env, value, NAPI_AUTO_LENGTH, &out);
  return out;
}

static void set(napi_env env, napi_value object, const char *name, napi_value value) { napi_set_named_property(env, object, name, value); }

static napi_value counters_object(napi_env env, const struct counters *counters) {
  napi_value out;
  CHECK(napi_create_object(env, &out));
  set(env, out, "received", number(env, (double)counters->received));
  set(env, out, "dropped", number(env, (double)counters->dropped));
  set(env, out, "packets", number(env, (double)counters->packets));
  set(env, out, "bytes", number(env, (double)counters->bytes));
  set(env, out, "refused", number(env, (double)counters->refused));
  set(env, out, "truncated", number(env, (double)counters->truncated));
  if (counters->last_ns > 0) set(env, out, "lastPacketMs", number(env, (double)counters->last_ns / 1e6));
  return out;
}

static napi_value links_array(napi_env env, const struct links *links) {
  napi_value out;
  CHECK(napi_create_array(env, &out));
  for (size_t i = 0; i < links->link_count; i++) {
    const struct link *link = &links->links[i];
    napi_value object, addresses, is_up;
    CHECK(napi_create_object(env, &object));
    CHECK(napi_create_array(env, &addresses));
    CHECK(napi_get_boolean(env, link->is_up, &is_up));
    uint32_t count = 0;
    for (size_t j = 0; j < links->address_count; j++)
      if (links->addresses[j].index == link->index) napi_set_element(env, addresses, count++, text(env, links->addresses[j].text));
    set(env, object, "name", text(env, link->name));
    set(env, object, "index", number(env, link->index));
    set(env, object, "kind", text(env, link->kind));
    set(env, object, "isUp", is_up);
    set(env, object, "mtu", number(env, link->mtu));
    set(env, object, "gsoMaxBytes", number(env, link->gso_max));
    set(env, object, "peerIndex", link->peer_index ? number(env, link->peer_index) : NULL);
    set(env, object, "addresses", addresses);
    napi_set_element(env, out, (uint32_t)i, object);
  }
  return out;
}

static napi_value event_object(napi_env env, const struct event *event) {
  static const char *kinds[] = {"firstPacket", "moved", "limit", "writeFailed", "down", "link", "linksLost", "done", "failed"};
  napi_value out, flag, is_up;
  CHECK(napi_create_object(env, &out));
  CHECK(napi_get_boolean(env, event->flag, &flag));
  CHECK(napi_get_boolean(env, event->is_up, &is_up));
  set(env, out, "kind", text(env, kinds[event->kind]));
  set(env, out, "id", number(env, event->id));
  set(env, out, "number", number(env, (double)event->number));
  set(env, out, "flag", flag);
  set(env, out, "isUp", is_up);
  set(env, out, "code", text(env, event->failure.code));
  set(env, out, "message", text(env, event->failure.message));
  set(env, out, "counters", counters_object(env, &event->counters));
  set(env, out, "links", links_array(env, &event->links));
  return out;
}

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

static void emit(void *context, struct event *event) {
  struct instance *instance = context;
  if (napi_call_threadsafe_function(instance->call, event, napi_tsfn_nonblocking) == napi_ok) return;
  free(event->links.links);
  free(event->links.addresses);
  free(event);
}

static void answer(struct instance *instance, struct event event) {
  struct event *copy = malloc(sizeof *copy);
  if (!copy) abort();
  *copy = event;
  emit(instance, copy);
}

static void end_errand(struct errand *errand) {
  free(errand->spec.netns);
  free(errand->spec.filter);
  free(errand);
}

static struct errand *begin_errand(napi_env env, struct instance *instance, napi_value request) {
  double id;
  if (!number_of(env, request, &id)) return NULL;
  struct errand *errand = calloc(1, sizeof *errand);
  if (!errand) return napi_throw_error(env, NULL, "Cannot call the addon: out of memory"), NULL;
  errand->reader = instance->reader;
  errand->instance = instance;
  errand->request = (uint32_t)id;
  return errand;
}

static napi_value send_errand(napi_env env, struct errand *errand, void *(*work)(void *)) {
  if (run_elsewhere(errand->reader, work, errand)) return NULL;
  end_errand(errand);
  return napi_throw_error(env, NULL, "Cannot call the addon: no thread can be made"), NULL;
}

static void *compile_work(void *argument) {
  struct errand *errand = argument;
  struct event event = {.kind = EVENT_FAILED, .id = errand->request};
  struct program program;
  if (compile_filter(errand->spec.filter, errand->spec.snap_length, NULL, &program, &event.failure)) {
    event.kind = EVENT_DONE;
    event.number = program.count;
    free(program.instructions);
  }
  answer(errand->instance, event);
  end_errand(errand);
  return NULL;
}

// compile(request, text, snapLength)
static napi_value compile(napi_env env, napi_callback_info info) {
  ARGUMENTS(3);
  double snap_length;
  struct errand *errand = begin_errand(env, instance, argv[0]);
  if (!errand) return NULL;
  if (!text_of(env, argv[1], &errand->spec.filter) || !number_of(env, argv[2], &snap_length)) return end_errand(errand), NULL;
  errand->spec.snap_length = (uint32_t)snap_length;
  return send_errand(env, errand, compile_work);
}

static void *links_work(void *argument) {
  struct errand *errand = argument;
  struct event event = {.kind = EVENT_FAILED, .id = errand->request};
  if (read_links(errand->spec.netns, &event.links, &event.failure)) event.kind = EVENT_DONE;
  answer(errand->instance, event);
  end_errand(errand);
  return NULL;
}

// links(request, netns or '')
static napi_value links(napi_env env, napi_callback_info info) {
  ARGUMENTS(2);
  struct errand *errand = begin_errand(env, instance, argv[0]);
  if (!errand) return NULL;
  if (!text_of(env, argv[1], &errand->spec.netns)) return end_errand(errand), NULL;
  if (errand->spec.netns[0] == '\0') free(errand->spec.netns), errand->spec.netns = NULL;
  return send_errand(env, errand, links_work);
}

static void *open_work(void *argument) {
  struct errand *errand = argument;
  struct event event = {.kind = EVENT_FAILED, .id = errand->request};
  struct tap *tap = open_ring(&errand->spec, &event.failure);
  if (tap) {
    tap->id = errand->tap;
    tap->group = errand->group;
    tap->sink = errand->sink;
    event.kind = EVENT_DONE;
    event.number = (int64_t)tap->ring_bytes;
    tell(errand->reader, (struct command){.kind = COMMAND_ADD, .tap = tap});
  } else free(errand->sink);
  answer(errand->instance, event);
  end_errand(errand);
  return NULL;
}

static struct sink *sink_of(napi_env env, napi_value fd, napi_value bytes_left, napi_value is_empty) {
  double descriptor, left;
  bool empty;
  if (!number_of(env, fd, &descriptor) || !number_of(env, bytes_left, &left)) return NULL;
  if (napi_get_value_bool(env, is_empty, &empty) != napi_ok) return napi_throw_type_error(env, NULL, "Cannot call the addon: expected a boolean"), NULL;
  struct sink *sink = calloc(1, sizeof *sink);
  if (!sink) return napi_throw_error(env, NULL, "Cannot call the addon: out of memory"), NULL;
  *sink = (struct sink){.fd = (int)descriptor, .bytes_left = left > 9e18 ? INT64_MAX : (int64_t)left, .is_empty = empty};
  return sink;
}

// open(request, interface, netns or '', filter, snapLength, flags, ringBytes, group or null, fd, bytesLeft, isEmpty) → tap's number
static napi_value open_tap(napi_env env, napi_callback_info info) {
  ARGUMENTS(11);
  double snap_length, flags, ring_bytes;
  char *interface;
  struct errand *errand = begin_errand(env, instance, argv[0]);
  if (!errand) return NULL;
  if (!text_of(env, argv[1], &interface)) return end_errand(errand), NULL;
  bool is_name = strlen(interface) < sizeof errand->spec.interface;
  snprintf(errand->spec.interface, sizeof errand->spec.interface, "%s", interface);
  free(interface);
  if (!is_name) return end_errand(errand), napi_throw_range_error(env, NULL, "Cannot open tap: expected an interface name of at most 15 characters"), NULL;
  bool is_good = text_of(env, argv[2], &errand->spec.netns) && text_of(env, argv[3], &errand->spec.filter) && number_of(env, argv[4], &snap_length) &&
                 number_of(env, argv[5], &flags) && number_of(env, argv[6], &ring_bytes) && (errand->sink = sink_of(env, argv[8], argv[9], argv[10]));
  if (!is_good) return end_errand(errand), NULL;
  if (errand->spec.netns[0] == '\0') free(errand->spec.netns), errand->spec.netns = NULL;
  napi_valuetype type;
  if (napi_typeof(env, argv[7], &type) == napi_ok && type == napi_external) napi_get_value_external(env, argv[7], (void **)&errand->group);
  errand->spec.snap_length = (uint32_t)snap_length;
  errand->spec.format = (int)flags & 1 ? FORMAT_PCAPNG : FORMAT_PCAP;
  errand->spec.headers_only = (int)flags & 2;
  errand->spec.inside_is_pod = (int)flags & 4;
  errand->spec.ring_bytes = (size_t)ring_bytes;
  errand->tap = ++instance->next_tap;
  uint32_t tap = errand->tap;
  send_errand(env, errand, open_work);
  return number(env, tap);
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

// counters(tap) → its counters, or undefined once it is closed
static napi_value counters(napi_env env, napi_callback_info info) {
  ARGUMENTS(1);
  double tap;
  struct counters found;
  if (!number_of(env, argv[0], &tap) || !read_counters(instance->reader, (uint32_t)tap, &found)) return NULL;
  return counters_object(env, &found);
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
  CHECK(napi_get_value_external(env, argv[0], (void **)&group));
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
  instance->reader = start_reader(emit, instance);
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

static void forget(napi_env env, void *data, void *hint) { (void)env; (void)hint; free(data); }

NAPI_MODULE_INIT() {
  signal(SIGXFSZ, SIG_IGN); // a file at its size limit is an error of write(2), not the end of the process
  struct instance *instance = calloc(1, sizeof *instance);
  if (!instance) return NULL;
  CHECK(napi_set_instance_data(env, instance, forget, NULL));
  napi_property_descriptor functions[] = {
    {"start", 0, start, 0, 0, 0, napi_default, 0}, {"hold", 0, hold, 0, 0, 0, napi_default, 0},
    {"compile", 0, compile, 0, 0, 0, napi_default, 0}, {"links", 0, links, 0, 0, 0, napi_default, 0},
    {"open", 0, open_tap, 0, 0, 0, napi_default, 0}, {"offer", 0, offer, 0, 0, 0, napi_default, 0},
    {"order", 0, order, 0, 0, 0, napi_default, 0}, {"counters", 0, counters, 0, 0, 0, napi_default, 0},
    {"group", 0, make_group, 0, 0, 0, napi_default, 0}, {"setLeft", 0, set_left, 0, 0, 0, napi_default, 0},
    {"watchLinks", 0, watch_links, 0, 0, 0, napi_default, 0},
  };
  CHECK(napi_define_properties(env, exports, sizeof functions / sizeof *functions, functions));
  return exports;
}
