// The stored form of passwords: see password.h. Must not know: accounts, limits of length.
#include "lib/password.h"

#include <deque>
#include <optional>

#include "lib/crypto.h"
#include "lib/encoding.h"
#include "lib/loop.h"
#include "lib/utf8.h"

namespace password {
namespace {

constexpr std::size_t kSaltBytes = 16;
constexpr std::size_t kKeyBytes = 64;
constexpr std::size_t kStoredCharacters = 2 * kSaltBytes + 1 + 2 * kKeyBytes;

// The right to hash. In plain CGI nobody else wants it.
class Turn {
 public:
  Turn() {
    if (fiber::current() == nullptr) return;
    if (taken) {
      if (waiting.size() >= kMaxWaiting) throw Busy("too many wait for a password hash");
      waiting.push_back(this);
      fiber_ = fiber::current();
      loop::wait_until([&] { return is_mine_; });
    }
    taken = is_mine_ = true;
  }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;
  ~Turn() {
    if (!is_mine_) return;
    taken = !waiting.empty();
    if (waiting.empty()) return;
    Turn* next = waiting.front();
    waiting.pop_front();
    next->is_mine_ = true;
    loop::wake(next->fiber_);
  }

 private:
  static inline bool taken = false;
  static inline std::deque<Turn*> waiting;
  fiber::Fiber* fiber_ = nullptr;
  bool is_mine_ = false;
};

// The salt is used as the text that is stored, not as the bytes it stands for: so do the hashes
// that exist.
crypto::Secret derive(std::string_view password, std::string_view salt_text) {
  const crypto::Secret normal(utf8::nfkc(password));
  const Turn turn;
  if (fiber::is_abandoned()) throw Busy("the client went away before its turn to hash");
  std::string key;
  loop::offload(loop::Offload::computing,
                [&] { key = crypto::scrypt(normal.view(), salt_text, 16384, 16, 1, kKeyBytes); });
  return crypto::Secret(std::move(key));
}

}  // namespace

std::string hash(std::string_view password) {
  const std::string salt = encoding::hex(crypto::random_bytes(kSaltBytes));
  return salt + ':' + encoding::hex(derive(password, salt).view());
}

bool matches(std::string_view password, std::string_view stored) {
  if (stored.size() != kStoredCharacters || stored[2 * kSaltBytes] != ':') return false;
  const std::string_view salt = stored.substr(0, 2 * kSaltBytes);
  const auto key = encoding::from_hex(stored.substr(2 * kSaltBytes + 1));
  if (!encoding::from_hex(salt) || !key) return false;
  return crypto::equal(derive(password, salt).view(), *key);
}

void waste_time(std::string_view password) {
  static const std::string nobody =
      std::string(2 * kSaltBytes, '0') + ':' + std::string(2 * kKeyBytes, '0');
  static_cast<void>(matches(password, nobody));
}

}  // namespace password
