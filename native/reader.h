// A reader: one thread that drains rings of one JavaScript environment.
// In: commands. Out: events. Work that blocks runs on workers.
#pragma once
#include "selcap.h"

enum command_kind {
  COMMAND_ADD_TAP,
  COMMAND_OFFER_SINK,
  COMMAND_ROTATE,
  COMMAND_SET_BYTES_LEFT,
  COMMAND_SET_WINDOW,
  COMMAND_RETRY,
  COMMAND_CLOSE,
  COMMAND_SET_LIMITS,
  COMMAND_RELEASE_GROUP,
  COMMAND_GATHER,
  COMMAND_LOOK,
  COMMAND_WATCH_LINKS,
  COMMAND_SET_BUFFER_MAX,
  COMMAND_STOP,
};

struct command {
  struct command *next;
  enum command_kind kind;
  uint32_t id;      // of the tap
  uint32_t request; // CLOSE: the call that the event answers
  struct tap *tap;
  struct limit_group *group;
  struct sink *sink;
  int64_t packets, bytes;
  int index; // LOOK: of an interface
  struct window window;
};

enum event_kind {
  // Of a tap.
  EVENT_FIRST_PACKET,
  EVENT_MOVED,
  EVENT_LIMIT,
  EVENT_WRITE_FAILED,
  EVENT_DOWN,
  EVENT_UP,
  // Of an interface of this network namespace.
  EVENT_LINK,
  EVENT_LINKS_LOST,
  // Answers to an asynchronous call.
  EVENT_COMPILED,
  EVENT_LISTED,
  EVENT_OPENED,
  EVENT_CLOSED,
  EVENT_FAILED,
};

struct link_event {
  char name[INTERFACE_NAME_BYTES];
  int index;
  bool is_gone, is_up;
};

// The union's member is named after the kind; UP and LINKS_LOST have none.
struct event {
  enum event_kind kind;
  uint32_t id; // of the tap, or of the call that is answered
  union {
    struct { uint64_t at_ns; } first_packet;
    struct { int fd; struct counters counters; } moved;
    struct { bool is_bytes; } limit;
    struct { int fd; char code[20]; } write_failed; // code: the errno's name
    struct { enum link_state state; uint64_t since_ns; } down; // since: it was last known to be up
    struct link_event link;
    struct { unsigned instructions; } compiled;
    struct { struct links links; } listed;
    struct { size_t ring_bytes; } opened;
    struct { struct counters counters; } closed;
    struct failure failed;
  };
};

// Records that were handed over and are not in a file yet.
struct waiting {
  uint64_t bytes, oldest_ms; // for how long the oldest of them waits
};

struct device_use {
  uint64_t id; // st_dev
  struct waiting waiting;
};

struct buffer_use {
  uint64_t bytes, high_water_bytes; // high water: since the start
  struct device_use *devices;
  size_t device_count;
};

typedef void emit_function(void *context, struct event *event); // takes ownership of the event

struct reader;
void post_command(struct reader *reader, struct command command);
void emit(struct reader *reader, struct event event);
void free_event(struct event *event);
bool run_on_worker(struct reader *reader, void (*run)(void *), void *argument);
