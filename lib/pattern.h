// Path patterns: what a route declares, what nginx's map is generated from, and what a request is
// matched against. Literal segments; "{name}" takes one non-empty segment; "(a|b)" one of several
// texts; "(...)?" may be missing; "{auth}" at the beginning stands for a base path that is only
// known at run time. Pure; must not know any route.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace pattern {

using Captures = std::vector<std::pair<std::string, std::string>>;  // name, decoded segment

class Pattern {
 public:
  // Throws std::logic_error if brackets do not match.
  Pattern(std::string_view text, std::string_view auth_path);

  // The captured segments if the whole path fits one of the forms (the first one, in the order in
  // which the alternatives are written). `segments` are decoded; an empty one fits nothing.
  std::optional<Captures> match(std::span<const std::string> segments) const;

 private:
  struct Segment {
    std::string text;  // the literal, or the name of what is captured
    bool captures = false;
  };
  std::vector<std::vector<Segment>> forms_;
};

}  // namespace pattern
