// Everything that needs OpenSSL: random numbers, hashes, MACs, scrypt, XChaCha20-Poly1305 and the
// public-key signatures of JOSE. The only module over OpenSSL.
// Must not know: tokens, cookies, where keys are kept.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

namespace json {
class Value;
}

namespace crypto {

// OpenSSL itself failed (out of memory, no entropy): nothing that a request could have caused.
struct Error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// OpenSSL's own beginnings, which it does not check for itself: without memory for them, it would
// follow null pointers later. Throws Error.
void begin();

// Overwrites the bytes, in a way that no compiler leaves out.
void wipe(char* bytes, std::size_t count);
// Ditto with all that the text has ever been given room for; it is then empty.
void wipe(std::string& text);

// Bytes that are wiped when destroyed. No stream operator, no copies by accident.
class Secret {
 public:
  explicit Secret(std::string bytes) : bytes_(std::move(bytes)) {}
  Secret(const Secret&) = delete;
  Secret& operator=(const Secret&) = delete;
  Secret(Secret&& other) noexcept;
  Secret& operator=(Secret&& other) noexcept;
  ~Secret();

  std::string_view view() const { return bytes_; }

 private:
  std::string bytes_;
};

// `count` bytes from the system's generator. Throws Error.
std::string random_bytes(std::size_t count);

inline constexpr std::string_view kAlphanumeric =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

// `length` characters, each drawn without bias from `alphabet` (2 ... 256 characters).
std::string random_text(std::size_t length, std::string_view alphabet = kAlphanumeric);

// Equal, in a time that depends only on the lengths.
bool equal(std::string_view a, std::string_view b);

// 32 bytes.
std::string sha256(std::string_view message);

// 32 bytes. Throws std::logic_error for an empty key, which OpenSSL would accept.
std::string hmac_sha256(std::string_view key, std::string_view message);

// `length` (1 ... 8160) bytes by RFC 5869.
std::string hkdf_sha256(std::string_view key, std::string_view salt, std::string_view info,
                        std::size_t length);

// RFC 7914. Memory: 128 * n * r bytes, allowed up to 64 MiB. Throws Error beyond that.
std::string scrypt(std::string_view password, std::string_view salt, std::uint64_t n,
                   std::uint64_t r, std::uint64_t p, std::size_t length);

// The sub-key of draft-irtf-cfrg-xchacha: 32 bytes from a 32-byte key and a 16-byte nonce.
std::string hchacha20(std::string_view key, std::string_view nonce);

// XChaCha20-Poly1305 (same draft). `key` 32 bytes, `nonce` 24 bytes, `aad` may be empty.
// seal: ciphertext followed by the 16-byte tag. open: nullopt if the tag does not fit or a length
// is wrong.
std::string xchacha20_poly1305_seal(std::string_view key, std::string_view nonce,
                                    std::string_view aad, std::string_view plain);
std::optional<std::string> xchacha20_poly1305_open(std::string_view key, std::string_view nonce,
                                                   std::string_view aad, std::string_view sealed);

// Names as in RFC 7518 and RFC 8037.
enum class Algorithm { hs256, eddsa, es256, rs256, ps256 };
std::string_view name(Algorithm algorithm);

// A key that checks signatures of exactly one algorithm (RFC 8725, 3.1).
class VerifyKey {
 public:
  // `secret` must not be empty (std::logic_error). `id` may be: the token then needs no "kid".
  static VerifyKey hmac(std::string id, std::string_view secret);

  // A public JWK (RFC 7517): OKP/Ed25519, EC/P-256 or RSA. `algorithm` is the key's declared "alg"
  // ("EdDSA", "ES256", "RS256", "PS256"). nullopt if it is unknown, does not fit the key type, or
  // the key is unsafe: Ed25519 point of small order or not canonical, point off the curve, RSA
  // under 2048 bits or over 8192, exponent even, below 65537 or over 64 bits. nullopt as well if
  // the key's own "alg" or "use" says something else, or if it holds a private member ("d", "k").
  static std::optional<VerifyKey> from_jwk(std::string id, std::string_view algorithm,
                                           const json::Value& jwk);

  VerifyKey(VerifyKey&&) noexcept;
  VerifyKey& operator=(VerifyKey&&) noexcept;
  ~VerifyKey();

  const std::string& id() const;
  Algorithm algorithm() const;

  // Signature forms: HS256 32 bytes; EdDSA 64; ES256 64 bytes r then s (RFC 7518, 3.4), never DER;
  // RSA as long as the modulus. Anything else is false. Throws Error only if OpenSSL fails.
  bool verify(std::string_view message, std::string_view signature) const;

 private:
  struct Parts;
  explicit VerifyKey(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

// A private Ed25519 key (RFC 8032).
class Ed25519Key {
 public:
  static Ed25519Key generate();
  // From the 32-byte seed ("d" of the JWK, RFC 8037). nullopt: another length.
  static std::optional<Ed25519Key> from_seed(std::string_view seed);

  Ed25519Key(Ed25519Key&&) noexcept;
  Ed25519Key& operator=(Ed25519Key&&) noexcept;
  ~Ed25519Key();

  std::string sign(std::string_view message) const;  // 64 bytes
  std::string public_key() const;                    // 32 bytes
  Secret seed() const;                               // 32 bytes

 private:
  struct Parts;
  explicit Ed25519Key(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace crypto
