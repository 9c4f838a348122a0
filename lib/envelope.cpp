#include "lib/envelope.h"

#include <charconv>

#include "lib/crypto.h"
#include "lib/encoding.h"

namespace envelope {
namespace {

constexpr std::string_view kPrefix = "$ba$";
constexpr std::size_t kNonceBytes = 24;

}  // namespace

std::string seal(std::string_view plain, std::string_view secret, std::optional<int> version) {
  const std::string nonce = crypto::random_bytes(kNonceBytes);
  const std::string prefix =
      version ? std::string(kPrefix) + std::to_string(*version) + "$" : std::string();
  return prefix + encoding::hex(nonce + crypto::xchacha20_poly1305_seal(crypto::sha256(secret),
                                                                        nonce, "", plain));
}

std::optional<std::string> open(std::string_view sealed, const SecretOf& secret_of) {
  std::optional<int> version;
  if (sealed.starts_with(kPrefix)) {
    sealed.remove_prefix(kPrefix.size());
    const std::size_t dollar = std::min(sealed.find('$'), sealed.size());
    int number = 0;
    const auto [end, error] = std::from_chars(sealed.data(), sealed.data() + dollar, number);
    if (error != std::errc() || end != sealed.data() + dollar || dollar == sealed.size())
      return std::nullopt;
    version = number;
    sealed.remove_prefix(dollar + 1);
  }
  const auto secret = secret_of(version);
  const auto bytes = encoding::from_hex(sealed);
  if (!secret || !bytes || bytes->size() < kNonceBytes) return std::nullopt;
  const std::string_view all(*bytes);
  return crypto::xchacha20_poly1305_open(crypto::sha256(*secret), all.substr(0, kNonceBytes), "",
                                         all.substr(kNonceBytes));
}

}  // namespace envelope
