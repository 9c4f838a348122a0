#include "lib/utf8.h"

#include <utf8proc.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <new>

namespace utf8 {
namespace {

struct Step {
  char32_t code_point = 0;
  std::size_t bytes = 0;  // of the sequence, or of the ill-formed part to be replaced
  bool valid = false;
};

bool is_continuation(std::string_view text, std::size_t at) {
  return at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80;
}

// The sequence at `at`, after Unicode's table 3-7: the lead byte bounds the second byte, which
// rules out overlong forms, surrogates and what lies beyond U+10FFFF.
Step step(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(at);
  if (lead < 0x80) return {lead, 1, true};
  std::size_t length = 0;
  unsigned char least = 0x80;
  unsigned char most = 0xBF;
  if (lead >= 0xC2 && lead <= 0xDF) length = 2;
  if (lead >= 0xE0 && lead <= 0xEF) length = 3;
  if (lead >= 0xF0 && lead <= 0xF4) length = 4;
  if (length == 0) return {0, 1, false};
  if (lead == 0xE0) least = 0xA0;
  if (lead == 0xED) most = 0x9F;
  if (lead == 0xF0) least = 0x90;
  if (lead == 0xF4) most = 0x8F;
  if (at + 1 >= text.size() || byte(at + 1) < least || byte(at + 1) > most) return {0, 1, false};
  char32_t code_point = lead & (0x7F >> length);
  code_point = (code_point << 6) | (byte(at + 1) & 0x3F);
  for (std::size_t i = 2; i < length; ++i) {
    if (!is_continuation(text, at + i)) return {0, i, false};
    code_point = (code_point << 6) | (byte(at + i) & 0x3F);
  }
  return {code_point, length, true};
}

// PropList.txt, White_Space.
bool is_white_space(char32_t c) {
  return (c >= 0x09 && c <= 0x0D) || c == 0x20 || c == 0x85 || c == 0xA0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F ||
         c == 0x3000;
}

}  // namespace

bool is_valid(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const Step next = step(text, at);
    if (!next.valid) return false;
    at += next.bytes;
  }
  return true;
}

std::string repaired(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const Step next = step(text, at);
    if (next.valid)
      result.append(text.substr(at, next.bytes));
    else
      append(result, U'\uFFFD');
    at += next.bytes;
  }
  return result;
}

std::size_t code_points(std::string_view text) {
  std::size_t count = 0;
  for (const char c : text) count += (static_cast<unsigned char>(c) & 0xC0) != 0x80 ? 1 : 0;
  return count;
}

std::size_t utf16_units(std::string_view text) {
  std::size_t count = 0;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte & 0xC0) != 0x80) count += byte >= 0xF0 ? 2 : 1;
  }
  return count;
}

bool is_blank(std::string_view text) { return trimmed(text).empty(); }

std::string_view trimmed(std::string_view text) {
  std::size_t begin = text.size();
  std::size_t end = 0;
  for (std::size_t at = 0; at < text.size();) {
    const Step next = step(text, at);
    if (!next.valid || !is_white_space(next.code_point)) {
      begin = std::min(begin, at);
      end = at + next.bytes;
    }
    at += next.bytes;
  }
  return begin < end ? text.substr(begin, end - begin) : std::string_view();
}

void append(std::string& text, char32_t code_point) {
  const auto tail = [&](int shift) {
    text += static_cast<char>(0x80 | ((code_point >> shift) & 0x3F));
  };
  if (code_point < 0x80) {
    text += static_cast<char>(code_point);
  } else if (code_point < 0x800) {
    text += static_cast<char>(0xC0 | (code_point >> 6));
    tail(0);
  } else if (code_point < 0x10000) {
    text += static_cast<char>(0xE0 | (code_point >> 12));
    tail(6);
    tail(0);
  } else {
    text += static_cast<char>(0xF0 | (code_point >> 18));
    tail(12);
    tail(6);
    tail(0);
  }
}

std::string ascii_lower(std::string_view text) {
  std::string result(text);
  for (char& c : result)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  return result;
}

std::string nfkc(std::string_view text) {
  utf8proc_uint8_t* normal = nullptr;
  const utf8proc_ssize_t length = utf8proc_map(
      reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
      static_cast<utf8proc_ssize_t>(text.size()), &normal,
      static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_COMPAT));
  const std::unique_ptr<utf8proc_uint8_t, void (*)(void*)> owner(normal, std::free);
  if (length < 0) throw std::bad_alloc();
  return {reinterpret_cast<const char*>(normal), static_cast<std::size_t>(length)};
}

}  // namespace utf8
