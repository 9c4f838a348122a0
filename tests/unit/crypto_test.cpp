// Primitives and keys against published vectors (wycheproof, RFC 5869, RFC 7914, RFC 8037) and
// the contract's, then what a hostile key or signature may try.
#include "lib/crypto.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "lib/encoding.h"
#include "lib/json.h"

namespace {

using crypto::Ed25519Key;
using crypto::VerifyKey;
using nlohmann::ordered_json;

ordered_json read_vectors(const std::string& name) {
  std::ifstream file("tests/vectors/" + name);
  EXPECT_TRUE(file) << name << ": run this from the repository's root";
  return ordered_json::parse(file);
}

// Calls `check(group, test, valid)` for every test of a wycheproof file; returns how many.
template <typename Check>
int for_each_wycheproof(const std::string& name, Check check) {
  const ordered_json file = read_vectors("wycheproof/" + name);
  int count = 0;
  for (const auto& group : file.at("testGroups"))
    for (const auto& test : group.at("tests")) {
      SCOPED_TRACE(name + " " + test.at("tcId").dump() + ": " + test.at("comment").dump());
      check(group, test, test.at("result") == "valid");
      ++count;
    }
  EXPECT_EQ(count, file.at("numberOfTests").get<int>());
  return count;
}

// Wycheproof's hexadecimal is lower case as well.
std::string unhex(const std::string& text) {
  const auto bytes = encoding::from_hex(text);
  EXPECT_TRUE(bytes) << text;
  return bytes.value_or("");
}
std::string unhex(const ordered_json& test, const char* member) {
  return unhex(test.at(member).get<std::string>());
}

std::optional<VerifyKey> key_from(std::string_view algorithm, const ordered_json& jwk) {
  const auto value = json::parse(jwk.dump(), json::Policy::token);
  EXPECT_TRUE(value);
  return VerifyKey::from_jwk("id", algorithm, *value);
}

ordered_json ed25519_jwk(std::string_view public_key) {
  return {{"kty", "OKP"}, {"crv", "Ed25519"}, {"x", encoding::base64url(public_key)}};
}

ordered_json p256_jwk() {
  return {{"kty", "EC"},
          {"crv", "P-256"},
          {"x", "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"},
          {"y", "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}};
}

// A number of `bits` bits with its lowest bit as wanted. No private key is needed to be refused.
ordered_json rsa_jwk(std::size_t bits, bool odd = true, const std::string& e = "AQAB") {
  std::string n(bits / 8, '\xa5');
  n.back() = odd ? '\x01' : '\x02';
  return {{"kty", "RSA"}, {"n", encoding::base64url(n)}, {"e", e}};
}

// A throw-away key of 2048 bits that signed "text" in three ways.
constexpr char kRsaModulus[] =
    "vWKwhxs8HPe4cN5ZK31t0UcKK6thgj2IgBxHNK6owa3kUDmiPql_cLSr1iXrqKvFqrG-7EnmqRmizP9oWouYC9gK"
    "x1kW76_6cwHttf5yewP7SAgsZbHxEkLWTQYKEKyYEjl379zA6VZAT8jGX4OkMVECrQFpQi3iOBjBGKJwmsLFMSgL"
    "IEygcfvLAR2HEMaJbQxRdEvvpXmEEcWa3nYCR-7TkL9kPinancKMEIv1H8YNvi3BzOMA34kPXRDisuwUC6W8-_Rl"
    "JAQxwhZ0bRIOmsQjQ9Jk3W_IlhHgWDcOcwCzSzBHeiXr76cjLnpUyRlttNtLrArEvDGU3c6Z-AMdDw";
constexpr char kRs256Signature[] =
    "SryhGVZ81ptb6LiJ1UN2obW13ASnp2fvO9c18IgwRZJuHkPqgv_LrWM9AnP3CvKlhqIJj-e1EmbUttfaCAJX_9Bm"
    "A_c3s2QU1jaGyzw3WArCw6oIiMb2yatadgqLJnnL2X6U1ZSXhJ1WAAgyW4EZOCpmW2IvN1Zm22vi8S9p7hugUr9T"
    "riOxctKbb0BA1QzGQps-FhUI6KwdNl3qJyaBBKE8TMx3yrVFTkhK2HHcTMgpoeKFKdKbRPQVPfZqwIzOF6cqYsHW"
    "YGWvl-BVZhgYlV5RfqNQy9GKcIt801hdqxHLDmB2tlxMwWgb60pAQP2yTl06KutgpTukqy6ciMyn0w";
constexpr char kPs256Signature[] =
    "iyfBFOms6MJMpq8QpG6kmgRGu_J8xlCjT-1CiZbHOu2FzrtTAvbfBq9dZ2qcy4oV07u5PoZ1zouVvA2acaatkGfS"
    "BC1hwSqmGG2fyCundStxJ-Rzl_8pVhmzU7SMrU-0tONMDVE5oQnSq9S27yJ4gvMQZnK8nf-onRgdbGDvbVjLQFqT"
    "_zbyPI6GqU-XnSPpqh4czGHnQIF3LMgjYkrV6kJMdIQpU3AxLNyWR6lfEmfiT7OrdRAmMRqVnawgoM6rybGO1Rer"
    "NgZZ0e0P5d2DEQKCEj-s4iCp4-V56utVwi0oYKWigw5tiumD_dVxbmDSaG0pjCO7peUbPTc-FDYjhg";
constexpr char kSaltOf20Signature[] =
    "cgmuOu2ULxZNKySvKs6P_CZmUqmpORC9VfOfNWoYrESTatZrLDW11OIIAh2QTXu7DhgV-6q4vFzSlAnVRaJtvoPE"
    "3ZYko8v0R8U0ShEakOnD3-nrKvbDQ2SiTKNqw9HLgIcc7tDntxZor3WsEJUekL1IkW4lrF-iaMzp3r6_d0HhlwKE"
    "c9_DGyxHEBTmmODuMFIrlo4kujPYwOrRp-GeNGTORFVQWJFItm6HS4F3KkEIJrlx7sbMXnQSzZqrBYXOYkqIdgmL"
    "c1UOsu_9U5lMqmwUtELbhSEilQH7fJ4GQ_HJaehBbmIdankh0pWVN0WiGgNwTK6liat6WQF9TjLsow";

// --- Symmetric
// ------------------------------------------------------------------------------------

TEST(Crypto, Sha256IsThatOfFips180) {
  EXPECT_EQ(encoding::hex(crypto::sha256("")),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(encoding::hex(crypto::sha256("abc")),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Crypto, row105_HmacAgreesWithEveryWycheproofVector) {
  for_each_wycheproof("hmac_sha256_test.json", [](const auto& group, const auto& test, bool valid) {
    const std::string code = crypto::hmac_sha256(unhex(test, "key"), unhex(test, "msg"));
    const auto wanted = unhex(test, "tag");
    EXPECT_EQ(wanted.size() * 8, group.at("tagSize").template get<std::size_t>());
    EXPECT_EQ(crypto::equal(code.substr(0, wanted.size()), wanted), valid);
  });
}

TEST(Crypto, HmacRefusesAnEmptyKey) {
  EXPECT_THROW(crypto::hmac_sha256("", "message"), std::logic_error);
}

TEST(Crypto, HmacKeepsNothingOfTheKeyBefore) {
  const std::string first = crypto::hmac_sha256("one", "message");
  crypto::hmac_sha256(std::string(200, 'k'), "message");
  EXPECT_EQ(crypto::hmac_sha256("one", "message"), first);
}

TEST(Crypto, row105_HkdfAgreesWithEveryWycheproofVector) {
  for_each_wycheproof("hkdf_sha256_test.json", [](const auto&, const auto& test, bool valid) {
    const auto derive = [&test] {
      return crypto::hkdf_sha256(unhex(test, "ikm"), unhex(test, "salt"), unhex(test, "info"),
                                 test.at("size").template get<std::size_t>());
    };
    if (valid) {
      EXPECT_EQ(encoding::hex(derive()), std::string(test.at("okm")));
    } else {
      EXPECT_THROW(derive(), std::logic_error);
    }
  });
  EXPECT_THROW(crypto::hkdf_sha256("key", "", "", 0), std::logic_error);
}

TEST(Crypto, ScryptIsThatOfRfc7914) {
  EXPECT_EQ(encoding::hex(crypto::scrypt("", "", 16, 1, 1, 64)),
            "77d6576238657b203b19ca42c18a0497f16b4844e3074ae8dfdffa3fede21442"
            "fcd0069ded0948f8326a753a0fc81f17e8d3e0fb2e0d3628cf35e20c38d18906");
  EXPECT_EQ(encoding::hex(crypto::scrypt("pleaseletmein", "SodiumChloride", 16384, 8, 1, 64)),
            "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2"
            "d5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887");
}

TEST(Crypto, ScryptStopsAtItsMemoryLimit) {
  EXPECT_THROW(crypto::scrypt("p", "s", 65536, 16, 1, 64), crypto::Error);
  EXPECT_THROW(crypto::scrypt("p", "s", 3, 1, 1, 64), crypto::Error);  // no power of two
}

TEST(Crypto, HChaCha20IsThatOfTheDraft) {
  const ordered_json vector = read_vectors("better-auth-vectors.json").at("hchacha20");
  EXPECT_EQ(
      encoding::hex(crypto::hchacha20(unhex(vector, "key_hex"), unhex(vector, "nonce16_hex"))),
      vector.at("subkey_hex").get<std::string>());
  EXPECT_THROW(crypto::hchacha20("short", std::string(16, 'n')), std::logic_error);
}

TEST(Crypto, row105_XChaCha20Poly1305AgreesWithEveryWycheproofVector) {
  const auto check = [](const auto&, const auto& test, bool valid) {
    const std::string key = unhex(test, "key");
    const std::string nonce = unhex(test, "iv");
    const std::string aad = unhex(test, "aad");
    const std::string plain = unhex(test, "msg");
    const std::string sealed = unhex(test, "ct") + unhex(test, "tag");
    const auto opened = crypto::xchacha20_poly1305_open(key, nonce, aad, sealed);
    EXPECT_EQ(opened.has_value(), valid);
    if (valid) {
      EXPECT_EQ(*opened, plain);
      EXPECT_EQ(crypto::xchacha20_poly1305_seal(key, nonce, aad, plain), sealed);
    } else if (nonce.size() != 24) {
      EXPECT_THROW(crypto::xchacha20_poly1305_seal(key, nonce, aad, plain), std::logic_error);
    }
  };
  for_each_wycheproof("xchacha20_poly1305_test.json", check);
}

TEST(Crypto, AnEnvelopeWithAnyBitChangedDoesNotOpen) {
  const std::string key(32, 'k');
  const std::string nonce(24, 'n');
  std::string sealed = crypto::xchacha20_poly1305_seal(key, nonce, "", "text");
  for (std::size_t bit = 0; bit < sealed.size() * 8; ++bit) {
    std::string changed = sealed;
    changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ (1 << bit % 8));
    EXPECT_EQ(crypto::xchacha20_poly1305_open(key, nonce, "", changed), std::nullopt);
  }
  EXPECT_EQ(crypto::xchacha20_poly1305_open(key, nonce, "aad", sealed), std::nullopt);
  EXPECT_EQ(crypto::xchacha20_poly1305_open(key, nonce, "", sealed.substr(0, 15)), std::nullopt);
  EXPECT_EQ(crypto::xchacha20_poly1305_open("short", nonce, "", sealed), std::nullopt);
}

// Section 8.5 of better-auth-wire: the private key of a row, under SHA-256 of the secret.
TEST(Crypto, TheEnvelopesOfTheContractOpen) {
  const ordered_json vectors = read_vectors("better-auth-vectors.json");
  const ordered_json& row = vectors.at("jwks_row").at("envelope");
  const std::string key = crypto::sha256(vectors.at("secret").get<std::string>());
  EXPECT_EQ(encoding::hex(key), row.at("key_hex").get<std::string>());
  const std::string nonce = unhex(row, "nonce_hex");
  EXPECT_EQ(encoding::hex(crypto::hchacha20(key, nonce.substr(0, 16))),
            row.at("hchacha20_subkey_hex").get<std::string>());
  const std::string envelope = unhex(row, "envelope_hex");
  EXPECT_EQ(envelope.substr(0, 24), nonce);
  EXPECT_EQ(crypto::xchacha20_poly1305_open(key, nonce, "", envelope.substr(24)),
            row.at("plaintext").get<std::string>());
  EXPECT_EQ(nonce + crypto::xchacha20_poly1305_seal(key, nonce, "",
                                                    row.at("plaintext").get<std::string>()),
            envelope);
}

TEST(Crypto, AVersionedEnvelopeOpensWithTheSecretOfItsVersionOnly) {
  const ordered_json vector = read_vectors("better-auth-vectors.json").at("versioned_envelope");
  const auto text = vector.at("envelope").get<std::string>();
  const std::string prefix = "$ba$2$";
  ASSERT_EQ(text.substr(0, prefix.size()), prefix);
  const std::string envelope = unhex(text.substr(prefix.size()));
  const auto open = [&envelope](std::string_view secret) {
    return crypto::xchacha20_poly1305_open(crypto::sha256(secret), envelope.substr(0, 24), "",
                                           envelope.substr(24));
  };
  EXPECT_EQ(open("second-secret-second-secret-second-1"),
            vector.at("plaintext").get<std::string>());
  EXPECT_EQ(open("first-secret-first-secret-first-sec1"), std::nullopt);
}

// --- Random, comparison, secrets
// ------------------------------------------------------------------

TEST(Crypto, RandomBytesHaveTheirLengthAndDiffer) {
  EXPECT_EQ(crypto::random_bytes(0), "");
  EXPECT_EQ(crypto::random_bytes(33).size(), 33U);
  EXPECT_NE(crypto::random_bytes(32), crypto::random_bytes(32));
}

// 62 does not divide 256: with a bare remainder the first eight characters would come a quarter
// more often. A fair one leaves these bounds once in more than 10^9 runs.
TEST(Crypto, RandomTextUsesEveryCharacterEquallyOften) {
  constexpr int kMean = 4000;
  const std::string text = crypto::random_text(crypto::kAlphanumeric.size() * kMean);
  ASSERT_EQ(text.size(), crypto::kAlphanumeric.size() * kMean);
  for (const char c : crypto::kAlphanumeric)
    EXPECT_NEAR(static_cast<double>(std::count(text.begin(), text.end(), c)), kMean, 450) << c;
}

TEST(Crypto, RandomTextKeepsToItsAlphabet) {
  for (const char c : crypto::random_text(1000, "ab")) EXPECT_TRUE(c == 'a' || c == 'b');
  EXPECT_EQ(crypto::random_text(0), "");
  EXPECT_THROW(crypto::random_text(1, "a"), std::logic_error);
}

TEST(Crypto, EqualComparesLengthAndEveryByte) {
  EXPECT_TRUE(crypto::equal("", ""));
  EXPECT_TRUE(crypto::equal(std::string("a\0b", 3), std::string("a\0b", 3)));
  EXPECT_FALSE(crypto::equal(std::string("a\0b", 3), std::string("a\0c", 3)));
  EXPECT_FALSE(crypto::equal("abc", "ab"));
  EXPECT_FALSE(crypto::equal("abc", "bbc"));
}

TEST(Crypto, ASecretIsEmptyAfterItWasMoved) {
  for (const std::string& text : {std::string("short"), std::string(100, 'x')}) {
    crypto::Secret first{std::string(text)};
    crypto::Secret second(std::move(first));
    EXPECT_EQ(second.view(), text);
    EXPECT_EQ(first.view(),
              "");  // NOLINT(bugprone-use-after-move,clang-analyzer-cplusplus.Move): the promise
    first = std::move(second);
    EXPECT_EQ(first.view(), text);
  }
}

// --- Signatures
// -----------------------------------------------------------------------------------

TEST(Crypto, row105_Ed25519AgreesWithEveryWycheproofVector) {
  for_each_wycheproof("ed25519_test.json", [](const auto& group, const auto& test, bool valid) {
    const auto key = key_from("EdDSA", ed25519_jwk(unhex(group.at("publicKey"), "pk")));
    ASSERT_TRUE(key);
    EXPECT_EQ(key->verify(unhex(test, "msg"), unhex(test, "sig")), valid);
  });
}

TEST(Crypto, row105_Es256AgreesWithEveryWycheproofVector) {
  const auto check = [](const auto& group, const auto& test, bool valid) {
    const std::string point = unhex(group.at("publicKey"), "uncompressed");
    const auto key = key_from("ES256", {{"kty", "EC"},
                                        {"crv", "P-256"},
                                        {"x", encoding::base64url(point.substr(1, 32))},
                                        {"y", encoding::base64url(point.substr(33))}});
    ASSERT_TRUE(key);
    EXPECT_EQ(key->verify(unhex(test, "msg"), unhex(test, "sig")), valid);
  };
  for_each_wycheproof("ecdsa_secp256r1_sha256_p1363_test.json", check);
}

// RFC 8037, A.1, A.2, A.4.
TEST(Crypto, Ed25519SignsAsRfc8037Says) {
  const auto seed = encoding::from_base64url("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A");
  const auto key = Ed25519Key::from_seed(seed.value());
  ASSERT_TRUE(key);
  EXPECT_EQ(encoding::base64url(key->public_key()), "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");
  EXPECT_EQ(key->seed().view(), *seed);
  EXPECT_EQ(
      encoding::base64url(key->sign("eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc")),
      "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg");
}

TEST(Crypto, AGeneratedKeyIsLoadedAgainAndFitsItsOwnSignaturesOnly) {
  const Ed25519Key key = Ed25519Key::generate();
  const Ed25519Key other = Ed25519Key::generate();
  const auto again = Ed25519Key::from_seed(key.seed().view());
  ASSERT_TRUE(again);
  EXPECT_EQ(again->public_key(), key.public_key());
  EXPECT_NE(other.public_key(), key.public_key());
  const auto verifier = key_from("EdDSA", ed25519_jwk(key.public_key()));
  ASSERT_TRUE(verifier);
  EXPECT_TRUE(verifier->verify("", key.sign("")));
  EXPECT_TRUE(verifier->verify("text", key.sign("text")));  // a second time with the same key
  EXPECT_FALSE(verifier->verify("text", key.sign("next")));
  EXPECT_FALSE(verifier->verify("text", other.sign("text")));
  EXPECT_EQ(Ed25519Key::from_seed(std::string(31, 's')).has_value(), false);
  EXPECT_EQ(Ed25519Key::from_seed("").has_value(), false);
}

TEST(Crypto, AnRsaKeyFitsSignaturesOfItsOwnSchemeOnly) {
  const ordered_json jwk = {{"kty", "RSA"}, {"n", kRsaModulus}, {"e", "AQAB"}};
  const auto rs256 = key_from("RS256", jwk);
  const auto ps256 = key_from("PS256", jwk);
  ASSERT_TRUE(rs256 && ps256);
  const std::string pkcs1 = encoding::from_base64url(kRs256Signature).value();
  const std::string pss = encoding::from_base64url(kPs256Signature).value();
  EXPECT_TRUE(rs256->verify("text", pkcs1));
  EXPECT_TRUE(ps256->verify("text", pss));
  EXPECT_FALSE(rs256->verify("text", pss));
  EXPECT_FALSE(ps256->verify("text", pkcs1));
  EXPECT_FALSE(rs256->verify("texts", pkcs1));
  EXPECT_FALSE(ps256->verify("texts", pss));
  // RFC 7518, 3.5: the salt is as long as the hash.
  EXPECT_FALSE(ps256->verify("text", encoding::from_base64url(kSaltOf20Signature).value()));
  for (const std::string& other : {std::string(), '\0' + pkcs1, pkcs1 + '\0', pkcs1.substr(1),
                                   std::string(256, '\0'), std::string(256, '\xff')})
    EXPECT_FALSE(rs256->verify("text", other)) << other.size();
}

TEST(Crypto, AnHmacKeyFitsItsCodeOnly) {
  const VerifyKey key = VerifyKey::hmac("id", "secret");
  const std::string code = crypto::hmac_sha256("secret", "text");
  EXPECT_TRUE(key.verify("text", code));
  EXPECT_FALSE(key.verify("texts", code));
  EXPECT_FALSE(key.verify("text", code.substr(0, 31)));
  EXPECT_FALSE(key.verify("text", code + '\0'));
  EXPECT_FALSE(key.verify("text", ""));
  EXPECT_EQ(key.algorithm(), crypto::Algorithm::hs256);
  EXPECT_EQ(key.id(), "id");
  EXPECT_THROW(VerifyKey::hmac("id", ""), std::logic_error);
}

// --- Keys that are refused
// ------------------------------------------------------------------------

// Each would let one fixed signature fit every message. The sign bit does not change the order.
TEST(Crypto, row48_Ed25519KeysOfSmallOrderAreRefused) {
  for (const char* encoded : {
           "0000000000000000000000000000000000000000000000000000000000000000",
           "0100000000000000000000000000000000000000000000000000000000000000",
           "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
           "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
           "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
       }) {
    std::string key = unhex(std::string(encoded));
    EXPECT_FALSE(key_from("EdDSA", ed25519_jwk(key))) << encoded;
    key[31] = static_cast<char>(static_cast<unsigned char>(key[31]) | 0x80);
    EXPECT_FALSE(key_from("EdDSA", ed25519_jwk(key))) << encoded << " negative";
  }
}

// y = p + 3 is a second spelling of y = 3, and all of p ... 2^255 - 1 are of that kind.
TEST(Crypto, Ed25519KeysWithASecondSpellingAreRefused) {
  std::string key(32, '\0');
  key[0] = 3;
  EXPECT_TRUE(key_from("EdDSA", ed25519_jwk(key)));
  for (int low = 0xed; low <= 0xff; ++low) {
    key = std::string(32, '\xff');
    key[0] = static_cast<char>(low);
    key[31] = 0x7f;
    EXPECT_FALSE(key_from("EdDSA", ed25519_jwk(key))) << low;
  }
}

TEST(Crypto, Ed25519KeysOffTheCurveAreRefused) {
  const std::set<int> off_curve = {2, 7, 8, 11, 12, 13, 17};  // of y = 2 ... 19
  for (int y = 2; y < 20; ++y) {
    std::string key(32, '\0');
    key[0] = static_cast<char>(y);
    EXPECT_EQ(key_from("EdDSA", ed25519_jwk(key)).has_value(), off_curve.count(y) == 0) << y;
  }
}

TEST(Crypto, row48_EcPointsOffTheCurveOrWithoutFullLengthAreRefused) {
  ASSERT_TRUE(key_from("ES256", p256_jwk()));
  ordered_json off = p256_jwk();
  off["y"] = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a4";  // last digit
  EXPECT_FALSE(key_from("ES256", off));
  off["y"] = off["x"] = encoding::base64url(std::string(32, '\0'));
  EXPECT_FALSE(key_from("ES256", off));
  off["x"] = off["y"] = encoding::base64url(std::string(32, '\xff'));  // not below the prime
  EXPECT_FALSE(key_from("ES256", off));
  ordered_json longer = p256_jwk();
  longer["x"] = encoding::base64url(std::string(1, '\0') +
                                    *encoding::from_base64url(longer["x"].get<std::string>()));
  EXPECT_FALSE(key_from("ES256", longer));
  ordered_json other_curve = p256_jwk();
  other_curve["crv"] = "secp256k1";
  EXPECT_FALSE(key_from("ES256", other_curve));
}

TEST(Crypto, row48_WeakOrOversizedRsaKeysAreRefused) {
  EXPECT_TRUE(key_from("RS256", rsa_jwk(2048)));
  EXPECT_TRUE(key_from("PS256", rsa_jwk(8192)));
  for (const std::size_t bits : {8, 512, 1024, 2040, 8200, 65536})
    EXPECT_FALSE(key_from("RS256", rsa_jwk(bits))) << bits;
  // Leading zeros do not make a key longer.
  ordered_json padded = rsa_jwk(1024);
  padded["n"] = encoding::base64url(std::string(128, '\0') +
                                    *encoding::from_base64url(padded["n"].get<std::string>()));
  EXPECT_FALSE(key_from("RS256", padded));
  EXPECT_FALSE(key_from("RS256", rsa_jwk(2048, false)));
  for (const char* exponent : {"", "AA", "AQ", "Aw", "EQ", "AQAA", "__8", "AQAAAAAAAAAB"})
    EXPECT_FALSE(key_from("RS256", rsa_jwk(2048, true, exponent))) << exponent;
}

TEST(Crypto, AKeyFitsTheAlgorithmsOfItsTypeOnly) {
  const ordered_json ed25519 = ed25519_jwk(Ed25519Key::generate().public_key());
  for (const char* algorithm : {"EdDSA", "ES256", "RS256", "PS256", "HS256", "none", "", "eddsa",
                                "RS512", "ES384", "Ed25519"}) {
    const std::string name = algorithm;
    EXPECT_EQ(key_from(name, ed25519).has_value(), name == "EdDSA") << name;
    EXPECT_EQ(key_from(name, p256_jwk()).has_value(), name == "ES256") << name;
    EXPECT_EQ(key_from(name, rsa_jwk(2048)).has_value(), name == "RS256" || name == "PS256")
        << name;
  }
}

TEST(Crypto, row48_AKeyForSomethingElseIsRefused) {
  const ordered_json good = ed25519_jwk(Ed25519Key::generate().public_key());
  const auto with = [&good](const char* name, const ordered_json& value) {
    ordered_json jwk = good;
    jwk[name] = value;
    return key_from("EdDSA", jwk).has_value();
  };
  EXPECT_TRUE(with("alg", "EdDSA"));
  EXPECT_TRUE(with("use", "sig"));
  EXPECT_TRUE(with("kid", "any"));
  EXPECT_FALSE(with("alg", "ES256"));
  EXPECT_FALSE(with("alg", nullptr));
  EXPECT_FALSE(with("use", "enc"));
  EXPECT_FALSE(with("d", "AAAA"));  // a private key has no place in a published set
  EXPECT_FALSE(with("crv", "X25519"));
  EXPECT_FALSE(with("kty", "EC"));
}

TEST(Crypto, row48_MembersOfTheWrongFormAreRefused) {
  for (const ordered_json& x :
       {ordered_json(), ordered_json(7), ordered_json(""), ordered_json("AAAA"),
        ordered_json("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURp"),   // an unused bit is set
        ordered_json("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo="),  // padded
        ordered_json("11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo")})
    EXPECT_FALSE(key_from("EdDSA", {{"kty", "OKP"}, {"crv", "Ed25519"}, {"x", x}})) << x;
  EXPECT_FALSE(key_from("EdDSA", ordered_json::object()));
  EXPECT_FALSE(key_from("EdDSA", ordered_json::array()));
  EXPECT_FALSE(key_from("EdDSA", "text"));
}

}  // namespace
