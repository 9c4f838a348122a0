// The contract's worked examples of what we do not issue but must not mistake: the cached session
// in its three encodings, and hashed verification identifiers.
#include <gtest/gtest.h>

#include "lib/cookie.h"
#include "lib/crypto.h"
#include "lib/encoding.h"
#include "lib/jwt.h"
#include "tests/unit/vectors.h"

namespace {

const nlohmann::json& all() { return vectors("better-auth-vectors.json"); }
std::string secret() { return all()["secret"]; }

// A moment at which the examples are valid.
const auto kThen = std::chrono::system_clock::from_time_t(1767323045);

}  // namespace

TEST(CachedSession, theCompactFormIsSignedAsTheContractSays) {
  const auto& vector = all()["cookie_cache"]["compact"];
  EXPECT_EQ(encoding::base64url(crypto::hmac_sha256(secret(), std::string(vector["signed_text"]))),
            vector["hmac_base64url_nopad"].get<std::string>());
}

TEST(CachedSession, theJwtFormIsValidUnderTheSecretAndTellsItselfByItsSession) {
  const std::string token = all()["cookie_cache"]["jwt"]["cookie_value"];
  const crypto::VerifyKey key = crypto::VerifyKey::hmac("", secret());
  const auto claims = jwt::verify(token, {&key, 1}, {{}, {}, false}, kThen);
  ASSERT_TRUE(std::holds_alternative<json::Value>(claims));
  // lib/auth and lib/mail refuse tokens that have this member, or lack "sub" or "email".
  EXPECT_NE(std::get<json::Value>(claims).find("session"), nullptr);
  EXPECT_EQ(std::get<json::Value>(claims).find("sub"), nullptr);
  EXPECT_EQ(std::get<json::Value>(claims).find("email"), nullptr);
}

TEST(CachedSession, theEncryptedFormHasItsKeyAndIsNoSignedToken) {
  const auto& vector = all()["cookie_cache"]["jwe"];
  const std::string key = crypto::hkdf_sha256(secret(), "better-auth-session",
                                              "BetterAuth.js Generated Encryption Key", 64);
  EXPECT_EQ(encoding::hex(key), vector["key_hex"].get<std::string>());
  // RFC 7638, section 3.2: the members of an oct key in lexical order.
  const std::string thumbprint = R"({"k":")" + encoding::base64url(key) + R"(","kty":"oct"})";
  EXPECT_EQ(encoding::base64url(crypto::sha256(thumbprint)), vector["kid"].get<std::string>());
  const crypto::VerifyKey shared = crypto::VerifyKey::hmac("", secret());
  const auto refused =
      jwt::verify(std::string(vector["example_token"]), {&shared, 1}, {{}, {}, false}, kThen);
  EXPECT_EQ(std::get<jwt::Refused>(refused), jwt::Refused::malformed);
}

TEST(Verification, aHashedIdentifierIsItsSha256) {
  const auto& vector = all()["hashed_verification_identifier"];
  EXPECT_EQ(encoding::base64url(crypto::sha256(std::string(vector["identifier"]))),
            vector["stored_when_hashing_enabled"].get<std::string>());
  EXPECT_EQ(vector["stored_by_default"], vector["identifier"]);
}
