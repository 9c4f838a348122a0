// A parsed value as JSON again, with every number in its shortest form.
#pragma once

#include <array>
#include <charconv>
#include <string>

#include "lib/json.h"

namespace json_text {

inline void write(json::Writer& out, const json::Value& value) {
  switch (value.kind()) {
    case json::Kind::null:
      out.value(nullptr);
      break;
    case json::Kind::boolean:
      out.value(*value.boolean());
      break;
    case json::Kind::number: {
      std::array<char, 32> text{};
      const double number = *value.number() == 0 ? 0 : *value.number();  // no sign of a zero
      const auto end = std::to_chars(text.data(), text.data() + text.size(), number).ptr;
      out.raw({text.data(), static_cast<std::size_t>(end - text.data())});
      break;
    }
    case json::Kind::string:
      out.value(*value.string());
      break;
    case json::Kind::array:
      out.begin_array();
      for (const json::Value& each : *value.array()) write(out, each);
      out.end_array();
      break;
    case json::Kind::object:
      out.begin_object();
      for (const auto& [name, content] : *value.object()) {
        out.key(name);
        write(out, content);
      }
      out.end_object();
  }
}

inline std::string written(const json::Value& value) {
  json::Writer out;
  write(out, value);
  return out.take();
}

}  // namespace json_text
