{
  "targets": [{
    "target_name": "selcap",
    "sources": [
      "addon.c", "async_calls.c", "pipe.c", "js_values.c",
      "readers.c", "balance.c", "reader.c", "reader_commands.c", "drain.c", "batch.c", "store.c", "writer.c", "close.c", "link_events.c", "worker.c",
      "limit_group.c",
      "ring.c", "sink.c", "encode.c", "headers_length.c", "filter.c", "netns.c", "links.c"
    ],
    "defines": ["_GNU_SOURCE", "NAPI_VERSION=8"],
    "cflags": [
      "-std=gnu17", "-Wall", "-Wextra", "-Werror", "-fvisibility=hidden",
      "-O2", "-fno-tree-slp-vectorize", "-flto"
    ],
    # The last environment unloads the library while a worker runs its last instructions: nodelete.
    "ldflags": ["-flto", "-O2", "-fno-tree-slp-vectorize", "-Wl,-z,nodelete"],
    "libraries": ["-lpcap", "-lpthread"],
    "conditions": [["OS!='linux'", {"type": "none", "sources": []}]]
  }]
}
