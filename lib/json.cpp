#include "lib/json.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "lib/utf8.h"

namespace json {

// Receives nlohmann's parsing events and builds a Value. Every method returns false to stop.
class Builder {
 public:
  // `repaired`: the numbers (from 0) of the string tokens in which half a surrogate pair stood.
  Builder(Policy policy, std::vector<std::size_t> repaired)
      : policy_(policy), repaired_(std::move(repaired)) {}

  bool null() { return put({}); }
  bool boolean(bool truth) { return put(of(truth)); }
  bool number_integer(std::int64_t number) { return put(of(static_cast<double>(number))); }
  bool number_unsigned(std::uint64_t number) { return put(of(static_cast<double>(number))); }
  bool number_float(double number, const std::string&) {
    return std::isfinite(number) && put(of(number));
  }
  bool binary(std::vector<std::uint8_t>&) { return false; }

  bool string(std::string& text) {
    Value value = of(std::move(text));
    value.well_formed_ = !is_repaired(strings_++);
    return put(std::move(value));
  }

  bool key(std::string& name) {
    ++strings_;
    names_.push_back(std::move(name));
    return true;
  }

  bool start_object(std::size_t) { return open(of(std::vector<Value::Member>())); }
  bool start_array(std::size_t) { return open(of(std::vector<Value>())); }
  bool end_object() { return close(); }
  bool end_array() { return close(); }

  // What nlohmann says quotes the text, which can be a password; so it is not even looked at.
  bool parse_error(std::size_t, const std::string&, const nlohmann::json::exception&) {
    return false;
  }

  Value take() { return std::move(root_); }

 private:
  template <typename T>
  static Value of(T content) {
    Value value;
    value.data_ = std::move(content);
    return value;
  }

  bool is_repaired(std::size_t token) const {
    return std::binary_search(repaired_.begin(), repaired_.end(), token);
  }

  bool open(Value container) {
    if (stack_.size() == kMaxDepth) return false;
    stack_.push_back(std::move(container));
    places_.emplace_back();
    return true;
  }

  bool close() {
    Value done = std::move(stack_.back());
    stack_.pop_back();
    places_.pop_back();
    return put(std::move(done));
  }

  bool put(Value value) {
    if (stack_.empty()) {
      root_ = std::move(value);
      return true;
    }
    auto& container = stack_.back().data_;
    if (auto* array = std::get_if<std::vector<Value>>(&container)) {
      array->push_back(std::move(value));
      return true;
    }
    std::string name = std::move(names_.back());
    names_.pop_back();
    return put_member(std::get<std::vector<Value::Member>>(container), std::move(name),
                      std::move(value));
  }

  bool put_member(std::vector<Value::Member>& members, std::string name, Value value) {
    if (policy_ == Policy::lenient && name == "__proto__") return true;
    const auto [place, is_new] = places_.back().try_emplace(name, members.size());
    if (is_new) {
      members.emplace_back(std::move(name), std::move(value));
      return true;
    }
    if (policy_ == Policy::token) return false;
    members[place->second].second = std::move(value);
    return true;
  }

  Policy policy_;
  std::vector<std::size_t> repaired_;
  std::size_t strings_ = 0;
  std::vector<Value> stack_;
  std::vector<std::unordered_map<std::string, std::size_t>> places_;  // of each open object
  std::vector<std::string> names_;
  Value root_;
};

namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

// The value of the four hexadecimal digits at `at`, or -1.
int escape_at(std::string_view text, std::size_t at) {
  if (at + 4 > text.size()) return -1;
  int value = 0;
  const auto [end, error] = std::from_chars(text.data() + at, text.data() + at + 4, value, 16);
  return error == std::errc() && end == text.data() + at + 4 && text[at] != '-' ? value : -1;
}

bool is_high(int unit) { return unit >= 0xD800 && unit <= 0xDBFF; }
bool is_low(int unit) { return unit >= 0xDC00 && unit <= 0xDFFF; }

// Rewrites each escape of half a surrogate pair to \ufffd, because nlohmann reports those like any
// other mistake, and returns the numbers of the strings that had one, in rising order.
std::vector<std::size_t> repair_surrogates(std::string& text) {
  std::vector<std::size_t> repaired;
  std::size_t token = 0;
  bool inside = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '"') {
      if (inside) ++token;
      inside = !inside;
    } else if (inside && text[i] == '\\') {
      const int unit = i + 1 < text.size() && text[i + 1] == 'u' ? escape_at(text, i + 2) : -1;
      ++i;
      if (unit < 0) continue;
      const bool is_pair = is_high(unit) && i + 6 < text.size() && text[i + 5] == '\\' &&
                           text[i + 6] == 'u' && is_low(escape_at(text, i + 7));
      if (is_pair) {
        i += 10;
      } else {
        if (is_high(unit) || is_low(unit)) {
          text.replace(i + 1, 4, "fffd");
          if (repaired.empty() || repaired.back() != token) repaired.push_back(token);
        }
        i += 4;
      }
    }
  }
  return repaired;
}

}  // namespace

Kind Value::kind() const { return static_cast<Kind>(data_.index()); }
const bool* Value::boolean() const { return std::get_if<bool>(&data_); }
const double* Value::number() const { return std::get_if<double>(&data_); }
const std::string* Value::string() const { return std::get_if<std::string>(&data_); }
const std::vector<Value>* Value::array() const { return std::get_if<std::vector<Value>>(&data_); }
const std::vector<Value::Member>* Value::object() const {
  return std::get_if<std::vector<Member>>(&data_);
}

const Value* Value::find(std::string_view name) const {
  const auto* members = object();
  if (members == nullptr) return nullptr;
  const auto found = std::find_if(members->begin(), members->end(),
                                  [&](const Member& each) { return each.first == name; });
  return found == members->end() ? nullptr : &found->second;
}

std::optional<Value> parse(std::string_view text, Policy policy) {
  const bool is_lenient = policy == Policy::lenient;
  if (text.starts_with(kByteOrderMark)) {
    if (!is_lenient) return std::nullopt;
    text.remove_prefix(kByteOrderMark.size());
    // nlohmann would skip a second one, which is a character like any other.
    if (text.starts_with(kByteOrderMark)) return std::nullopt;
  }
  // nlohmann takes a NUL for the end of the text.
  if (text.find('\0') != std::string_view::npos) return std::nullopt;
  if (!is_lenient && !utf8::is_valid(text)) return std::nullopt;
  std::string copy = is_lenient ? utf8::repaired(text) : std::string(text);
  std::vector<std::size_t> repaired = repair_surrogates(copy);
  if (policy == Policy::token && !repaired.empty()) return std::nullopt;

  Builder builder(policy, std::move(repaired));
  try {
    if (!nlohmann::json::sax_parse(copy, &builder)) return std::nullopt;
  } catch (const nlohmann::json::exception&) {
    return std::nullopt;
  }
  return builder.take();
}

namespace {

constexpr std::array<bool, 256> kIsEscaped = [] {
  std::array<bool, 256> escaped{};
  for (std::size_t byte = 0; byte < 0x20; ++byte) escaped[byte] = true;
  escaped['"'] = escaped['\\'] = true;
  return escaped;
}();

// Where the first character from `begin` on is that must be escaped, or the end. Eight at a time:
// a byte of `x` below n, or equal to n, shows in its high bit (Warren, Hacker's Delight, 6-1).
std::size_t next_escaped(std::string_view text, std::size_t begin) {
  constexpr std::uint64_t kOnes = 0x0101010101010101;
  constexpr std::uint64_t kHighs = 0x8080808080808080;
  const auto zero_byte = [](std::uint64_t x) { return (x - kOnes) & ~x & kHighs; };
  for (; begin + 8 <= text.size(); begin += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, text.data() + begin, 8);
    const std::uint64_t below_space = (word - kOnes * 0x20) & ~word & kHighs;
    if ((below_space | zero_byte(word ^ (kOnes * '"')) | zero_byte(word ^ (kOnes * '\\'))) != 0)
      break;
  }
  while (begin < text.size() && !kIsEscaped[static_cast<unsigned char>(text[begin])]) ++begin;
  return begin;
}

}  // namespace

void append_string(std::string& out, std::string_view text) {
  constexpr char kDigits[] = "0123456789abcdef";
  out += '"';
  std::size_t begin = 0;
  for (std::size_t i = next_escaped(text, 0); i < text.size(); i = next_escaped(text, i + 1)) {
    const auto byte = static_cast<unsigned char>(text[i]);
    out.append(text.substr(begin, i - begin));
    begin = i + 1;
    switch (byte) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\b':
        out += "\\b";
        break;
      case '\f':
        out += "\\f";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      default:
        out.append({'\\', 'u', '0', '0', kDigits[byte >> 4], kDigits[byte & 15]});
    }
  }
  out.append(text.substr(begin));
  out += '"';
}

void Writer::separate() {
  if (comma_) text_ += ',';
  comma_ = true;
}

Writer& Writer::key(std::string_view name) {
  separate();
  append_string(text_, name);
  text_ += ':';
  comma_ = false;
  return *this;
}

Writer& Writer::value(std::string_view text) {
  separate();
  append_string(text_, text);
  return *this;
}

Writer& Writer::value(bool truth) { return raw(truth ? "true" : "false"); }

Writer& Writer::value(std::int64_t number) { return raw(std::to_string(number)); }

Writer& Writer::value(std::nullptr_t) { return raw("null"); }

Writer& Writer::raw(std::string_view json) {
  separate();
  text_ += json;
  return *this;
}

Writer& Writer::open(char bracket) {
  separate();
  text_ += bracket;
  comma_ = false;
  return *this;
}

Writer& Writer::close(char bracket) {
  text_ += bracket;
  comma_ = true;
  return *this;
}

}  // namespace json
