// Passwords as Better Auth stores them (contract better-auth-wire, section 8.4): scrypt with
// N = 16384, r = 16, p = 1 over the NFKC form, "<32 hex of salt>:<128 hex of key>".
// One hash takes about 0.1 s of a core and 32 MiB, so a process makes one at a time, beside its
// other work; who comes meanwhile waits. Must not know: accounts, limits of length.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

namespace password {

// Thrown where kMaxWaiting others wait already, as the answer would come too late; and to who has
// waited for its turn, and whose client is gone.
struct Busy : std::runtime_error {
  using std::runtime_error::runtime_error;
};
inline constexpr std::size_t kMaxWaiting = 64;

// A new salt and the hash of `password` (UTF-8). Throws crypto::Error, Busy.
std::string hash(std::string_view password);

// False for a wrong password and for a `stored` value of any other form (which costs no hash).
// Compares in constant time. Throws crypto::Error, Busy.
bool matches(std::string_view password, std::string_view stored);

// Does the work of matches() and throws the result away: where there is no stored hash, so that
// the time of the answer does not tell.
void waste_time(std::string_view password);

}  // namespace password
