// lib/envelope and lib/password: a stored text that we did not make opens nothing and matches
// nothing. Input: the text, and on further lines what is sealed.
#include "lib/envelope.h"
#include "lib/password.h"
#include "tests/fuzz/fuzz.h"

namespace {

std::optional<std::string_view> secret_of(std::optional<int> version) {
  if (version && *version != 2) return std::nullopt;
  return fuzzing::kSecret;
}

}  // namespace

void fuzz(std::string_view input) {
  const std::string_view stored = fuzzing::take_line(input);
  REQUIRE(!envelope::open(stored, secret_of));
  // One that has the form of a hash would cost 0.1 s each.
  if (stored.size() != 161) REQUIRE(!password::matches(input, stored));
  for (const std::optional<int> version : {std::optional<int>(), std::optional<int>(2)}) {
    std::string sealed = envelope::seal(input, fuzzing::kSecret, version);
    REQUIRE(envelope::open(sealed, secret_of) == input);
    const std::size_t prefix = version ? 6 : 0;
    const std::size_t at = prefix + fuzzing::hash(input) % (sealed.size() - prefix);
    sealed[at] = sealed[at] == '0' ? '1' : '0';
    REQUIRE(!envelope::open(sealed, secret_of));
  }
}
