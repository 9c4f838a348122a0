#include "lib/logging.h"

#include <unistd.h>

#include "lib/timestamp.h"

namespace logging {
namespace {

Level threshold = Level::info;

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
  std::string text = writer_.end_object().take();
  text += '\n';
  // A log that cannot be written must not stop the service, so a failure has nowhere to go.
  if (::write(STDERR_FILENO, text.data(), text.size()) < 0) return;
}

}  // namespace logging
