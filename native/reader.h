// The thread that drains all rings of one JavaScript environment, and what it is told and tells.
#pragma once
#include "selcap.h"

enum command_kind { COMMAND_ADD, COMMAND_OFFER, COMMAND_ROTATE, COMMAND_BYTES_LEFT, COMMAND_WINDOW, COMMAND_RETRY, COMMAND_CLOSE, COMMAND_SET_LEFT, COMMAND_RELEASE, COMMAND_WATCH_LINKS, COMMAND_STOP };

struct command {
  struct command *next;
  enum command_kind kind;
  uint32_t id;      // of the tap
  uint32_t request; // to be answered
  struct tap *tap;
  struct group *group;
  struct sink *sink;
  int64_t packets, bytes;
  struct window window;
};

enum event_kind { EVENT_FIRST_PACKET, EVENT_MOVED, EVENT_LIMIT, EVENT_WRITE_FAILED, EVENT_DOWN, EVENT_LINK, EVENT_LINKS_LOST, EVENT_DONE, EVENT_FAILED };

struct event {
  enum event_kind kind;
  uint32_t id;      // of the tap, or of the request
  int64_t number;   // fd, time in ns, instructions, ifindex
  bool flag;        // limit: of bytes; link: gone
  bool is_up;
  struct counters counters;
  struct links links;
  struct failure failure; // code: the errno's name too; message: an interface's name too
};

struct reader;
struct reader *start_reader(void (*emit)(void *context, struct event *event), void *context);
void stop_reader(struct reader *reader);
bool run_elsewhere(struct reader *reader, void *(*work)(void *), void *argument);
void tell(struct reader *reader, struct command command);
bool read_counters(struct reader *reader, uint32_t id, struct counters *out);
