// What a password hash costs without us: EVP_PBE_scrypt with the parameters of the contract
// (better-auth-wire, section 8.4). Prints the time of each of COUNT hashes in microseconds.
#include <openssl/evp.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>

int main(int argc, char** argv) {
  const int count = argc > 1 ? std::atoi(argv[1]) : 10;
  unsigned char key[64];
  for (int i = 0; i < count; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    if (EVP_PBE_scrypt("password123", 11,
                       reinterpret_cast<const unsigned char*>("0123456789abcdef0123456789abcdef"),
                       32, 16384, 16, 1, 64UL << 20, key, sizeof key) != 1)
      return EXIT_FAILURE;
    const auto spent = std::chrono::steady_clock::now() - begin;
    std::printf("%lld\n", static_cast<long long>(
                              std::chrono::duration_cast<std::chrono::microseconds>(spent).count()));
  }
  return EXIT_SUCCESS;
}
