{
  "targets": [{
    "target_name": "selcap",
    "sources": ["addon.c", "js_values.c", "async_calls.c", "reader.c", "reader_commands.c", "drain.c", "batch.c", "close.c", "link_events.c", "worker.c", "ring.c", "sink.c", "encode.c", "headers_length.c", "filter.c", "netns.c", "links.c", "pipe.c"],
    "defines": ["_GNU_SOURCE", "NAPI_VERSION=8"],
    "cflags": ["-std=gnu17", "-Wall", "-Wextra", "-Werror", "-fvisibility=hidden", "-O2", "-fno-tree-slp-vectorize", "-flto"],
    # A thread may be in its last instructions when the last environment lets go of the library.
    "ldflags": ["-flto", "-O2", "-fno-tree-slp-vectorize", "-Wl,-z,nodelete"],
    "libraries": ["-lpcap", "-lpthread"],
    "conditions": [["OS!='linux'", {"type": "none", "sources": []}]]
  }]
}
