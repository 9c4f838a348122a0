// lib/origin: an origin is its own origin; only trusted hosts are trusted; a redirect stays.
// Input: a URL, and on further lines entries of a list.
#include "lib/origin.h"

#include <array>

#include "tests/fuzz/fuzz.h"

namespace {

const std::array<std::string, 4> kTrusted{"http://auth.example.test", "https://*.wild.example.com",
                                          "myapp://", "10.0.*"};

// The host of an origin, without its port.
std::string_view host(std::string_view origin) {
  origin.remove_prefix(origin.find("://") + 3);
  return origin.substr(0, origin.find(':', origin.starts_with('[') ? origin.find(']') : 0));
}

bool belongs(std::string_view url) {
  const auto origin = origin::of_url(url);
  if (!origin) return url.size() > 7 && (url[0] == 'm' || url[0] == 'M');
  if (*origin == kTrusted[0] || origin->starts_with("myapp://")) return true;
  if (origin->starts_with("https://") && host(*origin).ends_with(".wild.example.com")) return true;
  return host(*origin).starts_with("10.0.") &&
         host(*origin).find_first_not_of("0123456789.") == std::string_view::npos;
}

}  // namespace

void fuzz(std::string_view input) {
  const std::string_view url = fuzzing::take_line(input);
  if (const auto origin = origin::of_url(url)) {
    REQUIRE(origin::of_url(*origin) == origin);
    REQUIRE(fuzzing::is_one_line(*origin));
    REQUIRE(origin->find('@') == std::string::npos);
    REQUIRE(origin::is_trusted(url, std::array{*origin}) ||
            origin->find_first_of("*?") != std::string::npos);
  }
  if (origin::is_trusted(url, kTrusted) && url != "myapp://") REQUIRE(belongs(url));
  if (origin::is_safe_redirect(url, kTrusted)) {
    REQUIRE(fuzzing::is_one_line(url));
    REQUIRE(url.find('\\') == std::string_view::npos);
    if (url.starts_with('/'))
      REQUIRE(!url.starts_with("//"));
    else
      REQUIRE(origin::is_trusted(url, kTrusted));
  }
  const std::vector<std::string> entries = fuzzing::lines(input);
  origin::is_trusted(url, entries);
  REQUIRE(!origin::is_trusted(url, {}));
}
