// Texts sealed under the deployment's secret, in the form that Better Auth reads and writes
// (contract better-auth-wire, sections 8.5 and 8.7). Pure. Must not know: what is sealed.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace envelope {

// The secret of a version, or nullopt if it is not known; nullopt asks for the one without version.
using SecretOf = std::function<std::optional<std::string_view>(std::optional<int> version)>;

// Lower-case hex of nonce, ciphertext and tag, by XChaCha20-Poly1305 under the SHA-256 of `secret`;
// with a version, "$ba$<version>$" goes before it. Throws crypto::Error.
std::string seal(std::string_view plain, std::string_view secret, std::optional<int> version);

// nullopt if `sealed` has another form, its version is not known, or it was sealed under another
// secret.
std::optional<std::string> open(std::string_view sealed, const SecretOf& secret_of);

}  // namespace envelope
