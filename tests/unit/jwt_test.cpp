// Tokens: the examples of RFC 7515 and RFC 8037, the contract's, and what an attacker may send.
#include "lib/jwt.h"

#include <gtest/gtest.h>

#include <chrono>
#include <ctime>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "lib/encoding.h"

namespace {

using crypto::Ed25519Key;
using crypto::VerifyKey;
using jwt::Refused;
using nlohmann::ordered_json;
using Time = std::chrono::system_clock::time_point;
using namespace std::chrono_literals;

constexpr char kSecret[] = "b7Qm2xVtR9kLwZ4nHs8JdYc3PfGaE6uTqXo1iNvCrMs=";
constexpr char kOrigin[] = "http://auth.example.test";
constexpr char kHs256[] = R"({"alg":"HS256"})";
const Time kNow{1767323100s};  // between "iat" and "exp" of the contract's tokens

ordered_json vectors() {
  std::ifstream file("tests/vectors/better-auth-vectors.json");
  EXPECT_TRUE(file) << "run this from the repository's root";
  return ordered_json::parse(file);
}

jwt::Policy anyone() {
  jwt::Policy policy;
  policy.required = false;
  return policy;
}

jwt::Policy ours() {
  jwt::Policy policy;
  policy.issuers = {kOrigin, "https://second.example.test"};
  policy.audiences = {kOrigin};
  return policy;
}

std::vector<VerifyKey> one(VerifyKey key) {
  std::vector<VerifyKey> keys;
  keys.push_back(std::move(key));
  return keys;
}

std::vector<VerifyKey> shared_secret() { return one(VerifyKey::hmac("", kSecret)); }

std::vector<VerifyKey> from_jwk(const std::string& id, std::string_view algorithm,
                                const ordered_json& jwk) {
  auto key =
      VerifyKey::from_jwk(id, algorithm, json::parse(jwk.dump(), json::Policy::token).value());
  EXPECT_TRUE(key);
  return one(std::move(key.value()));
}

ordered_json public_jwk(const Ed25519Key& key) {
  return {{"kty", "OKP"}, {"crv", "Ed25519"}, {"x", encoding::base64url(key.public_key())}};
}

// "ok" or the name of the reason, which makes a failed expectation readable.
std::string verdict(std::string_view token, const std::vector<VerifyKey>& keys,
                    const jwt::Policy& policy = anyone(), Time now = kNow) {
  const auto result = jwt::verify(token, keys, policy, now);
  if (const auto* refused = std::get_if<Refused>(&result)) return std::string(jwt::name(*refused));
  return "ok";
}

// Signed with the shared secret: only what the test is about can be wrong with it.
std::string signed_token(std::string_view header, std::string_view claims) {
  return jwt::sign_hs256(header, claims, kSecret);
}

std::string verdict_of_header(std::string_view header) {
  return verdict(signed_token(header, R"({"exp":1767323945})"), shared_secret());
}

std::string verdict_of_claims(std::string_view claims, const jwt::Policy& policy = anyone(),
                              Time now = kNow) {
  return verdict(signed_token(kHs256, claims), shared_secret(), policy, now);
}

std::string good_token() { return signed_token(kHs256, R"({"sub":"u","exp":1767323945})"); }

// --- Published examples
// ---------------------------------------------------------------------------

constexpr char kRfc7515Claims[] =
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVl"
    "fQ";

// Valid until its own "exp", and for nobody who did not ask for it.
void expect_rfc7515(const std::string& token, const std::vector<VerifyKey>& keys) {
  jwt::Policy joe = anyone();
  joe.issuers = {"joe"};
  EXPECT_EQ(verdict(token, keys, joe, Time{1300819380s}), "expired");
  EXPECT_EQ(verdict(token, keys, anyone(), Time{1300819379s}), "claims");
  const auto result = jwt::verify(token, keys, joe, Time{1300819379s});
  const auto* claims = std::get_if<json::Value>(&result);
  ASSERT_NE(claims, nullptr);
  const json::Value* root = claims->find("http://example.com/is_root");
  ASSERT_TRUE(root != nullptr && root->boolean() != nullptr);
  EXPECT_TRUE(*root->boolean());
}

TEST(Jwt, row39_Rfc7515ExampleA1IsVerified) {
  const auto secret = encoding::from_base64url(
      "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow");
  expect_rfc7515("eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9." + std::string(kRfc7515Claims) +
                     ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
                 one(VerifyKey::hmac("", secret.value())));
}

TEST(Jwt, row39_Rfc7515ExampleA2IsVerified) {
  const ordered_json jwk = {
      {"kty", "RSA"},
      {"n",
       "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0B"
       "m4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5"
       "z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7"
       "aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"},
      {"e", "AQAB"}};
  expect_rfc7515("eyJhbGciOiJSUzI1NiJ9." + std::string(kRfc7515Claims) +
                     ".cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-"
                     "0Qc_lF5YKt_O8W"
                     "2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_"
                     "nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjt"
                     "QBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-"
                     "eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6I"
                     "eYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw",
                 from_jwk("", "RS256", jwk));
}

const ordered_json kRfc7515EcKey = {{"kty", "EC"},
                                    {"crv", "P-256"},
                                    {"x", "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"},
                                    {"y", "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}};
constexpr char kRfc7515EcSignature[] =
    "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";

std::string es256_token(const std::string& signature) {
  return "eyJhbGciOiJFUzI1NiJ9." + std::string(kRfc7515Claims) + "." + signature;
}

TEST(Jwt, row39_Rfc7515ExampleA3IsVerified) {
  expect_rfc7515(es256_token(kRfc7515EcSignature), from_jwk("", "ES256", kRfc7515EcKey));
}

// Its payload is a sentence: the signature fits, and still it is no token.
TEST(Jwt, row39_Rfc8037ExampleA4HasAGoodSignatureAndNoClaims) {
  const auto keys = from_jwk(
      "", "EdDSA",
      {{"kty", "OKP"}, {"crv", "Ed25519"}, {"x", "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}});
  const std::string text = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
  const std::string signature =
      "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
  EXPECT_TRUE(keys[0].verify(text, encoding::from_base64url(signature).value()));
  EXPECT_EQ(verdict(text + "." + signature, keys), "malformed");
  EXPECT_EQ(verdict(text + "." + std::string(86, 'A'), keys), "bad_signature");
}

TEST(Jwt, TheContractsEdDsaTokenIsSignedAndVerified) {
  const ordered_json vector = vectors().at("jwt").at("eddsa");
  const auto token = vector.at("token").get<std::string>();
  const auto id = vector.at("header").at("kid").get<std::string>();
  const auto seed =
      encoding::from_base64url(vector.at("private_jwk").at("d").get<std::string>()).value();
  const Ed25519Key key = Ed25519Key::from_seed(seed).value();
  EXPECT_EQ(jwt::sign_eddsa(id, vector.at("payload_json").get<std::string>(), key), token);

  EXPECT_EQ(jwt::key_id(token), id);
  const auto keys = from_jwk(id, "EdDSA", vector.at("public_jwk"));
  const auto result = jwt::verify(token, keys, ours(), kNow);
  const auto* claims = std::get_if<json::Value>(&result);
  ASSERT_NE(claims, nullptr);
  EXPECT_EQ(*claims->find("sub")->string(), "uT8wZr5KxL2mB7pHs9JdYc4FgAeU6vQ3");
  EXPECT_EQ(*claims->find("name")->string(), "Zo\xc3\xab");
  EXPECT_EQ(verdict(token, keys, ours(), Time{1767323944s}), "ok");
  EXPECT_EQ(verdict(token, keys, ours(), Time{1767323945s}), "expired");
}

TEST(Jwt, TheContractsHs256TokenIsSignedAndVerified) {
  const ordered_json vector = vectors().at("jwt").at("hs256");
  const auto token = vector.at("token").get<std::string>();
  EXPECT_EQ(signed_token(vector.at("header").dump(), vector.at("payload_json").get<std::string>()),
            token);
  EXPECT_EQ(verdict(token, shared_secret(), ours()), "ok");
  EXPECT_EQ(verdict(token, one(VerifyKey::hmac("", "another secret")), ours()), "bad_signature");
}

TEST(Jwt, TheContractsEmailTokensAreSignedAndVerified) {
  const ordered_json cases = vectors().at("email_token");
  for (const auto& vector : cases) {
    const auto token = vector.at("token").get<std::string>();
    EXPECT_EQ(signed_token(kHs256, vector.at("payload_json").get<std::string>()), token);
    EXPECT_EQ(verdict(token, shared_secret()), "ok");
    EXPECT_EQ(verdict(token, shared_secret(), ours()), "claims");  // no issuer: no access token
  }
}

// --- Algorithm (reliability, row 40)
// --------------------------------------------------------------

TEST(Jwt, row40_TheHeaderMustNameTheAlgorithmOfTheKey) {
  for (const char* algorithm : {"none", "None", "nOnE", "", "hs256", "HS512", "RS256", "EdDSA"}) {
    const std::string header = ordered_json({{"alg", algorithm}}).dump();
    EXPECT_EQ(verdict_of_header(header), "wrong_algorithm") << algorithm;
    // The classic form of "none" has no signature at all.
    const std::string token = signed_token(header, R"({"exp":1767323945})");
    EXPECT_EQ(verdict(token.substr(0, token.rfind('.') + 1), shared_secret()), "wrong_algorithm");
  }
  for (const char* header : {"{}", R"({"alg":256})", R"({"alg":null})", R"({"alg":["HS256"]})",
                             R"({"ALG":"HS256"})", R"({"typ":"JWT"})"})
    EXPECT_EQ(verdict_of_header(header), "malformed") << header;
}

TEST(Jwt, row40_APublicKeyIsNoSharedSecret) {
  const Ed25519Key key = Ed25519Key::generate();
  const std::string claims = R"({"exp":1767323945})";
  const ordered_json jwk = public_jwk(key);
  const auto keys = from_jwk("id", "EdDSA", jwk);
  for (const std::string& secret : {key.public_key(), jwk.dump(), jwk.at("x").get<std::string>()}) {
    EXPECT_EQ(verdict(jwt::sign_hs256(R"({"alg":"HS256","kid":"id"})", claims, secret), keys),
              "wrong_algorithm");
    EXPECT_EQ(verdict(jwt::sign_hs256(R"({"alg":"EdDSA","kid":"id"})", claims, secret), keys),
              "bad_signature");
  }
  EXPECT_EQ(verdict(jwt::sign_eddsa("id", claims, key), keys), "ok");
}

TEST(Jwt, row40_AnotherAlgorithmUnderAnRsaKeyIsRefused) {
  const auto keys = from_jwk("", "RS256",
                             {{"kty", "RSA"},
                              {"n", std::string(342, 'A').replace(0, 1, "w").replace(341, 1, "Q")},
                              {"e", "AQAB"}});
  for (const char* algorithm : {"RS512", "RS384", "PS256", "HS256"})
    EXPECT_EQ(verdict(signed_token(ordered_json({{"alg", algorithm}}).dump(), "{}"), keys),
              "wrong_algorithm");
}

TEST(Jwt, row40_ASharedSecretTokenUnderTheIdOfAKeyIsRefused) {
  std::vector<VerifyKey> keys = from_jwk("row", "EdDSA", public_jwk(Ed25519Key::generate()));
  keys.push_back(VerifyKey::hmac("", kSecret));
  EXPECT_EQ(verdict(signed_token(R"({"alg":"HS256","kid":"row"})", "{}"), keys), "wrong_algorithm");
  EXPECT_EQ(verdict(good_token(), keys), "ok");
}

// --- Key id (rows 40, 42)
// -------------------------------------------------------------------------

TEST(Jwt, AKeyIdSelectsTheKeyOfThatIdOnly) {
  const Ed25519Key key = Ed25519Key::generate();
  const std::string claims = R"({"exp":1767323945})";
  const auto keys = from_jwk("id", "EdDSA", public_jwk(key));
  EXPECT_EQ(verdict(jwt::sign_eddsa("other", claims, key), keys), "unknown_key");
  EXPECT_EQ(verdict(good_token(), keys), "unknown_key");
  EXPECT_EQ(verdict(signed_token(R"({"alg":"HS256","kid":"x"})", claims), shared_secret()),
            "unknown_key");
  EXPECT_EQ(verdict(good_token(), {}), "unknown_key");
}

TEST(Jwt, OneOfTwoKeysWithTheSameIdIsEnough) {
  const Ed25519Key first = Ed25519Key::generate();
  const Ed25519Key second = Ed25519Key::generate();
  std::vector<VerifyKey> keys = from_jwk("id", "EdDSA", public_jwk(first));
  keys.push_back(std::move(from_jwk("id", "EdDSA", public_jwk(second)).front()));
  const std::string claims = R"({"exp":1767323945})";
  EXPECT_EQ(verdict(jwt::sign_eddsa("id", claims, first), keys), "ok");
  EXPECT_EQ(verdict(jwt::sign_eddsa("id", claims, second), keys), "ok");
  EXPECT_EQ(verdict(jwt::sign_eddsa("id", claims, Ed25519Key::generate()), keys), "bad_signature");
}

TEST(Jwt, row42_AKeyIdIsTextOfOneTo128Bytes) {
  const auto verdict_of_id = [](const ordered_json& id) {
    return verdict_of_header(ordered_json({{"alg", "HS256"}, {"kid", id}}).dump());
  };
  for (const ordered_json& id :
       {ordered_json(""), ordered_json(7), ordered_json(), ordered_json::array({"id"}),
        ordered_json::object(), ordered_json(std::string(129, 'k')), ordered_json(true)})
    EXPECT_EQ(verdict_of_id(id), "malformed") << id;
  for (const char* id : {"../../etc/passwd", "' OR 1=1 --", "\n", "x"})
    EXPECT_EQ(verdict_of_id(id), "unknown_key") << id;
  EXPECT_EQ(verdict_of_id(std::string(128, 'k')), "unknown_key");
}

TEST(Jwt, KeyIdReadsTheHeaderOfWhatLooksLikeAToken) {
  const auto token = [](std::string_view header) {
    return encoding::base64url(header) + ".e30.AAAA";
  };
  EXPECT_EQ(jwt::key_id(token(R"({"alg":"EdDSA","kid":"a/b"})")), "a/b");
  EXPECT_EQ(jwt::key_id(token(R"({"alg":"EdDSA","kid":"a"})") + ".AAAA"), std::nullopt);
  EXPECT_EQ(jwt::key_id(token(R"({"alg":"EdDSA"})")), std::nullopt);
  EXPECT_EQ(jwt::key_id(token(R"({"kid":"a"})")), std::nullopt);
  EXPECT_EQ(jwt::key_id(token(R"({"alg":"EdDSA","kid":""})")), std::nullopt);
  EXPECT_EQ(jwt::key_id(token(R"({"alg":"EdDSA","kid":"a","kid":"b"})")), std::nullopt);
  EXPECT_EQ(jwt::key_id(token("text")), std::nullopt);
  EXPECT_EQ(jwt::key_id(""), std::nullopt);
  EXPECT_EQ(jwt::key_id(encoding::base64url(R"({"alg":"EdDSA","kid":"a"})")), std::nullopt);
}

// --- Header (row 42)
// ------------------------------------------------------------------------------

TEST(Jwt, row42_ExtensionsThatMustBeUnderstoodAreRefused) {
  for (const char* header :
       {R"({"alg":"HS256","crit":["b64"],"b64":false})",
        R"({"alg":"HS256","crit":["exp"],"exp":1})", R"({"alg":"HS256","crit":[]})",
        R"({"alg":"HS256","crit":null})", R"({"alg":"HS256","b64":false})"})
    EXPECT_EQ(verdict_of_header(header), "malformed") << header;
}

// The token brings its own key and is signed with it; elsewhere that key would have been used.
TEST(Jwt, row42_AKeyInsideTheTokenIsNeverUsed) {
  const Ed25519Key attacker = Ed25519Key::generate();
  const auto keys = from_jwk("id", "EdDSA", public_jwk(Ed25519Key::generate()));
  for (const auto& [name, value] :
       std::vector<std::pair<std::string, ordered_json>>{{"jwk", public_jwk(attacker)},
                                                         {"jku", "http://127.0.0.1:9/keys"},
                                                         {"x5u", "http://127.0.0.1:9/cert"},
                                                         {"x5c", ordered_json::array({"MIIB"})}}) {
    const ordered_json header = {{"alg", "EdDSA"}, {"kid", "id"}, {name, value}};
    const std::string text =
        encoding::base64url(header.dump()) + "." + encoding::base64url(R"({"exp":1767323945})");
    EXPECT_EQ(verdict(text + "." + encoding::base64url(attacker.sign(text)), keys),
              "bad_signature");
  }
}

TEST(Jwt, row42_AHeaderThatCanBeReadInTwoWaysIsRefused) {
  for (const char* header :
       {R"({"alg":"HS256","alg":"none"})", R"({"alg":"none","alg":"HS256"})",
        R"({"alg":"HS256","x":1,"x":2})", R"({"alg":"HS256","x":"\ud800"})",
        "{\"alg\":\"HS256\",\"x\":\"\xff\"}", "\xef\xbb\xbf{\"alg\":\"HS256\"}",
        R"({"alg":"HS256"}{})", R"([{"alg":"HS256"}])", "\"HS256\"", ""})
    EXPECT_EQ(verdict_of_header(header), "malformed") << header;
  EXPECT_EQ(verdict_of_header(std::string_view("{\"alg\":\"HS256\"}\0", 16)), "malformed");
}

// --- Signature (row 41)
// ---------------------------------------------------------------------------

TEST(Jwt, row41_ASignatureHasOneSpelling) {
  const std::string token = good_token();
  ASSERT_EQ(verdict(token, shared_secret()), "ok");
  const std::string unsigned_part = token.substr(0, token.rfind('.') + 1);
  EXPECT_EQ(verdict(unsigned_part, shared_secret()), "bad_signature");
  EXPECT_EQ(verdict(token + "=", shared_secret()), "malformed");
  EXPECT_EQ(verdict(token + "\n", shared_secret()), "malformed");
  EXPECT_EQ(verdict(token.substr(0, token.size() - 1), shared_secret()), "malformed");
  // 43 characters carry 258 bits: of the four last characters with the same bits, one is right.
  int accepted = 0;
  for (const char c : std::string(crypto::kAlphanumeric) + "-_+/=. ")
    if (verdict(token.substr(0, token.size() - 1) + c, shared_secret()) == "ok") ++accepted;
  EXPECT_EQ(accepted, 1);
}

TEST(Jwt, row41_EveryChangedCharacterMakesATokenInvalid) {
  const std::string token = good_token();
  for (std::size_t i = 0; i < token.size(); ++i)
    for (const char c : {'A', 'z', '0', '-', '.'}) {
      std::string changed = token;
      changed[i] = c;
      if (changed != token) {
        EXPECT_NE(verdict(changed, shared_secret()), "ok") << changed;
      }
    }
}

TEST(Jwt, row41_AnEs256SignatureIsRawAndInRange) {
  const auto keys = from_jwk("", "ES256", kRfc7515EcKey);
  const std::string raw = encoding::from_base64url(kRfc7515EcSignature).value();
  const std::string r = raw.substr(0, 32);
  const std::string s = raw.substr(32);
  const std::string zero(32, '\0');
  const std::string order =
      encoding::from_hex("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551")
          .value();
  // r begins with a bit that is not set and s with one that is.
  const std::string der = "\x30\x45\x02\x20" + r + "\x02\x21" + '\0' + s;
  for (const std::string& signature :
       {std::string(), r, zero + zero, r + zero, zero + s, order + s, r + order, s + r, der,
        raw.substr(0, 63), raw + '\0', '\0' + raw, std::string(64, '\xff')})
    EXPECT_EQ(verdict(es256_token(encoding::base64url(signature)), keys, anyone(), Time{1s}),
              "bad_signature")
        << encoding::hex(signature);
}

// --- Form (row 43)
// --------------------------------------------------------------------------------

TEST(Jwt, row43_ATokenHasThreeParts) {
  const std::string token = good_token();
  const std::string payload = token.substr(0, token.rfind('.'));
  for (const std::string& text :
       {std::string(), std::string("."), std::string(".."), std::string("..."), payload,
        token + ".", token + "." + token, "." + token, token + ".AAAA.AAAA",
        payload.substr(0, payload.find('.')), " " + token, token + " ", token + "\r\n"})
    EXPECT_EQ(verdict(text, shared_secret()), "malformed") << text;
}

TEST(Jwt, row43_ALongTokenIsRefusedBeforeItIsDecoded) {
  const auto token_of = [](std::size_t filler) {
    return signed_token(kHs256, R"({"exp":1767323945,"x":")" + std::string(filler, 'x') + "\"}");
  };
  std::size_t filler = 6000;
  while (token_of(filler + 1).size() <= jwt::kMaxBytes) ++filler;
  EXPECT_EQ(verdict(token_of(filler), shared_secret()), "ok");
  EXPECT_EQ(verdict(token_of(filler + 1), shared_secret()), "malformed");

  const std::string huge(1 << 20, 'A');
  const std::clock_t begin = std::clock();  // processor time: others may be busy
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(verdict(huge, shared_secret()), "malformed");
  }
  EXPECT_LT(std::clock() - begin, CLOCKS_PER_SEC / 10);  // under 1 ms each
}

TEST(Jwt, row43_DeepOrBrokenClaimsAreRefused) {
  for (const std::string& claims :
       {std::string(3000, '['),
        R"({"exp":1767323945,"x":)" + std::string(2000, '[') + std::string(2000, ']') + "}",
        std::string("[]"), std::string("null"), std::string("\"x\""), std::string("1767323945"),
        std::string(), std::string(R"({"exp":1767323945,"exp":1767323945})"),
        std::string(R"({"exp":1767323945} x)"), std::string(R"({"exp":1e400})"),
        std::string(R"({"exp":NaN})"), std::string("{\"exp\":1767323945,\"sub\":\"\xc3\"}")})
    EXPECT_EQ(verdict_of_claims(claims), "malformed") << claims.substr(0, 60);
}

// White space before the dot is part of the signed text, which then is another one.
TEST(Jwt, row43_WhiteSpaceInsideATokenIsRefusedEvenIfSigned) {
  const std::string header = encoding::base64url(kHs256);
  const std::string claims = encoding::base64url(R"({"exp":1767323945})");
  for (const std::string& text : {header + "." + claims + "\n", header + ". " + claims,
                                  header + "\r\n." + claims, header + "." + claims + "="})
    EXPECT_EQ(verdict(text + "." + encoding::base64url(crypto::hmac_sha256(kSecret, text)),
                      shared_secret()),
              "malformed")
        << text;
}

// --- Times (row 44)
// -------------------------------------------------------------------------------

TEST(Jwt, row44_ExpIsRequiredAndANumberInRange) {
  for (const char* claims :
       {"{}", R"({"exp":"1767323945"})", R"({"exp":null})", R"({"exp":true})", R"({"exp":[1]})",
        R"({"exp":{}})", R"({"exp":1e308})", R"({"exp":-1e308})", R"({"exp":9007199254740992})",
        R"({"exp":-9007199254740992})", R"({"EXP":1767323945})"})
    EXPECT_EQ(verdict_of_claims(claims), "claims") << claims;
  EXPECT_EQ(verdict_of_claims(R"({"exp":9007199254740991})"), "ok");
  EXPECT_EQ(verdict_of_claims(R"({"exp":-9007199254740991})"), "expired");
  EXPECT_EQ(verdict_of_claims(R"({"exp":0})"), "expired");
}

TEST(Jwt, row44_ExpMustBeLaterThanNowToTheFraction) {
  EXPECT_EQ(verdict_of_claims(R"({"exp":1767323099})"), "expired");
  EXPECT_EQ(verdict_of_claims(R"({"exp":1767323100})"), "expired");
  EXPECT_EQ(verdict_of_claims(R"({"exp":1767323100.5})"), "ok");
  EXPECT_EQ(verdict_of_claims(R"({"exp":1767323100.25})", anyone(), kNow + 250ms), "expired");
  EXPECT_EQ(verdict_of_claims(R"({"exp":1767323100.25})", anyone(), kNow + 249ms), "ok");
  EXPECT_EQ(verdict_of_claims(R"({"exp":1.767323101e9})"), "ok");
}

TEST(Jwt, row44_NbfMayLieAheadByTheToleranceOnly) {
  const auto with = [](const std::string& nbf) {
    return verdict_of_claims(R"({"exp":1767323945,"nbf":)" + nbf + "}");
  };
  EXPECT_EQ(with("0"), "ok");
  EXPECT_EQ(with("-1.5"), "ok");
  EXPECT_EQ(with("1767323160"), "ok");
  EXPECT_EQ(with("1767323160.5"), "claims");
  EXPECT_EQ(with("1767323161"), "claims");
  for (const char* nbf : {"\"0\"", "null", "true", "[]", "1e308", "-1e308", "-9007199254740992"})
    EXPECT_EQ(with(nbf), "claims") << nbf;
}

TEST(Jwt, row44_IatIsANumberInRange) {
  const auto with = [](const std::string& iat) {
    return verdict_of_claims(R"({"exp":1767323945,"iat":)" + iat + "}");
  };
  for (const char* iat : {"0", "1767323045", "1767323045.25", "-5"})
    EXPECT_EQ(with(iat), "ok") << iat;
  for (const char* iat : {"\"0\"", "null", "false", "{}", "1e308", "9007199254740992"})
    EXPECT_EQ(with(iat), "claims") << iat;
}

// --- Issuer and audience (row 46)
// -----------------------------------------------------------------

std::string verdict_of_parties(const ordered_json& iss, const ordered_json& aud,
                               const jwt::Policy& policy = ours()) {
  return verdict_of_claims(ordered_json({{"exp", 1767323945}, {"iss", iss}, {"aud", aud}}).dump(),
                           policy);
}

TEST(Jwt, row46_TheIssuerIsOneOfOursByteForByte) {
  EXPECT_EQ(verdict_of_parties(kOrigin, kOrigin), "ok");
  EXPECT_EQ(verdict_of_parties("https://second.example.test", kOrigin), "ok");
  for (const ordered_json& iss :
       {ordered_json("http://auth.example.tes"), ordered_json("http://auth.example.test/"),
        ordered_json("HTTP://auth.example.test"), ordered_json(""), ordered_json(), ordered_json(1),
        ordered_json::array({kOrigin}), ordered_json::object()})
    EXPECT_EQ(verdict_of_parties(iss, kOrigin), "claims") << iss;
}

TEST(Jwt, row46_TheAudienceIsOrHoldsOneOfOurs) {
  EXPECT_EQ(verdict_of_parties(kOrigin, {"https://elsewhere.test", kOrigin}), "ok");
  for (const ordered_json& aud :
       {ordered_json("https://second.example.test"), ordered_json("http://auth.example.test:80"),
        ordered_json(), ordered_json::array(), ordered_json::array({"a", "b"}),
        ordered_json::array({kOrigin, 1}), ordered_json::array({ordered_json::array({kOrigin})}),
        ordered_json(7), ordered_json::object({{"0", kOrigin}})})
    EXPECT_EQ(verdict_of_parties(kOrigin, aud), "claims") << aud;
}

TEST(Jwt, row46_PartiesThatAreRequiredMustBePresent) {
  const char* without_iss = R"({"exp":1767323945,"aud":"http://auth.example.test"})";
  const char* without_aud = R"({"exp":1767323945,"iss":"http://auth.example.test"})";
  jwt::Policy optional = ours();
  optional.required = false;
  for (const char* claims : {without_iss, without_aud, R"({"exp":1767323945})"}) {
    EXPECT_EQ(verdict_of_claims(claims, ours()), "claims");
    EXPECT_EQ(verdict_of_claims(claims, optional), "ok");
  }
  EXPECT_EQ(verdict_of_parties("http://evil.test", kOrigin, optional), "claims");
  EXPECT_EQ(verdict_of_parties(kOrigin, "http://evil.test", optional), "claims");
  // Nothing configured lets nothing in.
  EXPECT_EQ(verdict_of_parties(kOrigin, kOrigin, jwt::Policy{}), "claims");
}

// --- Subject (row 45)
// -----------------------------------------------------------------------------

// Comparing it is the caller's; here it must only arrive unchanged.
TEST(Jwt, row45_TheSubjectArrivesByteForByte) {
  for (const std::string& subject :
       {std::string(), std::string("u "), std::string("U"), std::string("e\xcc\x81"),
        std::string("\xc3\xa9"), std::string("a\0b", 3), std::string(5000, 's')}) {
    const std::string token =
        signed_token(kHs256, ordered_json({{"sub", subject}, {"exp", 1767323945}}).dump());
    const auto result = jwt::verify(token, shared_secret(), anyone(), kNow);
    const auto* claims = std::get_if<json::Value>(&result);
    ASSERT_NE(claims, nullptr);
    EXPECT_EQ(*claims->find("sub")->string(), subject);
  }
}

TEST(Jwt, ReasonsHaveNames) {
  EXPECT_EQ(jwt::name(Refused::malformed), "malformed");
  EXPECT_EQ(jwt::name(Refused::claims), "claims");
}

}  // namespace
