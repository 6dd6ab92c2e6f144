// pcap expressions to socket filter programs, with limits: the optimiser's time grows faster than the square of a program's
// length and cannot be cut short. Never on the JavaScript thread.
#include "selcap.h"
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX (limits->instructions_max > OPTIMISED_MAX ? 16384u : 4096u) // compiling takes more than the square of it: 1 s, 25 s
#define OPTIMISED_MAX 1500
#define KEPT_TEXT_MIN 1024

static void fail(struct failure *failure, const char *code, const char *text, const char *detail) {
  snprintf(failure->code, sizeof failure->code, "%s", code);
  snprintf(failure->message, sizeof failure->message, "Cannot compile filter \"%.120s%s\": %.300s", text, strlen(text) > 120 ? "…" : "", detail);
}

// Tags are stripped into metadata on receive, and only a live handle compiles `vlan` to look there.
static bool mentions_vlan(const char *text) { return strstr(text, "vlan") != NULL; }

static pcap_t *open_handle(const char *text, uint32_t snap_length, const char *live_interface) {
  if (!live_interface || !mentions_vlan(text)) return pcap_open_dead(DLT_EN10MB, (int)snap_length);
  char detail[PCAP_ERRBUF_SIZE];
  pcap_t *live = pcap_create(live_interface, detail);
  if (!live) return NULL;
  pcap_set_snaplen(live, (int)snap_length);
  pcap_set_buffer_size(live, 65536 * 4);
  if (pcap_activate(live) >= 0) return live;
  pcap_close(live);
  return NULL;
}

static bool copy_program(const void *instructions, unsigned count, struct program *out) {
  size_t bytes = count * sizeof(struct sock_filter);
  out->count = count;
  out->instructions = malloc(bytes);
  if (out->instructions) memcpy(out->instructions, instructions, bytes);
  return out->instructions != NULL;
}

// A program that is too long to be optimised in a bearable time is taken as it is.
static bool compile_text(const char *text, const struct tap_spec *limits, const char *live_interface, struct program *out, struct failure *failure) {
  *out = (struct program){0};
  char detail[200];
  if (strlen(text) > TEXT_MAX) {
    snprintf(detail, sizeof detail, "its text is longer than %u bytes", TEXT_MAX);
    return fail(failure, "FILTER_TOO_LONG", text, detail), false;
  }
  pcap_t *handle = open_handle(text, limits->snap_length, live_interface);
  if (!handle) return fail(failure, "BAD_FILTER", text, "a handle that knows VLAN tags cannot be opened"), false;
  struct bpf_program program;
  bool is_compiled = pcap_compile(handle, &program, text, 0, PCAP_NETMASK_UNKNOWN) == 0, is_good = false;
  if (is_compiled && program.bf_len <= OPTIMISED_MAX && program.bf_len <= limits->instructions_max) {
    pcap_freecode(&program);
    is_compiled = pcap_compile(handle, &program, text, 1, PCAP_NETMASK_UNKNOWN) == 0;
  }
  if (!is_compiled) {
    fail(failure, "BAD_FILTER", text, pcap_geterr(handle));
  } else if (program.bf_len > limits->instructions_max) {
    snprintf(detail, sizeof detail, "it takes %u instructions, expected at most %u; fewer hosts or ports make it shorter", program.bf_len, limits->instructions_max);
    fail(failure, "FILTER_TOO_LONG", text, detail);
  } else if (!(is_good = copy_program(program.bf_insns, program.bf_len, out))) {
    fail(failure, "NO_MEMORY", text, "out of memory");
  }
  if (is_compiled) pcap_freecode(&program);
  pcap_close(handle);
  return is_good;
}

// The last long one is kept: it takes long, and is wanted once for each interface. Whoever wants it meanwhile waits.
static struct { pthread_mutex_t lock; char *text; uint32_t snap_length; struct program program; } kept = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void keep(const char *text, uint32_t snap_length, const struct program *program) {
  free(kept.text);
  free(kept.program.instructions);
  kept.text = strdup(text);
  kept.snap_length = snap_length;
  if (kept.text && copy_program(program->instructions, program->count, &kept.program)) return;
  free(kept.text);
  kept.text = NULL;
}

bool compile_filter(const char *text, const struct tap_spec *limits, const char *live_interface, struct program *out, struct failure *failure) {
  if (strlen(text) < KEPT_TEXT_MIN || mentions_vlan(text)) return compile_text(text, limits, live_interface, out, failure);
  pthread_mutex_lock(&kept.lock);
  bool is_kept = kept.text && strcmp(kept.text, text) == 0 && kept.snap_length == limits->snap_length && kept.program.count <= limits->instructions_max;
  bool is_good = is_kept ? copy_program(kept.program.instructions, kept.program.count, out) : compile_text(text, limits, live_interface, out, failure);
  if (is_good && !is_kept) keep(text, limits->snap_length, out);
  else if (!is_good && is_kept) fail(failure, "NO_MEMORY", text, "out of memory");
  pthread_mutex_unlock(&kept.lock);
  return is_good;
}

bool lets_through(const struct program *program, const uint8_t *frame, uint32_t original, uint32_t captured) {
  return bpf_filter((const struct bpf_insn *)program->instructions, frame, original, captured) > 0;
}
