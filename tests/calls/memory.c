// Loaded by LD_PRELOAD: the FAIL_AT-th request for memory of the process fails. At its end it says how many
// there were.
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);

static unsigned long count, fail_at;

__attribute__((constructor)) static void begin(void) {
  const char *number = getenv("FAIL_AT");
  fail_at = number != NULL ? strtoul(number, NULL, 10) : 0;
  count = 0;
}

__attribute__((destructor)) static void end(void) { dprintf(STDERR_FILENO, "requests for memory: %lu\n", count); }

static int fails(void) {
  if (__atomic_add_fetch(&count, 1, __ATOMIC_RELAXED) != fail_at) return 0;
  errno = ENOMEM;
  return 1;
}

void *malloc(size_t size) { return fails() ? NULL : __libc_malloc(size); }
void *calloc(size_t number, size_t size) { return fails() ? NULL : __libc_calloc(number, size); }
void *realloc(void *memory, size_t size) { return fails() ? NULL : __libc_realloc(memory, size); }
