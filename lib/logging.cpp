#include "lib/logging.h"

#include <unistd.h>

#include "lib/timestamp.h"

namespace logging {
namespace {

Level threshold = Level::info;
bool is_buffered = false;
std::string waiting;

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

}  // namespace

void set_threshold(Level level) { threshold = level; }

Line::Line(Level level) : level_(level) {
  writer_.begin_object()
      .member("ts", timestamp::to_text(timestamp::now()))
      .member("level", name(level));
}

Line::~Line() {
  if (level_ < threshold) return;
  waiting += writer_.end_object().text();
  waiting += '\n';
  constexpr std::size_t kMostWaiting = 65536;
  if (!is_buffered || level_ >= Level::error || waiting.size() >= kMostWaiting) flush();
}

void set_buffered() { is_buffered = true; }

void flush() {
  if (waiting.empty()) return;
  // A log that cannot be written must not stop the service, so a failure has nowhere to go.
  if (::write(STDERR_FILENO, waiting.data(), waiting.size()) < 0) {
    waiting.clear();
    return;
  }
  waiting.clear();
}

}  // namespace logging
