// The order of checks is that of cost: length, form, header, key, signature. Claims are parsed
// only after the signature fitted, so a stranger's JSON never gets further than a header.
// Must not know: where keys live, HTTP, users.
#include "lib/jwt.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "lib/encoding.h"

namespace jwt {
namespace {

using Clock = std::chrono::system_clock;

constexpr double kMaxNumericDate = 9007199254740992.0;  // 2^53: beyond it seconds are not exact

struct Parts {
  std::string_view header;
  std::string_view claims;
  std::string_view signature;
  std::string_view signed_text;  // header and claims with the dot between
};

// Exactly three parts: a JWE has five (RFC 7516), an unsecured token of some libraries two.
std::optional<Parts> split(std::string_view token) {
  if (token.size() > kMaxBytes) return std::nullopt;
  const auto first = token.find('.');
  if (first == std::string_view::npos) return std::nullopt;
  const auto second = token.find('.', first + 1);
  if (second == std::string_view::npos) return std::nullopt;
  if (token.find('.', second + 1) != std::string_view::npos) return std::nullopt;
  return Parts{token.substr(0, first), token.substr(first + 1, second - first - 1),
               token.substr(second + 1), token.substr(0, second)};
}

std::optional<json::Value> parse_object(std::string_view base64url) {
  const auto text = encoding::from_base64url(base64url);
  if (!text) return std::nullopt;
  auto value = json::parse(*text, json::Policy::token);
  if (!value || !value->is(json::Kind::object)) return std::nullopt;
  return value;
}

struct Header {
  std::string algorithm;
  std::string key_id;  // empty: none named
};

// nullopt also for "crit": it asks the reader to refuse what it does not understand, and we know
// no extension (RFC 7515, 4.1.11). "b64" (RFC 7797) has to be listed there, so alone it is wrong.
std::optional<Header> parse_header(std::string_view base64url) {
  const auto object = parse_object(base64url);
  if (!object || object->find("crit") != nullptr || object->find("b64") != nullptr)
    return std::nullopt;
  const json::Value* algorithm = object->find("alg");
  if (algorithm == nullptr || algorithm->string() == nullptr) return std::nullopt;
  Header header{*algorithm->string(), {}};
  if (const json::Value* kid = object->find("kid")) {
    const std::string* text = kid->string();
    if (text == nullptr || text->empty() || text->size() > kMaxKeyIdBytes) return std::nullopt;
    header.key_id = *text;
  }
  return header;
}

// nullopt: the signature fits. More than one key may have the id; then one of them has to fit.
std::optional<Refused> check_signature(const Header& header, std::string_view signed_text,
                                       std::string_view signature,
                                       std::span<const crypto::VerifyKey> keys) {
  Refused reason = Refused::unknown_key;
  for (const crypto::VerifyKey& key : keys) {
    if (key.id() != header.key_id) continue;
    if (crypto::name(key.algorithm()) == header.algorithm) {
      if (key.verify(signed_text, signature)) return std::nullopt;
      reason = Refused::bad_signature;
    } else if (reason == Refused::unknown_key) {
      reason = Refused::wrong_algorithm;
    }
  }
  return reason;
}

// Seconds since 1970, or nullopt for anything that is not such a number (RFC 7519, 2).
std::optional<double> numeric_date(const json::Value& value) {
  const double* seconds = value.number();
  if (seconds == nullptr || !(std::abs(*seconds) < kMaxNumericDate)) return std::nullopt;
  return *seconds;
}

bool contains(const std::vector<std::string>& accepted, const std::string* text) {
  return text != nullptr && std::find(accepted.begin(), accepted.end(), *text) != accepted.end();
}

// `claim` is "iss" or "aud", null if the token has none.
bool issuer_fits(const json::Value* claim, const Policy& policy) {
  if (claim == nullptr) return !policy.required;
  return contains(policy.issuers, claim->string());
}

bool audience_fits(const json::Value* claim, const Policy& policy) {
  if (claim == nullptr) return !policy.required;
  const auto* members = claim->array();
  if (members == nullptr) return contains(policy.audiences, claim->string());
  bool fits = false;
  for (const json::Value& member : *members) {
    if (member.string() == nullptr) return false;  // RFC 7519, 4.1.3: all are strings
    fits = fits || contains(policy.audiences, member.string());
  }
  return fits;
}

// nullopt: acceptable.
std::optional<Refused> check_claims(const json::Value& claims, const Policy& policy,
                                    Clock::time_point now) {
  const double current = seconds_since_1970(now);
  const json::Value* exp = claims.find("exp");
  const auto expires = exp != nullptr ? numeric_date(*exp) : std::nullopt;
  if (!expires) return Refused::claims;
  if (const json::Value* nbf = claims.find("nbf")) {
    const auto begins = numeric_date(*nbf);
    const auto ahead = static_cast<double>(policy.ahead.count());
    if (!begins || *begins > current + ahead) return Refused::claims;
  }
  const json::Value* iat = claims.find("iat");
  if (iat != nullptr && !numeric_date(*iat)) return Refused::claims;
  if (!issuer_fits(claims.find("iss"), policy)) return Refused::claims;
  if (!audience_fits(claims.find("aud"), policy)) return Refused::claims;
  if (*expires <= current) return Refused::expired;
  return std::nullopt;
}

std::string signing_input(std::string_view header, std::string_view claims) {
  return encoding::base64url(header) + '.' + encoding::base64url(claims);
}

}  // namespace

std::string_view name(Refused reason) {
  switch (reason) {
    case Refused::malformed:
      return "malformed";
    case Refused::unknown_key:
      return "unknown_key";
    case Refused::wrong_algorithm:
      return "wrong_algorithm";
    case Refused::bad_signature:
      return "bad_signature";
    case Refused::expired:
      return "expired";
    case Refused::claims:
      return "claims";
  }
  return "unknown";
}

double seconds_since_1970(Clock::time_point time) {
  // Whole seconds and the rest apart: nanoseconds since 1970 are more than a double can count.
  const auto whole = std::chrono::floor<std::chrono::seconds>(time);
  return static_cast<double>(whole.time_since_epoch().count()) +
         std::chrono::duration<double>(time - whole).count();
}

std::optional<std::string> key_id(std::string_view token) {
  const auto parts = split(token);
  const auto header = parts ? parse_header(parts->header) : std::nullopt;
  if (!header || header->key_id.empty()) return std::nullopt;
  return header->key_id;
}

std::variant<json::Value, Refused> verify(std::string_view token,
                                          std::span<const crypto::VerifyKey> keys,
                                          const Policy& policy, Clock::time_point now) {
  const auto parts = split(token);
  if (!parts) return Refused::malformed;
  const auto header = parse_header(parts->header);
  const auto signature = encoding::from_base64url(parts->signature);
  if (!header || !signature) return Refused::malformed;
  if (const auto refused = check_signature(*header, parts->signed_text, *signature, keys))
    return *refused;
  auto claims = parse_object(parts->claims);
  if (!claims) return Refused::malformed;
  if (const auto refused = check_claims(*claims, policy, now)) return *refused;
  return std::move(*claims);
}

std::string sign_hs256(std::string_view header, std::string_view claims, std::string_view secret) {
  std::string token = signing_input(header, claims);
  const std::string signature = crypto::hmac_sha256(secret, token);
  return token += '.' + encoding::base64url(signature);
}

std::string sign_eddsa(std::string_view key_id, std::string_view claims,
                       const crypto::Ed25519Key& key) {
  json::Writer header;
  header.begin_object().member("alg", "EdDSA").member("kid", key_id).end_object();
  std::string token = signing_input(header.text(), claims);
  const std::string signature = key.sign(token);
  return token += '.' + encoding::base64url(signature);
}

}  // namespace jwt
