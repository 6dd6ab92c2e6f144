// Compiles pcap expressions to socket filter programs, with limits on text and program: the time of
// the optimiser grows faster than the square of the length and cannot be interrupted.
// Never called on the JavaScript thread. Each compiles on a thread that cannot open a socket.
#include "selcap.h"
#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <pcap/pcap.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

// Compiling takes more than the square of the text's length: 1 s for 4 KiB, 25 s for 16 KiB.
#define TEXT_MAX 4096u
#define LONG_TEXT_MAX 16384u
#define OPTIMISED_MAX 1500 // a longer program takes too long to optimise and is used as it is
#define CACHED_TEXT_MIN 1024
#define COMPILE_STACK_BYTES (16 << 20) // libpcap recurses for each jump of a program

static bool fail(struct failure *failure, const char *code, const char *text, const char *detail) {
  snprintf(failure->code, sizeof failure->code, "%s", code);
  snprintf(failure->message, sizeof failure->message, "Cannot compile filter \"%.120s%s\": %.300s",
           text, strlen(text) > 120 ? "…" : "", detail);
  return false;
}

// The kernel strips VLAN tags into metadata, and libpcap compiles `vlan` for that only with a live
// handle.
static bool mentions_vlan(const char *text) { return strstr(text, "vlan") != NULL; }

static pcap_t *open_handle(const char *text, const struct tap_spec *limits,
                           const char *live_interface) {
  int snap_length = (int)limits->snap_length;
  if (limits->link_type == LINK_RAW_IP) return pcap_open_dead(DLT_RAW, snap_length);
  if (!live_interface || !mentions_vlan(text)) return pcap_open_dead(DLT_EN10MB, snap_length);
  char detail[PCAP_ERRBUF_SIZE];
  pcap_t *live = pcap_create(live_interface, detail);
  if (!live) return NULL;
  pcap_set_snaplen(live, snap_length);
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

// libpcap asks the resolver for words that it does not know. src/api lets none through; should one
// pass all the same, the resolver gets no socket. Needs no privilege, and only this thread has it.
static void refuse_sockets(void) {
  static const struct sock_filter refusal[] = {
    {BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, nr)},
    {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, __NR_socket},
    {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ERRNO | EACCES},
    {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW},
  };
  struct sock_fprog program = {sizeof refusal / sizeof *refusal, (struct sock_filter *)refusal};
  // Where the kernel or a container refuses it, the check of src/api stands alone.
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0)
    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

static bool compile_program(pcap_t *handle, const char *text, const struct tap_spec *limits,
                            struct bpf_program *out) {
  if (pcap_compile(handle, out, text, 0, PCAP_NETMASK_UNKNOWN) != 0) return false;
  if (out->bf_len > OPTIMISED_MAX || out->bf_len > limits->instructions_max) return true;
  pcap_freecode(out);
  return pcap_compile(handle, out, text, 1, PCAP_NETMASK_UNKNOWN) == 0;
}

struct sealed_compile {
  pcap_t *handle;
  const char *text;
  const struct tap_spec *limits;
  struct bpf_program *out;
  bool is_compiled;
};

static void *run_sealed_compile(void *argument) {
  struct sealed_compile *call = argument;
  refuse_sockets();
  call->is_compiled = compile_program(call->handle, call->text, call->limits, call->out);
  return NULL;
}

// False also where no thread can be made: *is_run tells.
static bool compile_sealed(pcap_t *handle, const char *text, const struct tap_spec *limits,
                           struct bpf_program *out, bool *is_run) {
  struct sealed_compile call = {handle, text, limits, out, false};
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, COMPILE_STACK_BYTES);
  pthread_t thread;
  *is_run = pthread_create(&thread, &attributes, run_sealed_compile, &call) == 0;
  pthread_attr_destroy(&attributes);
  if (*is_run) pthread_join(thread, NULL);
  return call.is_compiled;
}

static bool take_program(const struct bpf_program *program, const char *text,
                         const struct tap_spec *limits, struct program *out,
                         struct failure *failure) {
  unsigned count = program->bf_len, max = limits->instructions_max;
  if (count <= max)
    return copy_program(program->bf_insns, count, out) ||
           fail(failure, "NO_MEMORY", text, "out of memory");
  char detail[200];
  snprintf(detail, sizeof detail,
           "it takes %u instructions, expected at most %u; fewer hosts or ports make it shorter",
           count, max);
  return fail(failure, "FILTER_TOO_LONG", text, detail);
}

static bool compile_text(const char *text, const struct tap_spec *limits,
                         const char *live_interface, struct program *out,
                         struct failure *failure) {
  *out = (struct program){0};
  unsigned text_max = limits->instructions_max > OPTIMISED_MAX ? LONG_TEXT_MAX : TEXT_MAX;
  char detail[200];
  snprintf(detail, sizeof detail, "its text is longer than %u bytes", text_max);
  if (strlen(text) > text_max) return fail(failure, "FILTER_TOO_LONG", text, detail);
  pcap_t *handle = open_handle(text, limits, live_interface);
  if (!handle)
    return fail(failure, "BAD_FILTER", text, "a handle that knows VLAN tags cannot be opened");
  struct bpf_program program;
  bool is_run, is_compiled = compile_sealed(handle, text, limits, &program, &is_run);
  bool is_good = is_compiled ? take_program(&program, text, limits, out, failure)
                 : is_run ? fail(failure, "BAD_FILTER", text, pcap_geterr(handle))
                          : fail(failure, "NO_MEMORY", text, "no thread can be made");
  if (is_compiled) pcap_freecode(&program);
  pcap_close(handle);
  return is_good;
}

// The last long program: compiling it takes long, and each interface of a capture needs it.
// Threads that need it wait for the one that compiles it.
static struct {
  pthread_mutex_t lock;
  char *text;
  uint32_t snap_length;
  enum link_type link_type;
  struct program program;
} cached = {.lock = PTHREAD_MUTEX_INITIALIZER};

static bool is_cached(const char *text, const struct tap_spec *limits) {
  return cached.text && strcmp(cached.text, text) == 0 &&
         cached.snap_length == limits->snap_length && cached.link_type == limits->link_type &&
         cached.program.count <= limits->instructions_max;
}

static void cache_program(const char *text, const struct tap_spec *limits,
                          const struct program *program) {
  free(cached.text);
  free(cached.program.instructions);
  cached.program = (struct program){0};
  cached.text = strdup(text);
  cached.snap_length = limits->snap_length;
  cached.link_type = limits->link_type;
  if (cached.text && copy_program(program->instructions, program->count, &cached.program)) return;
  free(cached.text);
  cached.text = NULL;
}

bool compile_filter(const char *text, const struct tap_spec *limits, const char *live_interface,
                    struct program *out, struct failure *failure) {
  if (strlen(text) < CACHED_TEXT_MIN || mentions_vlan(text))
    return compile_text(text, limits, live_interface, out, failure);
  pthread_mutex_lock(&cached.lock);
  bool is_good;
  if (is_cached(text, limits)) {
    is_good = copy_program(cached.program.instructions, cached.program.count, out) ||
              fail(failure, "NO_MEMORY", text, "out of memory");
  } else {
    is_good = compile_text(text, limits, live_interface, out, failure);
    if (is_good) cache_program(text, limits, out);
  }
  pthread_mutex_unlock(&cached.lock);
  return is_good;
}

bool matches_program(const struct program *program, const uint8_t *frame, uint32_t original,
                     uint32_t captured) {
  const struct bpf_insn *instructions = (const struct bpf_insn *)program->instructions;
  return bpf_filter(instructions, frame, original, captured) > 0;
}
