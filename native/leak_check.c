// Only in the build with sanitizers (scripts/sanitize.mjs): reports leaks when the process exits.
// Programs that inherit the preloaded sanitizer and never load the addon are not checked.
#include <sanitizer/lsan_interface.h>

__attribute__((destructor)) static void check_leaks(void) { __lsan_do_recoverable_leak_check(); }
