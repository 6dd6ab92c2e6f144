// Native functions that block, run on workers: compile(), links(), open().
// In: the number of the call and its arguments. Out: one event that carries that number.
#include "addon.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct async_call {
  struct readers *readers;
  uint32_t request, tap;
  struct tap_spec spec;
  struct limit_group *group;
  struct sink *sink;
};

static void free_call(struct async_call *call) {
  free(call->spec.netns);
  free(call->spec.filter);
  free(call->sink); // the sink and the group are NULL once a tap owns them
  release_group(call->group);
  free(call);
}

static struct async_call *create_call(napi_env env, struct instance *instance, double request) {
  struct async_call *call = calloc(1, sizeof *call);
  if (!call) return napi_throw_error(env, NULL, "Cannot call the addon: out of memory"), NULL;
  call->readers = instance->readers;
  call->request = (uint32_t)request;
  return call;
}

static napi_value start_call(napi_env env, struct async_call *call, void (*run)(void *)) {
  if (run_on_worker(first_reader(call->readers), run, call)) return NULL;
  free_call(call);
  return napi_throw_error(env, NULL, "Cannot call the addon: no thread can be made"), NULL;
}

static void run_compile(void *argument) {
  struct async_call *call = argument;
  struct event event = {.kind = EVENT_FAILED, .id = call->request};
  struct program program;
  call->spec.link_type = LINK_ETHERNET;
  if (compile_filter(call->spec.filter, &call->spec, NULL, &program, &event.failed)) {
    event.kind = EVENT_COMPILED;
    event.compiled.instructions = program.count;
    free(program.instructions);
  }
  emit(first_reader(call->readers), event);
  free_call(call);
}

// compile(call, filter, snapLength, instructionsMax) → EVENT_COMPILED
napi_value compile(napi_env env, napi_callback_info info) {
  ARGUMENTS(4);
  double request, snap_length, instructions_max;
  char *filter;
  if (!get_number(env, argv[0], &request) || !get_number(env, argv[2], &snap_length)) return NULL;
  if (!get_number(env, argv[3], &instructions_max) || !get_text(env, argv[1], &filter)) return NULL;
  struct async_call *call = create_call(env, instance, request);
  if (!call) return free(filter), NULL;
  call->spec.filter = filter;
  call->spec.snap_length = (uint32_t)snap_length;
  call->spec.instructions_max = (uint32_t)instructions_max;
  return start_call(env, call, run_compile);
}

static void run_list_links(void *argument) {
  struct async_call *call = argument;
  struct event event = {.kind = EVENT_FAILED, .id = call->request};
  struct links links;
  if (read_links(call->spec.netns, &links, &event.failed)) {
    event.kind = EVENT_LISTED;
    event.listed.links = links;
  }
  emit(first_reader(call->readers), event);
  free_call(call);
}

// An empty path is the network namespace of this process.
static void set_netns(struct tap_spec *spec, char *path) {
  bool is_own = path[0] == '\0';
  spec->netns = is_own ? NULL : path;
  if (is_own) free(path);
}

// links(call, netns or '') → EVENT_LISTED
napi_value list_links(napi_env env, napi_callback_info info) {
  ARGUMENTS(2);
  double request;
  char *netns;
  if (!get_number(env, argv[0], &request) || !get_text(env, argv[1], &netns)) return NULL;
  struct async_call *call = create_call(env, instance, request);
  if (!call) return free(netns), NULL;
  set_netns(&call->spec, netns);
  return start_call(env, call, run_list_links);
}

static void run_open(void *argument) {
  struct async_call *call = argument;
  struct event event = {.kind = EVENT_FAILED, .id = call->request};
  struct tap *tap = open_ring(&call->spec, &event.failed);
  if (tap) {
    tap->id = call->tap;
    tap->capture_group = call->group;
    tap->sink = call->sink;
    call->sink = NULL;
    call->group = NULL;
    event.kind = EVENT_OPENED;
    event.opened.ring_bytes = tap->ring_bytes;
    add_tap_to_readers(call->readers, tap);
  }
  emit(first_reader(call->readers), event);
  free_call(call);
}

static bool get_interface(napi_env env, napi_value options, struct tap_spec *spec) {
  char *name;
  if (!get_text_property(env, options, "interfaceName", &name)) return false;
  bool is_short = strlen(name) < sizeof spec->interface;
  if (is_short) strcpy(spec->interface, name);
  free(name);
  if (is_short) return true;
  napi_throw_range_error(
    env, NULL, "Cannot open tap: expected an interface name of at most 15 characters");
  return false;
}

// netnsId "": any; index 0: any; linkType: LINKTYPE_*.
static bool get_identity(napi_env env, napi_value options, struct tap_spec *spec) {
  double index, link_type;
  char *netns_id;
  if (!get_number_property(env, options, "index", &index)) return false;
  if (!get_number_property(env, options, "linkType", &link_type)) return false;
  if (!get_text_property(env, options, "netnsId", &netns_id)) return false;
  snprintf(spec->netns_id, sizeof spec->netns_id, "%s", netns_id);
  free(netns_id);
  spec->index = (int)index;
  spec->link_type = (enum link_type)link_type;
  return true;
}

static bool get_format(napi_env env, napi_value options, struct tap_spec *spec) {
  char *format;
  if (!get_text_property(env, options, "format", &format)) return false;
  bool is_pcapng = strcmp(format, "pcapng") == 0, is_known = is_pcapng || !strcmp(format, "pcap");
  spec->format = is_pcapng ? FORMAT_PCAPNG : FORMAT_PCAP;
  free(format);
  if (is_known) return true;
  napi_throw_range_error(env, NULL, "Cannot open tap: expected the format pcap or pcapng");
  return false;
}

static bool get_numbers(napi_env env, napi_value options, struct tap_spec *spec) {
  double snap_length, ring_bytes, instructions_max;
  if (!get_number_property(env, options, "snapLength", &snap_length)) return false;
  if (!get_number_property(env, options, "ringBytes", &ring_bytes)) return false;
  if (!get_number_property(env, options, "instructionsMax", &instructions_max)) return false;
  spec->snap_length = (uint32_t)snap_length;
  spec->ring_bytes = (size_t)ring_bytes;
  spec->instructions_max = (uint32_t)instructions_max;
  return true;
}

static bool get_spec(napi_env env, napi_value options, struct tap_spec *spec) {
  char *netns;
  napi_value window;
  if (!get_interface(env, options, spec) || !get_format(env, options, spec)) return false;
  if (!get_identity(env, options, spec)) return false;
  if (!get_numbers(env, options, spec)) return false;
  if (!get_bool_property(env, options, "headersOnly", &spec->headers_only)) return false;
  if (!get_bool_property(env, options, "insideIsPod", &spec->inside_is_pod)) return false;
  if (!get_property(env, options, "window", &window)) return false;
  if (!get_window(env, window, &spec->window)) return false;
  if (!get_text_property(env, options, "filter", &spec->filter)) return false;
  if (!get_text_property(env, options, "netns", &netns)) return false;
  set_netns(spec, netns);
  return true;
}

// The limit group is null where the capture has no limit. The call retains it, because JavaScript
// may drop its reference before the tap is open.
static bool get_owners(napi_env env, napi_value options, struct async_call *call) {
  napi_value value, sink;
  napi_valuetype type;
  struct limit_group *group;
  if (!get_property(env, options, "group", &value)) return false;
  if (!get_property(env, options, "sink", &sink)) return false;
  bool has_group = napi_typeof(env, value, &type) != napi_ok || type != napi_null;
  if (has_group && !get_group(env, value, &group)) return false;
  if (has_group) call->group = retain_group(group);
  return get_sink(env, sink, &call->sink);
}

// open({ call, interfaceName, index, linkType, netns or '', netnsId, filter, snapLength, format, headersOnly, insideIsPod,
// ringBytes, instructionsMax, group or null, sink, window }) → the tap's number, EVENT_OPENED
napi_value open_tap(napi_env env, napi_callback_info info) {
  ARGUMENTS(1);
  double request;
  if (!get_number_property(env, argv[0], "call", &request)) return NULL;
  struct async_call *call = create_call(env, instance, request);
  if (!call) return NULL;
  if (!get_spec(env, argv[0], &call->spec) || !get_owners(env, argv[0], call))
    return free_call(call), NULL;
  uint32_t tap = call->tap = ++instance->last_tap;
  start_call(env, call, run_open);
  return make_number(env, tap);
}
