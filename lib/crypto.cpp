// Random numbers, hashes, MACs, scrypt and XChaCha20-Poly1305 over OpenSSL; the keys are in
// crypto_keys.cpp. Algorithms are fetched once a process: a fetch takes locks and searches the
// providers, which costs more than hashing a cookie does.
#include "lib/crypto.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <bit>
#include <climits>
#include <utility>

#include "lib/openssl.h"

namespace crypto {
namespace {

using openssl::bytes;
using openssl::Handle;
using openssl::owned;
using openssl::require;

constexpr std::size_t kDigestBytes = 32;
constexpr std::size_t kKeyBytes = 32;
constexpr std::size_t kNonceBytes = 24;
constexpr std::size_t kTagBytes = 16;
constexpr std::uint64_t kScryptMemory = 64ULL << 20;  // N = 16384, r = 16 needs more than 32 MiB

const EVP_MD* sha256_type() {
  static const auto type = owned(EVP_MD_fetch(nullptr, "SHA256", nullptr), "EVP_MD_fetch");
  return type.get();
}

const EVP_CIPHER* chacha20_poly1305_type() {
  static const auto type =
      owned(EVP_CIPHER_fetch(nullptr, "ChaCha20-Poly1305", nullptr), "EVP_CIPHER_fetch");
  return type.get();
}

Handle<EVP_MAC_CTX> make_hmac_template() {
  const auto mac = owned(EVP_MAC_fetch(nullptr, "HMAC", nullptr), "EVP_MAC_fetch");
  auto context = owned(EVP_MAC_CTX_new(mac.get()), "EVP_MAC_CTX_new");
  std::string digest = "SHA256";
  const OSSL_PARAM params[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest.data(), 0),
      OSSL_PARAM_construct_end()};
  // Some key has to be set, because a context without one cannot be copied.
  require(EVP_MAC_init(context.get(), bytes("-"), 1, params), "EVP_MAC_init");
  return context;
}

// Naming the digest makes OpenSSL fetch it again, so each use starts from a copy of this.
Handle<EVP_MAC_CTX> hmac_context() {
  static const auto prepared = make_hmac_template();
  return owned(EVP_MAC_CTX_dup(prepared.get()), "EVP_MAC_CTX_dup");
}

using Words = std::array<std::uint32_t, 16>;

std::uint32_t little_endian(std::string_view text, std::size_t offset) {
  std::uint32_t word = 0;
  for (std::size_t i = 4; i-- > 0;) word = word << 8 | static_cast<unsigned char>(text[offset + i]);
  return word;
}

void quarter_round(Words& x, std::size_t a, std::size_t b, std::size_t c, std::size_t d) {
  x[a] += x[b], x[d] = std::rotl(x[d] ^ x[a], 16);
  x[c] += x[d], x[b] = std::rotl(x[b] ^ x[c], 12);
  x[a] += x[b], x[d] = std::rotl(x[d] ^ x[a], 8);
  x[c] += x[d], x[b] = std::rotl(x[b] ^ x[c], 7);
}

// The context for IETF ChaCha20-Poly1305 to which XChaCha20-Poly1305 comes down: the sub-key of
// the first 16 nonce bytes, the nonce 0x00000000 and the other eight. `aad` is taken in.
Handle<EVP_CIPHER_CTX> aead_context(std::string_view key, std::string_view nonce,
                                    std::string_view aad, bool sealing) {
  const Secret subkey(hchacha20(key, nonce.substr(0, 16)));
  const std::string inner = std::string(4, '\0') + std::string(nonce.substr(16));
  auto context = owned(EVP_CIPHER_CTX_new(), "EVP_CIPHER_CTX_new");
  require(EVP_CipherInit_ex2(context.get(), chacha20_poly1305_type(), bytes(subkey.view()),
                             bytes(inner), sealing ? 1 : 0, nullptr),
          "EVP_CipherInit_ex2");
  int length = 0;
  if (!aad.empty())
    require(
        EVP_CipherUpdate(context.get(), nullptr, &length, bytes(aad), static_cast<int>(aad.size())),
        "EVP_CipherUpdate");
  return context;
}

// Encrypts or decrypts all of `input`. The output of decryption is not yet authentic.
std::string run_cipher(EVP_CIPHER_CTX* context, std::string_view input) {
  std::string output(input.size(), '\0');
  int length = 0;
  if (!input.empty())
    require(EVP_CipherUpdate(context, bytes(output), &length, bytes(input),
                             static_cast<int>(input.size())),
            "EVP_CipherUpdate");
  return output;
}

bool aead_lengths_fit(std::string_view key, std::string_view nonce, std::string_view aad,
                      std::string_view text) {
  return key.size() == kKeyBytes && nonce.size() == kNonceBytes && aad.size() <= INT_MAX &&
         text.size() <= INT_MAX;
}

}  // namespace

void begin() {
  require(OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CONFIG, nullptr), "OPENSSL_init_crypto");
  if (OSSL_LIB_CTX_get0_global_default() == nullptr) openssl::fail("OSSL_LIB_CTX");
}

void wipe(char* bytes, std::size_t count) { OPENSSL_cleanse(bytes, count); }

void wipe(std::string& text) {
  text.resize(text.capacity());  // also what an earlier, longer content left behind
  wipe(text.data(), text.size());
  text.clear();
}

Secret::Secret(Secret&& other) noexcept : bytes_(std::move(other.bytes_)) { wipe(other.bytes_); }

Secret& Secret::operator=(Secret&& other) noexcept {
  if (this == &other) return *this;
  wipe(bytes_);
  bytes_ = std::move(other.bytes_);
  wipe(other.bytes_);
  return *this;
}

Secret::~Secret() { wipe(bytes_); }

std::string random_bytes(std::size_t count) {
  if (count > INT_MAX) throw std::logic_error("random_bytes: too many");
  std::string result(count, '\0');
  if (count > 0) require(RAND_bytes(bytes(result), static_cast<int>(count)), "RAND_bytes");
  return result;
}

std::string random_text(std::size_t length, std::string_view alphabet) {
  if (alphabet.size() < 2 || alphabet.size() > 256)
    throw std::logic_error("random_text: an alphabet has 2 ... 256 characters");
  // Bytes at or above the last multiple of the alphabet's size would favour its first characters.
  const std::size_t limit = 256 - 256 % alphabet.size();
  std::string text;
  text.reserve(length);
  while (text.size() < length) {
    for (const char c : random_bytes(length - text.size() + 8)) {
      const auto byte = static_cast<unsigned char>(c);
      if (byte < limit && text.size() < length) text += alphabet[byte % alphabet.size()];
    }
  }
  return text;
}

bool equal(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::string sha256(std::string_view message) {
  std::string digest(kDigestBytes, '\0');
  require(
      EVP_Digest(message.data(), message.size(), bytes(digest), nullptr, sha256_type(), nullptr),
      "EVP_Digest");
  return digest;
}

std::string hmac_sha256(std::string_view key, std::string_view message) {
  if (key.empty()) throw std::logic_error("hmac_sha256: an empty key is no key");
  const auto context = hmac_context();
  std::string code(kDigestBytes, '\0');
  std::size_t length = 0;
  require(EVP_MAC_init(context.get(), bytes(key), key.size(), nullptr), "EVP_MAC_init");
  require(EVP_MAC_update(context.get(), bytes(message), message.size()), "EVP_MAC_update");
  require(EVP_MAC_final(context.get(), bytes(code), &length, code.size()), "EVP_MAC_final");
  return code;
}

std::string hkdf_sha256(std::string_view key, std::string_view salt, std::string_view info,
                        std::size_t length) {
  if (length < 1 || length > 255 * kDigestBytes)
    throw std::logic_error("hkdf_sha256: length must be 1 ... 8160");
  const std::string no_salt(kDigestBytes, '\0');  // RFC 5869, 2.2
  const Secret extracted(hmac_sha256(salt.empty() ? no_salt : salt, key));
  std::string output;
  std::string block;
  for (unsigned char counter = 1; output.size() < length; ++counter) {
    block += info;
    block += static_cast<char>(counter);
    block = hmac_sha256(extracted.view(), block);
    output += block;
  }
  output.resize(length);
  return output;
}

std::string scrypt(std::string_view password, std::string_view salt, std::uint64_t n,
                   std::uint64_t r, std::uint64_t p, std::size_t length) {
  std::string output(length, '\0');
  // A null password would mean "only check the parameters".
  const char* text = password.empty() ? "" : password.data();
  require(EVP_PBE_scrypt(text, password.size(), bytes(salt), salt.size(), n, r, p, kScryptMemory,
                         bytes(output), output.size()),
          "EVP_PBE_scrypt");
  return output;
}

std::string hchacha20(std::string_view key, std::string_view nonce) {
  if (key.size() != kKeyBytes || nonce.size() != 16)
    throw std::logic_error("hchacha20: wants a key of 32 and a nonce of 16 bytes");
  Words x{0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};  // RFC 8439, 2.3
  for (std::size_t i = 0; i < 8; ++i) x[4 + i] = little_endian(key, 4 * i);
  for (std::size_t i = 0; i < 4; ++i) x[12 + i] = little_endian(nonce, 4 * i);
  for (int round = 0; round < 10; ++round) {
    for (std::size_t i = 0; i < 4; ++i) quarter_round(x, i, i + 4, i + 8, i + 12);
    for (std::size_t i = 0; i < 4; ++i)
      quarter_round(x, i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4);
  }
  // Unlike ChaCha20 the first state is not added again, and only the outer rows are used.
  std::string subkey;
  subkey.reserve(kKeyBytes);
  for (const std::size_t i : {0, 1, 2, 3, 12, 13, 14, 15})
    for (int shift = 0; shift < 32; shift += 8) subkey += static_cast<char>(x[i] >> shift & 0xff);
  OPENSSL_cleanse(x.data(), sizeof x);
  return subkey;
}

std::string xchacha20_poly1305_seal(std::string_view key, std::string_view nonce,
                                    std::string_view aad, std::string_view plain) {
  if (!aead_lengths_fit(key, nonce, aad, plain))
    throw std::logic_error("xchacha20_poly1305_seal: wants a key of 32 and a nonce of 24 bytes");
  const auto context = aead_context(key, nonce, aad, true);
  std::string sealed = run_cipher(context.get(), plain);
  std::string tag(kTagBytes, '\0');
  int length = 0;
  require(EVP_CipherFinal_ex(context.get(), bytes(tag), &length), "EVP_CipherFinal_ex");
  require(EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_GET_TAG, static_cast<int>(kTagBytes),
                              tag.data()),
          "EVP_CIPHER_CTX_ctrl");
  return sealed += tag;
}

std::optional<std::string> xchacha20_poly1305_open(std::string_view key, std::string_view nonce,
                                                   std::string_view aad, std::string_view sealed) {
  if (!aead_lengths_fit(key, nonce, aad, sealed) || sealed.size() < kTagBytes) return std::nullopt;
  std::string tag(sealed.substr(sealed.size() - kTagBytes));
  const auto context = aead_context(key, nonce, aad, false);
  require(EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_SET_TAG, static_cast<int>(kTagBytes),
                              tag.data()),
          "EVP_CIPHER_CTX_ctrl");
  std::string plain = run_cipher(context.get(), sealed.substr(0, sealed.size() - kTagBytes));
  int length = 0;
  std::string nothing(kTagBytes, '\0');  // a stream cipher has no last block
  if (openssl::succeeded(EVP_CipherFinal_ex(context.get(), bytes(nothing), &length))) return plain;
  wipe(plain);
  return std::nullopt;
}

}  // namespace crypto
