// What crypto.cpp and crypto_keys.cpp share: owners of OpenSSL handles and the one way in which
// its results become exceptions. No other file includes this.
// Must not know: what the handles are used for.
#pragma once

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/params.h>

#include <memory>
#include <string>
#include <string_view>

#include "lib/crypto.h"

namespace crypto::openssl {

struct Free {
  void operator()(BIGNUM* p) const noexcept { BN_free(p); }
  void operator()(BN_CTX* p) const noexcept { BN_CTX_free(p); }
  void operator()(ECDSA_SIG* p) const noexcept { ECDSA_SIG_free(p); }
  void operator()(EVP_CIPHER* p) const noexcept { EVP_CIPHER_free(p); }
  void operator()(EVP_CIPHER_CTX* p) const noexcept { EVP_CIPHER_CTX_free(p); }
  void operator()(EVP_MAC* p) const noexcept { EVP_MAC_free(p); }
  void operator()(EVP_MAC_CTX* p) const noexcept { EVP_MAC_CTX_free(p); }
  void operator()(EVP_MD* p) const noexcept { EVP_MD_free(p); }
  void operator()(EVP_MD_CTX* p) const noexcept { EVP_MD_CTX_free(p); }
  void operator()(EVP_PKEY* p) const noexcept { EVP_PKEY_free(p); }
  void operator()(EVP_PKEY_CTX* p) const noexcept { EVP_PKEY_CTX_free(p); }
  void operator()(OSSL_PARAM* p) const noexcept { OSSL_PARAM_free(p); }
  void operator()(OSSL_PARAM_BLD* p) const noexcept { OSSL_PARAM_BLD_free(p); }
};

template <typename T>
using Handle = std::unique_ptr<T, Free>;

// True for 1 only: 0 and negative results both mean no. Empties the error queue, which would
// otherwise grow with every forged signature.
inline bool succeeded(int result) {
  if (result == 1) return true;
  ERR_clear_error();
  return false;
}

[[noreturn]] inline void fail(const char* call) {
  const char* reason = ERR_reason_error_string(ERR_peek_last_error());
  std::string text = std::string(call) + ": " + (reason != nullptr ? reason : "failed");
  ERR_clear_error();
  throw Error(text);
}

inline void require(int result, const char* call) {
  if (result != 1) fail(call);
}

// Owns `handle`; throws Error if it is null.
template <typename T>
Handle<T> owned(T* handle, const char* call) {
  if (handle == nullptr) fail(call);
  return Handle<T>(handle);
}

inline const unsigned char* bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}
inline unsigned char* bytes(std::string& text) {
  return reinterpret_cast<unsigned char*>(text.data());
}

}  // namespace crypto::openssl
