// JavaScript values in and out.
#include "addon.h"
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

bool number_of(napi_env env, napi_value value, double *out) {
  if (napi_get_value_double(env, value, out) == napi_ok) return true;
  napi_throw_type_error(env, NULL, "Cannot call the addon: expected a number");
  return false;
}

bool text_of(napi_env env, napi_value value, char **out) {
  size_t length;
  if (napi_get_value_string_utf8(env, value, NULL, 0, &length) != napi_ok) return napi_throw_type_error(env, NULL, "Cannot call the addon: expected a string"), false;
  *out = malloc(length + 1);
  if (!*out) return napi_throw_error(env, NULL, "Cannot call the addon: out of memory"), false;
  napi_get_value_string_utf8(env, value, *out, length + 1, &length);
  if (strlen(*out) == length) return true;
  free(*out);
  *out = NULL;
  return napi_throw_type_error(env, NULL, "Cannot call the addon: expected a string without NUL"), false;
}

napi_value number(napi_env env, double value) {
  napi_value out = NULL;
  napi_create_double(env, value, &out);
  return out;
}

// Milliseconds may have a fraction, and as nanoseconds they do not fit a double.
static uint64_t ns_of(double ms) {
  if (!(ms > 0)) return 0;
  if (ms >= 1.8e13) return UINT64_MAX;
  uint64_t whole = (uint64_t)ms;
  return whole * 1000000 + (uint64_t)((ms - (double)whole) * 1e6);
}

bool window_of(napi_env env, napi_value from_ms, napi_value until_ms, struct window *out) {
  double from, until;
  if (!number_of(env, from_ms, &from) || !number_of(env, until_ms, &until)) return false;
  *out = (struct window){ns_of(from), ns_of(until)};
  return true;
}

static napi_value text(napi_env env, const char *value) {
  napi_value out = NULL;
  napi_create_string_utf8(env, value, NAPI_AUTO_LENGTH, &out);
  return out;
}

static void set(napi_env env, napi_value object, const char *name, napi_value value) { napi_set_named_property(env, object, name, value); }

napi_value counters_object(napi_env env, const struct counters *counters) {
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
    set(env, object, "packets", number(env, (double)link->packets));
    set(env, object, "peerIndex", link->peer_index ? number(env, link->peer_index) : NULL);
    set(env, object, "addresses", addresses);
    napi_set_element(env, out, (uint32_t)i, object);
  }
  return out;
}

napi_value event_object(napi_env env, const struct event *event) {
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

struct sink *sink_of(napi_env env, napi_value fd, napi_value bytes_left, napi_value is_empty) {
  double descriptor, left;
  bool empty;
  if (!number_of(env, fd, &descriptor) || !number_of(env, bytes_left, &left)) return NULL;
  if (napi_get_value_bool(env, is_empty, &empty) != napi_ok) return napi_throw_type_error(env, NULL, "Cannot call the addon: expected a boolean"), NULL;
  struct sink *sink = calloc(1, sizeof *sink);
  if (!sink) return napi_throw_error(env, NULL, "Cannot call the addon: out of memory"), NULL;
  *sink = (struct sink){.fd = (int)descriptor, .bytes_left = left > 9e18 ? INT64_MAX : (int64_t)left, .is_empty = empty};
  struct stat status;
  sink->is_file = fstat(sink->fd, &status) == 0 && S_ISREG(status.st_mode);
  return sink;
}

