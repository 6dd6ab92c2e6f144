// pcap expressions to socket filter programs, with limits: the optimiser's time grows faster than the square of a program's
// length and cannot be cut short. Never on the JavaScript thread.
#include "selcap.h"
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX 16384
#define INSTRUCTIONS_MAX 1500

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

bool compile_filter(const char *text, uint32_t snap_length, const char *live_interface, struct program *out, struct failure *failure) {
  *out = (struct program){0};
  if (strlen(text) > TEXT_MAX) return fail(failure, "FILTER_TOO_LONG", text, "its text is longer than 16384 bytes"), false;
  pcap_t *handle = open_handle(text, snap_length, live_interface);
  if (!handle) return fail(failure, "BAD_FILTER", text, "a handle that knows VLAN tags cannot be opened"), false;
  struct bpf_program program;
  char detail[200];
  bool is_good = false;
  if (pcap_compile(handle, &program, text, 0, PCAP_NETMASK_UNKNOWN) < 0) {
    fail(failure, "BAD_FILTER", text, pcap_geterr(handle));
  } else if (program.bf_len > INSTRUCTIONS_MAX) {
    snprintf(detail, sizeof detail, "it takes %u instructions, expected at most %d; fewer hosts or ports make it shorter", program.bf_len, INSTRUCTIONS_MAX);
    fail(failure, "FILTER_TOO_LONG", text, detail);
    pcap_freecode(&program);
  } else {
    pcap_freecode(&program);
    if (pcap_compile(handle, &program, text, 1, PCAP_NETMASK_UNKNOWN) < 0) {
      fail(failure, "BAD_FILTER", text, pcap_geterr(handle));
    } else {
      size_t bytes = program.bf_len * sizeof(struct sock_filter);
      out->count = program.bf_len;
      out->instructions = malloc(bytes);
      if (out->instructions) memcpy(out->instructions, program.bf_insns, bytes), is_good = true;
      else fail(failure, "NO_MEMORY", text, "out of memory");
      pcap_freecode(&program);
    }
  }
  pcap_close(handle);
  return is_good;
}
