// JSON Web Tokens, compact form: sign and verify (RFC 7515, RFC 7519; checks after RFC 8725 and
// section 3 of the task contract). Must not know: where keys live, HTTP, users. The caller chooses
// the keys; a token never does.
#pragma once

#include <chrono>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "lib/crypto.h"
#include "lib/json.h"

namespace jwt {

inline constexpr std::size_t kMaxBytes = 8192;  // nginx refuses longer header lines by default
inline constexpr std::size_t kMaxKeyIdBytes = 128;

// Why a token was refused. For logs and tests; the wire says "invalid_token" for all of them.
enum class Refused { malformed, unknown_key, wrong_algorithm, bad_signature, expired, claims };
std::string_view name(Refused reason);

// The key id that the header of `token` names, if `token` has the form of a token at all and the
// header has one of 1 ... kMaxKeyIdBytes bytes. Unverified: good for choosing which key to load.
std::optional<std::string> key_id(std::string_view token);

// A time as "exp" and "nbf" have it (NumericDate).
double seconds_since_1970(std::chrono::system_clock::time_point time);

// Who may have issued a token, and for whom.
struct Policy {
  std::vector<std::string> issuers;    // "iss" must be one of these, byte for byte
  std::vector<std::string> audiences;  // "aud", or one of its members, must be one of these
  bool required = true;                // false: "iss" and "aud" are checked only when present
  std::chrono::seconds ahead{60};      // how far "nbf" may lie in the future; "exp" has no leeway
};

// Verifies `token` at `now` against `keys`; returns its claims or the reason for refusal.
//   - A header with "kid" fits only the key of that id; without "kid", only keys of empty id.
//   - A key fits exactly one algorithm, and the header's "alg" must name it (RFC 8725, 3.1).
//   - "crit" is refused (RFC 7515, 4.1.11); "jku", "x5u", "jwk", "x5c" never select or add a key.
//   - Longer than kMaxBytes: malformed, before anything is decoded.
//   - "exp" is required and must be later than `now`; "exp", "nbf" and "iat" must be numbers of
//     absolute value below 2^53, a fraction is allowed (RFC 7519, NumericDate).
//   - Claims must be an object.
// Never throws for anything inside the token; throws crypto::Error if OpenSSL itself fails.
std::variant<json::Value, Refused> verify(std::string_view token,
                                          std::span<const crypto::VerifyKey> keys,
                                          const Policy& policy,
                                          std::chrono::system_clock::time_point now);

// Signs `claims` (JSON text of an object) under HS256. `header` is JSON text, used as it is.
std::string sign_hs256(std::string_view header, std::string_view claims, std::string_view secret);

// Signs `claims` under EdDSA, with the header {"alg":"EdDSA","kid":"<key_id>"}.
std::string sign_eddsa(std::string_view key_id, std::string_view claims,
                       const crypto::Ed25519Key& key);

}  // namespace jwt
