// Conversion between JavaScript values and the addon's structs.
// In: arguments and properties of any type; a wrong type throws a TypeError that names it.
// Out: structs for the other files, and plain objects for JavaScript. Knows no reader and no tap.
#include "js_values.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool fail(napi_env env, const char *expected) {
  char message[160];
  snprintf(message, sizeof message, "Cannot call the addon: expected %s", expected);
  napi_throw_type_error(env, NULL, message);
  return false;
}

static bool fail_property(napi_env env, const char *name, const char *type) {
  char expected[100];
  snprintf(expected, sizeof expected, "the property \"%s\" to be %s", name, type);
  return fail(env, expected);
}

static bool fail_memory(napi_env env) {
  napi_throw_error(env, NULL, "Cannot call the addon: out of memory");
  return false;
}

bool get_number(napi_env env, napi_value value, double *out) {
  return napi_get_value_double(env, value, out) == napi_ok || fail(env, "a number");
}

bool get_text(napi_env env, napi_value value, char **out) {
  size_t length;
  if (napi_get_value_string_utf8(env, value, NULL, 0, &length) != napi_ok)
    return fail(env, "a string");
  *out = malloc(length + 1);
  if (!*out) return fail_memory(env);
  napi_get_value_string_utf8(env, value, *out, length + 1, &length);
  if (strlen(*out) == length) return true;
  free(*out);
  *out = NULL;
  return fail(env, "a string without NUL");
}

bool get_property(napi_env env, napi_value object, const char *name, napi_value *out) {
  napi_valuetype type;
  bool is_object = napi_typeof(env, object, &type) == napi_ok && type == napi_object;
  if (!is_object) return fail_property(env, name, "of an object");
  return napi_get_named_property(env, object, name, out) == napi_ok; // false: a getter has thrown
}

bool get_number_property(napi_env env, napi_value object, const char *name, double *out) {
  napi_value value;
  if (!get_property(env, object, name, &value)) return false;
  return napi_get_value_double(env, value, out) == napi_ok || fail_property(env, name, "a number");
}

bool get_bool_property(napi_env env, napi_value object, const char *name, bool *out) {
  napi_value value;
  if (!get_property(env, object, name, &value)) return false;
  return napi_get_value_bool(env, value, out) == napi_ok || fail_property(env, name, "a boolean");
}

bool get_text_property(napi_env env, napi_value object, const char *name, char **out) {
  napi_value value;
  napi_valuetype type;
  if (!get_property(env, object, name, &value)) return false;
  bool is_text = napi_typeof(env, value, &type) == napi_ok && type == napi_string;
  return is_text ? get_text(env, value, out) : fail_property(env, name, "a string");
}

// Milliseconds may have a fraction, and nanoseconds since the epoch do not fit a double.
static uint64_t ns_of(double ms) {
  if (!(ms > 0)) return 0;
  if (ms >= 1.8e13) return UINT64_MAX;
  uint64_t whole = (uint64_t)ms;
  return whole * 1000000 + (uint64_t)((ms - (double)whole) * 1e6);
}

// { fromMs, untilMs }
bool get_window(napi_env env, napi_value value, struct window *out) {
  double from_ms, until_ms;
  if (!get_number_property(env, value, "fromMs", &from_ms)) return false;
  if (!get_number_property(env, value, "untilMs", &until_ms)) return false;
  *out = (struct window){ns_of(from_ms), ns_of(until_ms)};
  return true;
}

bool get_group(napi_env env, napi_value value, struct limit_group **out) {
  return napi_get_value_external(env, value, (void **)out) == napi_ok || fail(env, "a limit group");
}

// A number or undefined. The answer is false if it is something else.
static bool get_device(napi_env env, napi_value sink, struct sink *out) {
  napi_value value;
  napi_valuetype type;
  double device;
  if (!get_property(env, sink, "device", &value)) return false;
  if (napi_typeof(env, value, &type) == napi_ok && type == napi_undefined) return true;
  if (napi_get_value_double(env, value, &device) != napi_ok)
    return fail_property(env, "device", "a number or undefined");
  out->is_file = true;
  out->device_id = (uint64_t)device;
  return true;
}

// { fd, bytesLeft, isEmpty, device }
bool get_sink(napi_env env, napi_value value, struct sink **out) {
  double fd, bytes_left;
  bool is_empty;
  if (!get_number_property(env, value, "fd", &fd)) return false;
  if (!get_number_property(env, value, "bytesLeft", &bytes_left)) return false;
  if (!get_bool_property(env, value, "isEmpty", &is_empty)) return false;
  struct sink *sink = calloc(1, sizeof *sink);
  if (!sink) return fail_memory(env);
  sink->fd = (int)fd;
  sink->bytes_left = bytes_left > 9e18 ? INT64_MAX : (int64_t)bytes_left;
  sink->is_empty = is_empty;
  if (!get_device(env, value, sink)) return free(sink), false;
  *out = sink;
  return true;
}

napi_value make_number(napi_env env, double value) {
  napi_value out = NULL;
  napi_create_double(env, value, &out);
  return out;
}

static napi_value make_text(napi_env env, const char *value) {
  napi_value out = NULL;
  napi_create_string_utf8(env, value, NAPI_AUTO_LENGTH, &out);
  return out;
}

static napi_value make_bool(napi_env env, bool value) {
  napi_value out = NULL;
  napi_get_boolean(env, value, &out);
  return out;
}

static void set(napi_env env, napi_value object, const char *name, napi_value value) {
  napi_set_named_property(env, object, name, value);
}

static void set_number(napi_env env, napi_value object, const char *name, double value) {
  set(env, object, name, make_number(env, value));
}

static void set_text(napi_env env, napi_value object, const char *name, const char *value) {
  set(env, object, name, make_text(env, value));
}

static void set_bool(napi_env env, napi_value object, const char *name, bool value) {
  set(env, object, name, make_bool(env, value));
}

static napi_value make_device_use(napi_env env, const struct device_use *use) {
  napi_value out;
  CHECK(napi_create_object(env, &out));
  set_number(env, out, "device", (double)use->id);
  set_number(env, out, "bytes", (double)use->waiting.bytes);
  set_number(env, out, "oldestMs", (double)use->waiting.oldest_ms);
  return out;
}

napi_value make_buffer_use(napi_env env, const struct buffer_use *use) {
  napi_value out, devices;
  CHECK(napi_create_object(env, &out));
  CHECK(napi_create_array(env, &devices));
  set_number(env, out, "bytes", (double)use->bytes);
  set_number(env, out, "highWaterBytes", (double)use->high_water_bytes);
  for (size_t i = 0; i < use->device_count; i++)
    napi_set_element(env, devices, (uint32_t)i, make_device_use(env, &use->devices[i]));
  set(env, out, "devices", devices);
  return out;
}

static napi_value make_counters(napi_env env, const struct counters *counters) {
  napi_value out;
  CHECK(napi_create_object(env, &out));
  set_number(env, out, "received", (double)counters->received);
  set_number(env, out, "dropped", (double)counters->dropped);
  set_number(env, out, "packets", (double)counters->packets);
  set_number(env, out, "bytes", (double)counters->bytes);
  set_number(env, out, "refused", (double)counters->refused);
  set_number(env, out, "truncated", (double)counters->truncated);
  if (counters->last_ns > 0)
    set_number(env, out, "lastPacketMs", (double)counters->last_ns / 1e6);
  return out;
}

static napi_value make_addresses(napi_env env, const struct links *links, int index) {
  napi_value out;
  uint32_t count = 0;
  CHECK(napi_create_array(env, &out));
  for (size_t i = 0; i < links->address_count; i++) {
    const struct address *address = &links->addresses[i];
    if (address->index != index) continue;
    napi_set_element(env, out, count++, make_text(env, address->text));
  }
  return out;
}

static napi_value make_names(napi_env env, const struct links *links, int index) {
  napi_value out;
  uint32_t count = 0;
  CHECK(napi_create_array(env, &out));
  for (size_t i = 0; i < links->name_count; i++) {
    const struct alternative_name *name = &links->names[i];
    if (name->index != index) continue;
    napi_set_element(env, out, count++, make_text(env, name->text));
  }
  return out;
}

static napi_value make_link(napi_env env, const struct links *links, const struct link *link) {
  napi_value out;
  CHECK(napi_create_object(env, &out));
  set_text(env, out, "name", link->name);
  set_number(env, out, "index", link->index);
  set_text(env, out, "kind", link->kind);
  set_bool(env, out, "isUp", link->is_up);
  set_number(env, out, "mtu", link->mtu);
  set_number(env, out, "gsoMaxBytes", link->gso_max);
  set_number(env, out, "packets", (double)link->packets);
  if (link->peer_index) set_number(env, out, "peerIndex", link->peer_index);
  set_number(env, out, "hardwareType", link->hardware_type);
  set_number(env, out, "linkType", link->link_type);
  set(env, out, "alternativeNames", make_names(env, links, link->index));
  set(env, out, "addresses", make_addresses(env, links, link->index));
  return out;
}

static napi_value make_links(napi_env env, const struct links *links) {
  napi_value out;
  CHECK(napi_create_array(env, &out));
  for (size_t i = 0; i < links->link_count; i++)
    napi_set_element(env, out, (uint32_t)i, make_link(env, links, &links->links[i]));
  return out;
}

static const char *const kinds[] = {
  [EVENT_FIRST_PACKET] = "firstPacket", [EVENT_MOVED] = "moved",
  [EVENT_LIMIT] = "limit",              [EVENT_WRITE_FAILED] = "writeFailed",
  [EVENT_DOWN] = "down",                [EVENT_UP] = "up",
  [EVENT_LINK] = "link",
  [EVENT_LINKS_LOST] = "linksLost",     [EVENT_COMPILED] = "compiled",
  [EVENT_LISTED] = "listed",            [EVENT_OPENED] = "opened",
  [EVENT_CLOSED] = "closed",            [EVENT_FAILED] = "failed",
};

static const char *id_name(enum event_kind kind) { return kind < EVENT_LINK ? "tap" : "call"; }

static const char *const link_states[] = {
  [LINK_UP] = "up",           [LINK_DOWN] = "down",
  [LINK_GONE] = "gone",       [LINK_RENAMED] = "renamed",
  [LINK_NETNS_GONE] = "namespaceGone",
};

static void set_link(napi_env env, napi_value out, const struct link_event *link) {
  set_text(env, out, "name", link->name);
  set_number(env, out, "index", link->index);
  set_bool(env, out, "isGone", link->is_gone);
  set_bool(env, out, "isUp", link->is_up);
}

static void set_members(napi_env env, napi_value out, const struct event *event) {
  switch (event->kind) {
  case EVENT_FIRST_PACKET:
    set_number(env, out, "atMs", (double)event->first_packet.at_ns / 1e6);
    return;
  case EVENT_MOVED:
    set_number(env, out, "fd", event->moved.fd);
    set(env, out, "counters", make_counters(env, &event->moved.counters));
    return;
  case EVENT_LIMIT:
    set_text(env, out, "limit", event->limit.is_bytes ? "bytes" : "packets");
    return;
  case EVENT_WRITE_FAILED:
    set_number(env, out, "fd", event->write_failed.fd);
    set_text(env, out, "code", event->write_failed.code);
    return;
  case EVENT_LINK: return set_link(env, out, &event->link);
  case EVENT_COMPILED:
    set_number(env, out, "instructions", event->compiled.instructions);
    return;
  case EVENT_LISTED: return set(env, out, "links", make_links(env, &event->listed.links));
  case EVENT_OPENED:
    set_number(env, out, "ringBytes", (double)event->opened.ring_bytes);
    return;
  case EVENT_CLOSED:
    set(env, out, "counters", make_counters(env, &event->closed.counters));
    return;
  case EVENT_FAILED:
    set_text(env, out, "code", event->failed.code);
    set_text(env, out, "message", event->failed.message);
    return;
  case EVENT_DOWN:
    set_text(env, out, "state", link_states[event->down.state]);
    set_number(env, out, "sinceMs", (double)event->down.since_ns / 1e6);
    return;
  case EVENT_UP:
  case EVENT_LINKS_LOST: return;
  }
}

// { kind, tap or call, the members of the kind }
napi_value make_event(napi_env env, const struct event *event) {
  napi_value out;
  CHECK(napi_create_object(env, &out));
  set_text(env, out, "kind", kinds[event->kind]);
  if (event->kind != EVENT_LINK && event->kind != EVENT_LINKS_LOST)
    set_number(env, out, id_name(event->kind), event->id);
  set_members(env, out, event);
  return out;
}
