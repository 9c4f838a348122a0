#include "lib/pattern.h"

#include <stdexcept>

namespace pattern {
namespace {

constexpr std::string_view kAuth = "{auth}";

// The position of the bracket that closes the one at `open`.
std::size_t closing(std::string_view text, std::size_t open) {
  int depth = 0;
  for (std::size_t i = open; i < text.size(); ++i) {
    if (text[i] == '(') ++depth;
    if (text[i] == ')' && --depth == 0) return i;
  }
  throw std::logic_error("a path pattern has an open bracket");
}

std::vector<std::string_view> alternatives(std::string_view group) {
  std::vector<std::string_view> parts;
  int depth = 0;
  std::size_t begin = 0;
  for (std::size_t i = 0; i < group.size(); ++i) {
    if (group[i] == '(') ++depth;
    if (group[i] == ')') --depth;
    if (group[i] == '|' && depth == 0) {
      parts.push_back(group.substr(begin, i - begin));
      begin = i + 1;
    }
  }
  parts.push_back(group.substr(begin));
  return parts;
}

// Every text without brackets that the pattern stands for.
std::vector<std::string> expanded(std::string_view text) {
  const std::size_t open = text.find('(');
  if (open == std::string_view::npos) return {std::string(text)};
  const std::size_t close = closing(text, open);
  std::size_t rest = close + 1;
  std::vector<std::string_view> choices = alternatives(text.substr(open + 1, close - open - 1));
  if (rest < text.size() && text[rest] == '?') {
    choices.emplace_back();
    ++rest;
  }
  std::vector<std::string> all;
  for (const std::string_view choice : choices) {
    const std::string whole =
        std::string(text.substr(0, open)).append(choice).append(text.substr(rest));
    for (std::string& form : expanded(whole)) all.push_back(std::move(form));
  }
  return all;
}

}  // namespace

Pattern::Pattern(std::string_view text, std::string_view auth_path) {
  std::string whole(text);
  if (text.starts_with(kAuth)) whole.replace(0, kAuth.size(), auth_path);
  for (const std::string& form : expanded(whole)) {
    std::vector<Segment> segments;
    for (std::size_t begin = 1; begin <= form.size();) {
      const std::size_t end = std::min(form.find('/', begin), form.size());
      const std::string_view piece = std::string_view(form).substr(begin, end - begin);
      if (piece.starts_with('{') && piece.ends_with('}'))
        segments.push_back({std::string(piece.substr(1, piece.size() - 2)), true});
      else
        segments.push_back({std::string(piece), false});
      begin = end + 1;
    }
    forms_.push_back(std::move(segments));
  }
}

std::optional<Captures> Pattern::match(std::span<const std::string> segments) const {
  for (const auto& form : forms_) {
    if (form.size() != segments.size()) continue;
    Captures captures;
    bool fits = true;
    for (std::size_t i = 0; fits && i < form.size(); ++i) {
      if (form[i].captures) {
        // A dot segment would mean another path to whoever normalises it (RFC 3986, 5.2.4).
        fits = !segments[i].empty() && segments[i] != "." && segments[i] != "..";
        captures.emplace_back(form[i].text, segments[i]);
      } else {
        fits = form[i].text == segments[i];
      }
    }
    if (fits) return captures;
  }
  return std::nullopt;
}

}  // namespace pattern
