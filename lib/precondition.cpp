#include "lib/precondition.h"

#include <algorithm>

namespace precondition {
namespace {

bool is_visible(char c) { return c > ' ' && c < '\x7f'; }

// RFC 9110, section 8.8.3: visible ASCII without the quote, and every byte beyond ASCII.
bool is_tag_character(char c) { return (is_visible(c) && c != '"') || (c & '\x80') != 0; }

void skip_blanks(std::string_view& text) {
  text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
}

// Takes one entity tag from the beginning of `text`.
std::optional<std::string_view> take_tag(std::string_view& text) {
  if (text.starts_with("W/")) text.remove_prefix(2);
  if (!text.starts_with('"')) return std::nullopt;
  const std::size_t end = text.find('"', 1);
  if (end == std::string_view::npos) return std::nullopt;
  const std::string_view tag = text.substr(1, end - 1);
  text.remove_prefix(end + 1);
  if (!std::all_of(tag.begin(), tag.end(), is_tag_character)) return std::nullopt;
  return tag;
}

}  // namespace

bool Tags::match(std::string_view version) const {
  return any || std::find(opaque.begin(), opaque.end(), version) != opaque.end();
}

std::optional<Tags> parse(std::string_view field) {
  Tags tags;
  tags.any = field == "*";
  if (tags.any) return tags;
  bool is_separated = true;
  for (skip_blanks(field); !field.empty(); skip_blanks(field)) {
    if (field.front() == ',') {
      field.remove_prefix(1);
      is_separated = true;
      continue;
    }
    const auto tag = is_separated ? take_tag(field) : std::nullopt;
    if (!tag) return std::nullopt;
    tags.opaque.push_back(*tag);
    is_separated = false;
  }
  return tags;
}

std::optional<Tags> if_match(const http::Request& request) {
  const auto field = request.find_header("if-match");
  if (!field) return std::nullopt;
  return parse(*field).value_or(Tags{});
}

std::optional<Tags> if_none_match(const http::Request& request) {
  const auto field = request.find_header("if-none-match");
  return field ? parse(*field) : std::nullopt;
}

http::Error failed() { return {412, "precondition_failed", "The current version is another one"}; }

http::Response tagged(const http::Request& request, http::Response response,
                      std::string_view version) {
  if ((request.method() & (http::GET | http::HEAD)) != 0) {
    const auto wanted = if_match(request);
    if (wanted && !wanted->match(version)) throw failed();
    const auto known = if_none_match(request);
    if (known && known->match(version)) response = {304, {}, ""};
  }
  return response.add("ETag", "W/\"" + std::string(version) + "\"");
}

std::optional<std::string_view> idempotency_key(const http::Request& request) {
  const auto key = request.find_header("idempotency-key");
  if (key &&
      (key->empty() || key->size() > kMaxKey || !std::all_of(key->begin(), key->end(), is_visible)))
    throw http::Error::invalid("Idempotency-Key", "min_length=1, max_length=64, visible_ascii",
                               "must have 1 to 64 visible ASCII characters");
  return key;
}

}  // namespace precondition
