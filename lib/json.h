// JSON in (RFC 8259, parsed by nlohmann/json) and out (appended by hand, because a document tree
// costs half of a list's throughput). The only module over nlohmann/json: what its exceptions
// quote can be a password, so they end here.
// Must not know: HTTP, what a member means.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace json {

// Deepest nesting that any policy accepts; both contracts allow 400 beyond it.
inline constexpr std::size_t kMaxDepth = 32;

enum class Kind { null, boolean, number, string, array, object };

// A parsed value. Cheap to move, immutable once parsed.
class Value {
 public:
  using Member = std::pair<std::string, Value>;

  Kind kind() const;
  bool is(Kind wanted) const { return kind() == wanted; }

  // The content, or nullptr if the value is of another kind.
  const bool* boolean() const;
  const double* number() const;
  const std::string* string() const;
  const std::vector<Value>* array() const;
  const std::vector<Member>* object() const;  // names are unique, in order of first appearance

  // The member `name`, or nullptr if there is none or this is no object.
  const Value* find(std::string_view name) const;

  // False for a string in which an escape named half of a surrogate pair (Policy::strict keeps
  // such strings, with U+FFFD in that place, so that the caller can name the field).
  bool well_formed() const { return well_formed_; }

 private:
  friend class Builder;
  std::variant<std::monostate, bool, double, std::string, std::vector<Value>, std::vector<Member>>
      data_;
  bool well_formed_ = true;
};

enum class Policy {
  strict,   // tasks-api section 4: no byte order mark, UTF-8 only; the last duplicate wins
  lenient,  // better-auth-wire 1.3: a byte order mark is skipped, ill-formed bytes and half
            // surrogate pairs become U+FFFD, "__proto__" is left out; the last duplicate wins
  token,    // strict, and duplicate members or half surrogate pairs are refused (RFC 7515,
            // section 4; RFC 8725, 3.10)
};

// nullopt: not one JSON value, nested deeper than kMaxDepth, a NUL outside a string, or a number
// beyond the range of a double. Never throws for anything in the text; linear in its length.
std::optional<Value> parse(std::string_view text, Policy policy);

// Appends `text` as a JSON string, quotes included. Escapes '"', '\\' and U+0000-U+001F only, as
// JSON.stringify does. `text` must be UTF-8.
void append_string(std::string& out, std::string_view text);

// Compact JSON, written member by member. The caller keeps begin and end in balance.
class Writer {
 public:
  Writer& begin_object() { return open('{'); }
  Writer& end_object() { return close('}'); }
  Writer& begin_array() { return open('['); }
  Writer& end_array() { return close(']'); }
  Writer& key(std::string_view name);

  Writer& value(std::string_view text);
  Writer& value(const char* text) { return value(std::string_view(text)); }
  Writer& value(const std::string& text) { return value(std::string_view(text)); }
  Writer& value(bool truth);
  Writer& value(std::int64_t number);
  Writer& value(std::nullptr_t);
  template <typename T>
  Writer& value(const std::optional<T>& maybe) {
    return maybe ? value(*maybe) : value(nullptr);
  }
  // `json` is JSON already.
  Writer& raw(std::string_view json);

  template <typename T>
  Writer& member(std::string_view name, const T& content) {
    return key(name).value(content);
  }

  const std::string& text() const { return text_; }
  std::string take() { return std::move(text_); }

 private:
  Writer& open(char bracket);
  Writer& close(char bracket);
  void separate();

  std::string text_;
  bool comma_ = false;
};

}  // namespace json
