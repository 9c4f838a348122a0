#include "lib/logging.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <new>

#include "lib/timestamp.h"

namespace logging {
namespace {

Level threshold = Level::info;
bool is_buffered = false;
std::string waiting;

// Before main(). In the place of a standard descriptor that is closed the next file that is opened
// would come, a connection to the database or the counts of all workers, and take our log lines.
const bool kIsClaimed = [] {
  for (const int descriptor : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    if (fcntl(descriptor, F_GETFD) < 0 && open("/dev/null", O_RDWR) != descriptor) std::abort();
  return true;
}();

std::string_view name(Level level) {
  switch (level) {
    case Level::debug:
      return "debug";
    case Level::info:
      return "info";
    case Level::warn:
      return "warn";
    case Level::error:
      return "error";
  }
  return "error";
}

// A pipe or socket whose reader has stopped would keep us in write(2) for ever; a file would not.
bool may_block() {
  struct stat file {};
  static const bool is_file = ::fstat(STDERR_FILENO, &file) == 0 && S_ISREG(file.st_mode);
  return !is_file;
}

// How many of the bytes make whole lines that fit into a pipe that is ready for output (poll(2)).
std::size_t first_lines(std::string_view lines) {
  if (lines.size() <= PIPE_BUF) return lines.size();
  const std::size_t end = lines.rfind('\n', PIPE_BUF - 1);
  return end == std::string_view::npos ? PIPE_BUF : end + 1;
}

// A log that cannot be written must not stop the service: what does not get out is lost.
void write_out(std::string_view lines) {
  while (!lines.empty()) {
    std::size_t size = lines.size();
    if (may_block()) {
      size = first_lines(lines);
      pollfd output{STDERR_FILENO, POLLOUT, 0};
      if (::poll(&output, 1, 0) != 1 || (output.revents & POLLOUT) == 0) return;
    }
    const ssize_t count = ::write(STDERR_FILENO, lines.data(), size);
    if (count < 0) return;
    lines.remove_prefix(static_cast<std::size_t>(count));
  }
}

}  // namespace

void set_threshold(Level level) { threshold = level; }

Line::Line(Level level) : level_(level) {
  writer_.begin_object()
      .member("ts", timestamp::to_text(timestamp::now()))
      .member("level", name(level));
}

Line::~Line() {
  if (level_ < threshold) return;
  const std::size_t before = waiting.size();
  try {
    waiting += writer_.end_object().text();
    waiting += '\n';
  } catch (const std::bad_alloc&) {
    waiting.resize(before);  // a line that there is no memory for is lost, and the process is not
  }
  constexpr std::size_t kMostWaiting = 65536;
  if (!is_buffered || level_ >= Level::error || waiting.size() >= kMostWaiting) flush();
}

void set_buffered() { is_buffered = true; }

void flush() {
  if (waiting.empty()) return;
  write_out(waiting);
  waiting.clear();
}

}  // namespace logging
