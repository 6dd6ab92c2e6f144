// Calls that take time: done on other threads (errand.c), answered through an event that carries the call's number.
#include "addon.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct errand {
  struct reader *reader;
  struct instance *instance;
  uint32_t request, tap;
  struct tap_spec spec;
  struct group *group;
  struct sink *sink;
};

static void answer(struct instance *instance, struct event event) {
  struct event *copy = malloc(sizeof *copy);
  if (!copy) abort();
  *copy = event;
  emit_event(instance, copy);
}

static void end_errand(struct errand *errand) {
  free(errand->spec.netns);
  free(errand->spec.filter);
  free(errand->sink); // unless a tap took it
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
  if (compile_filter(errand->spec.filter, &errand->spec, NULL, &program, &event.failure)) {
    event.kind = EVENT_DONE;
    event.number = program.count;
    free(program.instructions);
  }
  answer(errand->instance, event);
  end_errand(errand);
  return NULL;
}

// compile(request, text, snapLength, instructionsMax)
napi_value compile(napi_env env, napi_callback_info info) {
  ARGUMENTS(4);
  double snap_length, instructions_max;
  struct errand *errand = begin_errand(env, instance, argv[0]);
  if (!errand) return NULL;
  if (!text_of(env, argv[1], &errand->spec.filter) || !number_of(env, argv[2], &snap_length) || !number_of(env, argv[3], &instructions_max)) return end_errand(errand), NULL;
  errand->spec.snap_length = (uint32_t)snap_length;
  errand->spec.instructions_max = (uint32_t)instructions_max;
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
napi_value links(napi_env env, napi_callback_info info) {
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
    errand->sink = NULL;
    event.kind = EVENT_DONE;
    event.number = (int64_t)tap->ring_bytes;
    tell(errand->reader, (struct command){.kind = COMMAND_ADD, .tap = tap});
  }
  answer(errand->instance, event);
  end_errand(errand);
  return NULL;
}

// open(request, interface, netns or '', filter, snapLength, flags, ringBytes, group or null, fd, bytesLeft, isEmpty, instructionsMax, fromMs, untilMs) → tap's number
napi_value open_tap(napi_env env, napi_callback_info info) {
  ARGUMENTS(14);
  double snap_length, flags, ring_bytes, instructions_max;
  char *interface;
  struct errand *errand = begin_errand(env, instance, argv[0]);
  if (!errand) return NULL;
  if (!text_of(env, argv[1], &interface)) return end_errand(errand), NULL;
  bool is_name = strlen(interface) < sizeof errand->spec.interface;
  snprintf(errand->spec.interface, sizeof errand->spec.interface, "%s", interface);
  free(interface);
  if (!is_name) return end_errand(errand), napi_throw_range_error(env, NULL, "Cannot open tap: expected an interface name of at most 15 characters"), NULL;
  bool is_good = text_of(env, argv[2], &errand->spec.netns) && text_of(env, argv[3], &errand->spec.filter) && number_of(env, argv[4], &snap_length) &&
                 number_of(env, argv[5], &flags) && number_of(env, argv[6], &ring_bytes) && number_of(env, argv[11], &instructions_max) &&
                 window_of(env, argv[12], argv[13], &errand->spec.window) && (errand->sink = sink_of(env, argv[8], argv[9], argv[10]));
  if (!is_good) return end_errand(errand), NULL;
  if (errand->spec.netns[0] == '\0') free(errand->spec.netns), errand->spec.netns = NULL;
  napi_valuetype type;
  if (napi_typeof(env, argv[7], &type) == napi_ok && type == napi_external) napi_get_value_external(env, argv[7], (void **)&errand->group);
  errand->spec.snap_length = (uint32_t)snap_length;
  errand->spec.format = (int)flags & 1 ? FORMAT_PCAPNG : FORMAT_PCAP;
  errand->spec.headers_only = (int)flags & 2;
  errand->spec.inside_is_pod = (int)flags & 4;
  errand->spec.ring_bytes = (size_t)ring_bytes;
  errand->spec.instructions_max = (uint32_t)instructions_max;
  errand->tap = ++instance->next_tap;
  uint32_t tap = errand->tap;
  send_errand(env, errand, open_work);
  return number(env, tap);
}

