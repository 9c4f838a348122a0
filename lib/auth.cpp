#include "lib/auth.h"

#include <map>
#include <unordered_map>

#include "lib/crypto.h"
#include "lib/jwt.h"
#include "lib/logging.h"
#include "lib/utf8.h"

namespace auth {
namespace {

using Clock = std::chrono::steady_clock;

// A key stays published for 30 days after it stopped signing (better-auth-wire, section 7).
constexpr char kReadKeys[] =
    "SELECT id, \"publicKey\", COALESCE(alg, 'EdDSA')"
    "  FROM jwks"
    " WHERE \"expiresAt\" IS NULL OR \"expiresAt\" + interval '30 days' > now()"
    " ORDER BY \"createdAt\" DESC LIMIT 100";

// The usable keys of the table, all read at once: whoever sends made-up ids cannot keep a key that
// is really there from being found.
class TableKeys {
 public:
  // nullptr if there is no such key, or none that is safe to use.
  const crypto::VerifyKey* find(const std::string& id, db::Connection& database) {
    const auto age = read_at_ ? Clock::now() - *read_at_ : Clock::duration::max();
    // While one request reads the table, others go on with what is known.
    if (is_reading_ && look_up(id) != nullptr) return look_up(id);
    if (age > kKeyLifetime || (look_up(id) == nullptr && may_look_again())) read(database);
    return look_up(id);
  }

  // Changes whenever the table has been read.
  std::uint64_t generation() const { return generation_; }

 private:
  const crypto::VerifyKey* look_up(const std::string& id) const {
    const auto known = keys_.find(id);
    return known == keys_.end() ? nullptr : &known->second;
  }

  // A key that has just been made is found by its first token, and made-up ids cost no more than a
  // reading in kRetryAfter, after a few at once.
  bool may_look_again() {
    constexpr int kAtOnce = 5;
    const Clock::time_point now = Clock::now();
    if (next_look_ > now) return false;
    next_look_ = std::max(next_look_, now - (kAtOnce - 1) * kRetryAfter) + kRetryAfter;
    return true;
  }

  void read(db::Connection& database) {
    is_reading_ = true;
    const db::Result rows = [&] {
      try {
        return database.run(kReadKeys, {});
      } catch (...) {
        is_reading_ = false;
        throw;
      }
    }();
    is_reading_ = false;
    keys_.clear();
    ++generation_;
    read_at_ = Clock::now();
    for (int row = 0; row < rows.rows(); ++row) {
      const std::string id(rows.text(row, 0));
      const auto jwk = json::parse(rows.text(row, 1), json::Policy::token);
      auto key = jwk ? crypto::VerifyKey::from_jwk(id, rows.text(row, 2), *jwk) : std::nullopt;
      if (key)
        keys_.emplace(id, std::move(*key));
      else
        logging::Line(logging::Level::warn)
            .field("err", "a row of jwks holds no usable public key")
            .field("kid", id);
    }
  }

  std::map<std::string, crypto::VerifyKey> keys_;
  std::optional<Clock::time_point> read_at_;
  Clock::time_point next_look_{};
  std::uint64_t generation_ = 0;
  bool is_reading_ = false;
};

// Tokens that were found valid, so that a client's next requests cost no signature. Each is known
// by its hash (together with the origin that its issuer was compared with), so that the table holds
// nothing that could be used; its expiry is looked at every time. One that a table key has signed
// is verified again whenever that table is read, which is at least once in kKeyLifetime.
class Verified {
 public:
  struct Entry {
    std::string subject;
    double expires;
    std::string key_id;  // "" : the shared secret
    std::uint64_t generation;
  };

  // A copy, as others may change the table while the caller waits for the database.
  std::optional<Entry> find(const std::string& name) const {
    const auto known = entries_.find(name);
    if (known == entries_.end()) return std::nullopt;
    return known->second;
  }
  void add(const std::string& name, const Entry& entry) {
    if (entries_.size() >= kMost) entries_.clear();
    entries_.insert_or_assign(name, entry);
  }

 private:
  static constexpr std::size_t kMost = 4096;
  std::unordered_map<std::string, Entry> entries_;
};

// The one token of "Bearer <token>", scheme in any case; nullopt for anything else.
std::optional<std::string_view> bearer_token(std::string_view header) {
  constexpr std::string_view kScheme = "bearer ";
  if (header.size() <= kScheme.size() ||
      utf8::ascii_lower(header.substr(0, kScheme.size())) != kScheme)
    return std::nullopt;
  std::string_view token = header.substr(kScheme.size());
  while (token.starts_with(' ')) token.remove_prefix(1);
  while (token.ends_with(' ')) token.remove_suffix(1);
  return token;
}

// A list from the settings, else where the service is.
std::vector<std::string> or_origin(const std::vector<std::string>& configured,
                                   const http::Request& request) {
  return configured.empty() ? std::vector{request.origin()} : configured;
}

TableKeys& table_keys() {
  static TableKeys keys;
  return keys;
}

std::variant<json::Value, jwt::Refused> verify(std::string_view token,
                                               const std::optional<std::string>& key_id,
                                               const http::Request& request,
                                               db::Connection& database) {
  static const crypto::VerifyKey shared =
      crypto::VerifyKey::hmac("", request.settings().secret.view());
  jwt::Policy policy{or_origin(request.settings().jwt_issuers, request),
                     or_origin(request.settings().jwt_audiences, request)};
  const auto now = std::chrono::system_clock::now();
  if (key_id) {
    const crypto::VerifyKey* key = table_keys().find(*key_id, database);
    if (key == nullptr) return jwt::Refused::unknown_key;
    return jwt::verify(token, {key, 1}, policy, now);
  }
  policy.required = false;
  return jwt::verify(token, {&shared, 1}, policy, now);
}

// Tokens of the same secret that are no access tokens (contract 3, last but one row; RFC 8725,
// 3.12): e-mail tokens have "email" but no "sub"; the cached session has "session".
bool is_access_token(const json::Value& claims) { return claims.find("session") == nullptr; }

// Throws 401 for a token that is not valid.
Verified::Entry checked(std::string_view token, const http::Request& request,
                        db::Connection& database) {
  const auto key_id = jwt::key_id(token);
  const auto claims = verify(token, key_id, request, database);
  if (!std::holds_alternative<json::Value>(claims)) throw unauthorized(true);
  const json::Value& valid = std::get<json::Value>(claims);
  const json::Value* subject = valid.find("sub");
  if (subject == nullptr || subject->string() == nullptr || subject->string()->empty() ||
      subject->string()->find('\0') != std::string::npos || !is_access_token(valid))
    throw unauthorized(true);
  return {*subject->string(), *valid.find("exp")->number(), key_id.value_or(""),
          table_keys().generation()};
}

// What can change about a token that was valid: the time, and the keys of the table.
bool is_still_valid(const Verified::Entry& entry, db::Connection& database) {
  if (entry.expires <= jwt::seconds_since_1970(std::chrono::system_clock::now())) return false;
  return entry.key_id.empty() || (table_keys().find(entry.key_id, database) != nullptr &&
                                  entry.generation == table_keys().generation());
}

}  // namespace

http::Error unauthorized(bool token_was_sent) {
  http::Error error(
      401, "unauthorized",
      token_was_sent ? "The access token is not valid" : "An access token is required");
  error.headers.emplace_back("WWW-Authenticate",
                             token_was_sent ? "Bearer error=\"invalid_token\"" : "Bearer");
  return error;
}

User require_user(const http::Request& request, db::Connection& database) {
  static Verified verified;
  const auto token = bearer_token(request.header("authorization"));
  if (!token) throw unauthorized(false);
  const std::string name = crypto::sha256(std::string(*token) + '\n' + request.origin());
  auto known = verified.find(name);
  if (!known || !is_still_valid(*known, database)) {
    known = checked(*token, request, database);
    verified.add(name, *known);
  }
  request.set_user(known->subject);
  return {known->subject};
}

}  // namespace auth
