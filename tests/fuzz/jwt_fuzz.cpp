// lib/jwt: nothing is accepted that was not signed; of what was signed, only what the contract
// says. Input: a letter, then
//   t  a token
//   s  a header and, on the next line, claims, which are signed under HS256
//   d  bytes of a signature: those of EdDSA, ES256 and RS256 keys under a token of each
#include "lib/jwt.h"

#include <cmath>

#include "lib/encoding.h"
#include "tests/fuzz/fuzz.h"

namespace {

using crypto::VerifyKey;
using fuzzing::kSecret;

const std::chrono::system_clock::time_point kNow{std::chrono::seconds(1767323100)};
constexpr std::string_view kUs = "http://auth.example.test";

// Public keys of RFC 7515, appendices A.2 and A.3.
constexpr std::string_view kEcKey =
    R"({"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",)"
    R"("y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"})";
constexpr std::string_view kRsaKey =
    R"({"kty":"RSA","e":"AQAB","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHm)"
    R"(fHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9w)"
    R"(Gzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZ)"
    R"(lxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h)"
    R"(4FRWyuXpoQ"})";

const crypto::Ed25519Key& edwards() {
  static const auto key = crypto::Ed25519Key::from_seed(crypto::sha256("the seed of the target"));
  return *key;
}

VerifyKey from_jwk(std::string id, std::string_view algorithm, std::string_view text) {
  auto jwk = json::parse(text, json::Policy::token);
  auto key = VerifyKey::from_jwk(std::move(id), algorithm, *jwk);
  REQUIRE(key);
  return std::move(*key);
}

const std::vector<VerifyKey>& keys() {
  static const std::vector<VerifyKey> all = [] {
    std::vector<VerifyKey> made;
    made.push_back(VerifyKey::hmac("", kSecret));
    json::Writer jwk;
    jwk.begin_object().member("kty", "OKP").member("crv", "Ed25519");
    jwk.member("x", encoding::base64url(edwards().public_key())).end_object();
    made.push_back(from_jwk("ed", "EdDSA", jwk.text()));
    made.push_back(from_jwk("es", "ES256", kEcKey));
    made.push_back(from_jwk("rs", "RS256", kRsaKey));
    made.push_back(from_jwk("ps", "PS256", kRsaKey));
    return made;
  }();
  return all;
}

jwt::Policy policy() {
  jwt::Policy ours;
  ours.issuers = ours.audiences = {std::string(kUs)};
  ours.required = false;
  return ours;
}

bool is_accepted(std::string_view token) {
  return std::holds_alternative<json::Value>(jwt::verify(token, keys(), policy(), kNow));
}

// No token that an input can hold was signed by us.
void check_token(std::string_view token) {
  REQUIRE(!is_accepted(token));
  if (const auto id = jwt::key_id(token)) {
    REQUIRE(!id->empty() && id->size() <= jwt::kMaxKeyIdBytes && token.size() <= jwt::kMaxBytes);
  }
}

// The contract's rules, written down a second time.
bool may_be_accepted(std::string_view header_text, std::string_view claims_text) {
  const auto header = json::parse(header_text, json::Policy::token);
  const auto claims = json::parse(claims_text, json::Policy::token);
  if (!header || !claims || !header->is(json::Kind::object) || !claims->is(json::Kind::object))
    return false;
  for (const char* refused : {"crit", "b64", "kid"})
    if (header->find(refused) != nullptr) return false;
  const json::Value* algorithm = header->find("alg");
  if (algorithm == nullptr || algorithm->string() == nullptr || *algorithm->string() != "HS256")
    return false;
  const double now = 1767323100;
  for (const char* name : {"exp", "nbf", "iat"}) {
    const json::Value* date = claims->find(name);
    if (date == nullptr) continue;
    if (date->number() == nullptr || std::abs(*date->number()) >= 9007199254740992.0) return false;
  }
  const json::Value* exp = claims->find("exp");
  if (exp == nullptr || *exp->number() <= now) return false;
  const json::Value* nbf = claims->find("nbf");
  if (nbf != nullptr && *nbf->number() > now + 60) return false;
  const json::Value* issuer = claims->find("iss");
  if (issuer != nullptr && (issuer->string() == nullptr || *issuer->string() != kUs)) return false;
  const json::Value* audience = claims->find("aud");
  if (audience == nullptr) return true;
  if (audience->string() != nullptr) return *audience->string() == kUs;
  if (audience->array() == nullptr) return false;
  bool fits = false;
  for (const json::Value& each : *audience->array()) {
    if (each.string() == nullptr) return false;
    fits = fits || *each.string() == kUs;
  }
  return fits;
}

void check_signed(std::string_view header, std::string_view claims) {
  std::string token = jwt::sign_hs256(header, claims, kSecret);
  const bool accepted = is_accepted(token);
  REQUIRE(accepted == (token.size() <= jwt::kMaxBytes && may_be_accepted(header, claims)));
  if (!accepted) return;
  // One character altered anywhere, and it is none.
  const std::size_t at = fuzzing::hash(token) % token.size();
  token[at] = token[at] == 'A' ? 'B' : 'A';
  REQUIRE(!is_accepted(token));
}

void check_signature(std::string_view signature) {
  for (const auto& [algorithm, id] :
       {std::pair{"EdDSA", "ed"}, {"ES256", "es"}, {"RS256", "rs"}, {"PS256", "ps"}}) {
    json::Writer header;
    header.begin_object().member("alg", algorithm).member("kid", id).end_object();
    const std::string text = encoding::base64url(header.text()) + '.' +
                             encoding::base64url(R"({"exp":9007199254740991})");
    REQUIRE(!is_accepted(text + '.' + encoding::base64url(signature)));
    if (std::string_view(id) != "ed") continue;
    std::string real = edwards().sign(text);
    REQUIRE(is_accepted(text + '.' + encoding::base64url(real)));
    const std::size_t bit = fuzzing::hash(signature) % (real.size() * 8);
    real[bit / 8] = static_cast<char>(real[bit / 8] ^ (1 << (bit % 8)));
    REQUIRE(!is_accepted(text + '.' + encoding::base64url(real)));
  }
}

}  // namespace

void fuzz(std::string_view input) {
  if (input.empty()) return;
  const char kind = input.front();
  input.remove_prefix(1);
  if (kind == 's') {
    const std::string_view header = fuzzing::take_line(input);
    check_signed(header, input);
  } else if (kind == 'd') {
    check_signature(input);
  } else {
    check_token(input);
  }
}
