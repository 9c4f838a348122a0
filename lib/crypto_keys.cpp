// Keys that check and make signatures, over OpenSSL. What a key set may hold that OpenSSL would
// take and a verifier must not (small order, short modulus) is refused here, when a key is loaded.
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/rsa.h>

#include <algorithm>
#include <array>
#include <utility>

#include "lib/crypto.h"
#include "lib/encoding.h"
#include "lib/json.h"
#include "lib/openssl.h"

namespace crypto {
namespace {

using openssl::bytes;
using openssl::Handle;
using openssl::owned;
using openssl::require;
using openssl::succeeded;
using namespace std::string_view_literals;

constexpr std::size_t kEd25519Bytes = 32;
constexpr std::size_t kEd25519SignatureBytes = 64;
constexpr std::size_t kP256Bytes = 32;
constexpr int kMinRsaBits = 2048;
constexpr int kMaxRsaBits = 8192;     // beyond it one forged token costs too much
constexpr int kMaxExponentBits = 64;  // for the same reason
constexpr BN_ULONG kMinExponent = 65537;

// Big-endian, the form in which JOSE writes numbers and in which texts compare like numbers.
constexpr auto kP256Order =
    "\xff\xff\xff\xff\x00\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff"
    "\xbc\xe6\xfa\xad\xa7\x17\x9e\x84\xf3\xb9\xca\xc2\xfc\x63\x25\x51"sv;

// p = 2^255 - 19 and the curve's constant d (RFC 8032, 5.1).
constexpr char kEd25519Prime[] = "7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffed";
constexpr char kEd25519D[] = "52036cee2b6ffe738cc740797779e89800700a4d4141d8ab75eb4dca135978a3";

// The y coordinates of the eight points of small order, big-endian: 0, 1, p - 1 and the two of
// order 8. Under such a key one fixed signature fits every message.
constexpr std::array kSmallOrder = {
    "0000000000000000000000000000000000000000000000000000000000000000"sv,
    "0000000000000000000000000000000000000000000000000000000000000001"sv,
    "7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffec"sv,
    "05fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826"sv,
    "7a03ac9277fdc74ec6cc392cfa53202a0f67100d760b3cba4fd84d3d706a17c7"sv,
};

Handle<BIGNUM> number_from_hex(const char* digits) {
  BIGNUM* number = nullptr;
  if (BN_hex2bn(&number, digits) == 0) openssl::fail("BN_hex2bn");
  return Handle<BIGNUM>(number);
}

Handle<BIGNUM> number_from(std::string_view big_endian) {
  return owned(BN_bin2bn(bytes(big_endian), static_cast<int>(big_endian.size()), nullptr),
               "BN_bin2bn");
}

// x^2 = (y^2 - 1) / (d y^2 + 1) has a solution exactly if the product of both is a square.
bool is_on_ed25519(const BIGNUM* y) {
  const auto context = owned(BN_CTX_new(), "BN_CTX_new");
  const auto prime = number_from_hex(kEd25519Prime);
  const auto d = number_from_hex(kEd25519D);
  const auto square = owned(BN_new(), "BN_new");
  const auto product = owned(BN_new(), "BN_new");
  require(BN_mod_sqr(square.get(), y, prime.get(), context.get()), "BN_mod_sqr");
  require(BN_mod_mul(product.get(), d.get(), square.get(), prime.get(), context.get()),
          "BN_mod_mul");
  require(BN_add_word(product.get(), 1), "BN_add_word");
  require(BN_sub_word(square.get(), 1), "BN_sub_word");
  require(BN_mod_mul(product.get(), product.get(), square.get(), prime.get(), context.get()),
          "BN_mod_mul");
  return BN_kronecker(product.get(), prime.get(), context.get()) == 1;
}

bool is_safe_ed25519(std::string_view public_key) {
  std::string y(public_key.rbegin(), public_key.rend());  // the encoding is little-endian
  y[0] = static_cast<char>(static_cast<unsigned char>(y[0]) & 0x7f);  // the sign of x
  const std::string digits = encoding::hex(y);
  if (digits >= kEd25519Prime) return false;  // a second spelling of a smaller y
  if (std::find(kSmallOrder.begin(), kSmallOrder.end(), digits) != kSmallOrder.end()) return false;
  return is_on_ed25519(number_from(y).get());
}

// A member of the key that is text, or "" (which no member that we read may be).
std::string_view text_member(const json::Value& jwk, std::string_view name) {
  const json::Value* member = jwk.find(name);
  const std::string* text = member != nullptr ? member->string() : nullptr;
  return text != nullptr ? std::string_view(*text) : std::string_view();
}

// A member that is base64url of `length` bytes, or of at least one if that is 0; or nullopt.
std::optional<std::string> bytes_member(const json::Value& jwk, std::string_view name,
                                        std::size_t length = 0) {
  auto decoded = encoding::from_base64url(text_member(jwk, name));
  if (!decoded || decoded->empty() || (length != 0 && decoded->size() != length))
    return std::nullopt;
  return decoded;
}

Handle<EVP_PKEY> ed25519_from_jwk(const json::Value& jwk) {
  if (text_member(jwk, "kty") != "OKP" || text_member(jwk, "crv") != "Ed25519") return nullptr;
  const auto x = bytes_member(jwk, "x", kEd25519Bytes);
  if (!x || !is_safe_ed25519(*x)) return nullptr;
  return owned(EVP_PKEY_new_raw_public_key_ex(nullptr, "ED25519", nullptr, bytes(*x), x->size()),
               "EVP_PKEY_new_raw_public_key_ex");
}

// The public key that `params` describe, or null if OpenSSL finds them impossible.
Handle<EVP_PKEY> key_from_params(const char* type, OSSL_PARAM* params) {
  const auto context =
      owned(EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr), "EVP_PKEY_CTX_new_from_name");
  require(EVP_PKEY_fromdata_init(context.get()), "EVP_PKEY_fromdata_init");
  EVP_PKEY* key = nullptr;
  const bool made = succeeded(EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, params));
  Handle<EVP_PKEY> result(key);
  return made ? std::move(result) : nullptr;
}

Handle<EVP_PKEY> p256_from_jwk(const json::Value& jwk) {
  if (text_member(jwk, "kty") != "EC" || text_member(jwk, "crv") != "P-256") return nullptr;
  const auto x = bytes_member(jwk, "x", kP256Bytes);  // always full length (RFC 7518, 6.2.1.2)
  const auto y = bytes_member(jwk, "y", kP256Bytes);
  if (!x || !y) return nullptr;
  std::string group = "P-256";
  std::string point = "\x04" + *x + *y;
  OSSL_PARAM params[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group.data(), 0),
      OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size()),
      OSSL_PARAM_construct_end()};
  auto key = key_from_params("EC", params);
  if (!key) return nullptr;
  const auto check =
      owned(EVP_PKEY_CTX_new_from_pkey(nullptr, key.get(), nullptr), "EVP_PKEY_CTX_new_from_pkey");
  return succeeded(EVP_PKEY_public_check(check.get())) ? std::move(key) : nullptr;
}

Handle<EVP_PKEY> rsa_from_jwk(const json::Value& jwk) {
  if (text_member(jwk, "kty") != "RSA") return nullptr;
  const auto modulus = bytes_member(jwk, "n");
  const auto exponent = bytes_member(jwk, "e");
  if (!modulus || !exponent) return nullptr;
  // Before they become numbers: a text of megabytes is no key.
  if (modulus->size() > kMaxRsaBits / 8 + 1 || exponent->size() > kMaxExponentBits / 8)
    return nullptr;
  const auto n = number_from(*modulus);
  const auto e = number_from(*exponent);
  if (BN_num_bits(n.get()) < kMinRsaBits || BN_num_bits(n.get()) > kMaxRsaBits) return nullptr;
  if (BN_is_odd(n.get()) != 1 || BN_is_odd(e.get()) != 1) return nullptr;
  if (BN_get_word(e.get()) < kMinExponent) return nullptr;
  const auto builder = owned(OSSL_PARAM_BLD_new(), "OSSL_PARAM_BLD_new");
  require(OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, n.get()), "push_BN");
  require(OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, e.get()), "push_BN");
  const auto params = owned(OSSL_PARAM_BLD_to_param(builder.get()), "OSSL_PARAM_BLD_to_param");
  return key_from_params("RSA", params.get());
}

// r then s, each 32 bytes, as the DER that OpenSSL wants; nullopt unless 0 < r, s < n.
std::optional<std::string> der_signature(std::string_view raw) {
  if (raw.size() != 2 * kP256Bytes) return std::nullopt;
  const std::string zero(kP256Bytes, '\0');
  for (const auto part : {raw.substr(0, kP256Bytes), raw.substr(kP256Bytes)})
    if (part == zero || part >= kP256Order) return std::nullopt;
  auto r = number_from(raw.substr(0, kP256Bytes));
  auto s = number_from(raw.substr(kP256Bytes));
  const auto pair = owned(ECDSA_SIG_new(), "ECDSA_SIG_new");
  require(ECDSA_SIG_set0(pair.get(), r.get(), s.get()), "ECDSA_SIG_set0");
  static_cast<void>(r.release());  // set0 took both over
  static_cast<void>(s.release());
  std::string der(static_cast<std::size_t>(std::max(i2d_ECDSA_SIG(pair.get(), nullptr), 0)), '\0');
  unsigned char* end = bytes(der);
  if (der.empty() || i2d_ECDSA_SIG(pair.get(), &end) <= 0) openssl::fail("i2d_ECDSA_SIG");
  return der;
}

// A context that is ready to verify, to be copied for each signature: preparing it fetches the
// algorithms again.
Handle<EVP_MD_CTX> prepare_verifier(EVP_PKEY* key, Algorithm algorithm) {
  auto context = owned(EVP_MD_CTX_new(), "EVP_MD_CTX_new");
  EVP_PKEY_CTX* options = nullptr;  // owned by `context`
  const char* digest = algorithm == Algorithm::eddsa ? nullptr : "SHA256";
  require(EVP_DigestVerifyInit_ex(context.get(), &options, digest, nullptr, nullptr, key, nullptr),
          "EVP_DigestVerifyInit_ex");
  if (algorithm == Algorithm::ps256) {
    require(EVP_PKEY_CTX_set_rsa_padding(options, RSA_PKCS1_PSS_PADDING), "set_rsa_padding");
    require(EVP_PKEY_CTX_set_rsa_pss_saltlen(options, RSA_PSS_SALTLEN_DIGEST),
            "set_rsa_pss_saltlen");  // RFC 7518, 3.5
  }
  return context;
}

std::optional<Algorithm> public_key_algorithm(std::string_view declared) {
  for (const auto known : {Algorithm::eddsa, Algorithm::es256, Algorithm::rs256, Algorithm::ps256})
    if (declared == name(known)) return known;
  return std::nullopt;
}

Handle<EVP_PKEY> public_key(Algorithm algorithm, const json::Value& jwk) {
  switch (algorithm) {
    case Algorithm::eddsa:
      return ed25519_from_jwk(jwk);
    case Algorithm::es256:
      return p256_from_jwk(jwk);
    case Algorithm::rs256:
    case Algorithm::ps256:
      return rsa_from_jwk(jwk);
    case Algorithm::hs256:
      break;
  }
  return nullptr;
}

// False if the key's own members say that it is for something else, or if it is a private key,
// which somebody may have published (RFC 7517, 4.2, 4.4, 9.2).
bool is_for_verifying(const json::Value& jwk, std::string_view algorithm) {
  if (jwk.find("d") != nullptr || jwk.find("k") != nullptr) return false;
  if (jwk.find("alg") != nullptr && text_member(jwk, "alg") != algorithm) return false;
  return jwk.find("use") == nullptr || text_member(jwk, "use") == "sig";
}

}  // namespace

std::string_view name(Algorithm algorithm) {
  switch (algorithm) {
    case Algorithm::hs256:
      return "HS256";
    case Algorithm::eddsa:
      return "EdDSA";
    case Algorithm::es256:
      return "ES256";
    case Algorithm::rs256:
      return "RS256";
    case Algorithm::ps256:
      return "PS256";
  }
  throw std::logic_error("crypto::name: no such algorithm");
}

struct VerifyKey::Parts {
  std::string id;
  Algorithm algorithm;
  Secret secret;                // hs256 only
  Handle<EVP_PKEY> key;         // the others
  Handle<EVP_MD_CTX> verifier;  // the others
};

VerifyKey::VerifyKey(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
VerifyKey::VerifyKey(VerifyKey&&) noexcept = default;
VerifyKey& VerifyKey::operator=(VerifyKey&&) noexcept = default;
VerifyKey::~VerifyKey() = default;

VerifyKey VerifyKey::hmac(std::string id, std::string_view secret) {
  if (secret.empty()) throw std::logic_error("VerifyKey::hmac: an empty secret is no secret");
  return VerifyKey(std::unique_ptr<Parts>(
      new Parts{std::move(id), Algorithm::hs256, Secret(std::string(secret)), nullptr, nullptr}));
}

std::optional<VerifyKey> VerifyKey::from_jwk(std::string id, std::string_view algorithm,
                                             const json::Value& jwk) {
  const auto known = public_key_algorithm(algorithm);
  if (!known || !is_for_verifying(jwk, algorithm)) return std::nullopt;
  auto key = public_key(*known, jwk);
  if (!key) return std::nullopt;
  auto verifier = prepare_verifier(key.get(), *known);
  return VerifyKey(std::unique_ptr<Parts>(new Parts{std::move(id), *known, Secret(std::string()),
                                                    std::move(key), std::move(verifier)}));
}

const std::string& VerifyKey::id() const { return parts_->id; }
Algorithm VerifyKey::algorithm() const { return parts_->algorithm; }

bool VerifyKey::verify(std::string_view message, std::string_view signature) const {
  if (parts_->algorithm == Algorithm::hs256)
    return equal(hmac_sha256(parts_->secret.view(), message), signature);

  std::optional<std::string> der;
  if (parts_->algorithm == Algorithm::es256) {
    der = der_signature(signature);
    if (!der) return false;
    signature = *der;
  } else if (signature.size() != static_cast<std::size_t>(EVP_PKEY_get_size(parts_->key.get()))) {
    return false;
  }
  const auto context = owned(EVP_MD_CTX_new(), "EVP_MD_CTX_new");
  require(EVP_MD_CTX_copy_ex(context.get(), parts_->verifier.get()), "EVP_MD_CTX_copy_ex");
  return succeeded(EVP_DigestVerify(context.get(), bytes(signature), signature.size(),
                                    bytes(message), message.size()));
}

struct Ed25519Key::Parts {
  Handle<EVP_PKEY> key;
};

Ed25519Key::Ed25519Key(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Ed25519Key::Ed25519Key(Ed25519Key&&) noexcept = default;
Ed25519Key& Ed25519Key::operator=(Ed25519Key&&) noexcept = default;
Ed25519Key::~Ed25519Key() = default;

Ed25519Key Ed25519Key::generate() {
  const Secret seed(random_bytes(kEd25519Bytes));
  return std::move(*from_seed(seed.view()));
}

std::optional<Ed25519Key> Ed25519Key::from_seed(std::string_view seed) {
  if (seed.size() != kEd25519Bytes) return std::nullopt;
  auto key =
      owned(EVP_PKEY_new_raw_private_key_ex(nullptr, "ED25519", nullptr, bytes(seed), seed.size()),
            "EVP_PKEY_new_raw_private_key_ex");
  return Ed25519Key(std::unique_ptr<Parts>(new Parts{std::move(key)}));
}

std::string Ed25519Key::sign(std::string_view message) const {
  const auto context = owned(EVP_MD_CTX_new(), "EVP_MD_CTX_new");
  require(EVP_DigestSignInit_ex(context.get(), nullptr, nullptr, nullptr, nullptr,
                                parts_->key.get(), nullptr),
          "EVP_DigestSignInit_ex");
  std::string signature(kEd25519SignatureBytes, '\0');
  std::size_t length = signature.size();
  require(EVP_DigestSign(context.get(), bytes(signature), &length, bytes(message), message.size()),
          "EVP_DigestSign");
  return signature;
}

std::string Ed25519Key::public_key() const {
  std::string key(kEd25519Bytes, '\0');
  std::size_t length = key.size();
  require(EVP_PKEY_get_raw_public_key(parts_->key.get(), bytes(key), &length),
          "EVP_PKEY_get_raw_public_key");
  return key;
}

Secret Ed25519Key::seed() const {
  std::string seed(kEd25519Bytes, '\0');
  std::size_t length = seed.size();
  require(EVP_PKEY_get_raw_private_key(parts_->key.get(), bytes(seed), &length),
          "EVP_PKEY_get_raw_private_key");
  return Secret(std::move(seed));
}

}  // namespace crypto
