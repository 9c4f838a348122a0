// The log: one JSON object a line on standard error. Each write(2) has whole lines, so that those
// of several processes do not mix. Must not know: requests, secrets. Callers never give it tokens,
// cookies, passwords, e-mail addresses or task texts.
#pragma once

#include <cstdint>
#include <string_view>

#include "lib/json.h"

namespace logging {

enum class Level { debug, info, warn, error };

// Lines below `level` are left out (LOG_LEVEL). Default: info.
void set_threshold(Level level);

// Lines wait until flush(), instead of being written one by one: for a process that calls it before
// it waits. Errors do not wait.
void set_buffered();
void flush();

// One line, written when it goes out of scope: {"ts":…,"level":…, and the fields in their order}.
class Line {
 public:
  explicit Line(Level level);
  Line(const Line&) = delete;
  Line& operator=(const Line&) = delete;
  ~Line();

  template <typename T>
  Line& field(std::string_view name, const T& value) {
    writer_.member(name, value);
    return *this;
  }

 private:
  Level level_;
  json::Writer writer_;
};

}  // namespace logging
