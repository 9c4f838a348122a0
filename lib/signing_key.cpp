#include "lib/signing_key.h"

#include <optional>
#include <stdexcept>

#include "lib/audit.h"
#include "lib/encoding.h"
#include "lib/envelope.h"
#include "lib/json.h"

namespace signing_key {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kIdLength = 32;

constexpr char kNewest[] =
    "SELECT id, \"privateKey\" FROM jwks"
    " WHERE (\"expiresAt\" IS NULL OR \"expiresAt\" > now())"
    "   AND COALESCE(alg, 'EdDSA') = 'EdDSA' AND COALESCE(crv, 'Ed25519') = 'Ed25519'"
    " ORDER BY \"createdAt\" DESC LIMIT 1";

// $4: seconds that the key may sign; 0: no end.
constexpr char kInsert[] =
    "INSERT INTO jwks (id, \"publicKey\", \"privateKey\", \"createdAt\", \"expiresAt\", alg, crv)"
    " VALUES ($1, $2, $3, date_trunc('milliseconds', now()),"
    "         CASE WHEN $4::bigint > 0 THEN now() + $4::bigint * interval '1 second' END,"
    "         'EdDSA', 'Ed25519')";

std::optional<std::string_view> secret_of(const env::Settings& settings,
                                          std::optional<int> version) {
  if (!version) return settings.unversioned_secret.view();
  for (const auto& entry : settings.versioned_secrets)
    if (entry.version == *version) return entry.secret.view();
  return std::nullopt;
}

// The column holds a JSON string with the envelope, or, with encryption switched off, the JWK.
std::optional<std::string> private_jwk(std::string_view column, const env::Settings& settings) {
  const auto value = json::parse(column, json::Policy::token);
  if (!value) return std::nullopt;
  if (value->is(json::Kind::object)) return std::string(column);
  if (value->string() == nullptr) return std::nullopt;
  return envelope::open(*value->string(),
                        [&](std::optional<int> version) { return secret_of(settings, version); });
}

std::optional<crypto::Ed25519Key> opened(std::string_view column, const env::Settings& settings) {
  const auto text = private_jwk(column, settings);
  const auto jwk = text ? json::parse(*text, json::Policy::token) : std::nullopt;
  const json::Value* d = jwk ? jwk->find("d") : nullptr;
  const auto seed = d != nullptr && d->string() != nullptr ? encoding::from_base64url(*d->string())
                                                           : std::nullopt;
  return seed ? crypto::Ed25519Key::from_seed(*seed) : std::nullopt;
}

std::optional<SigningKey> newest(const env::Settings& settings, db::Connection& database) {
  const db::Result row = database.run(kNewest, {});
  if (row.rows() == 0) return std::nullopt;
  auto key = opened(row.text(0, 1), settings);
  if (!key)
    throw std::runtime_error(
        "the newest key in jwks cannot be opened with BETTER_AUTH_SECRET: it was made under "
        "another secret");
  return SigningKey{std::string(row.text(0, 0)), std::move(*key)};
}

}  // namespace

const SigningKey& current(const env::Settings& settings, db::Connection& database) {
  static std::optional<SigningKey> known;
  static Clock::time_point read_at;
  if (known && Clock::now() - read_at < kLifetime) return *known;
  known = newest(settings, database);
  if (!known) {
    create(settings, database);
    known = newest(settings, database);
    if (!known) throw std::runtime_error("the key that was just made is not in jwks");
  }
  read_at = Clock::now();
  return *known;
}

void create(const env::Settings& settings, db::Connection& database) {
  const crypto::Ed25519Key key = crypto::Ed25519Key::generate();
  const std::string x = encoding::base64url(key.public_key());
  const std::string d = encoding::base64url(key.seed().view());
  json::Writer open_key;
  open_key.begin_object().member("crv", "Ed25519").member("x", x).member("kty", "OKP").end_object();
  json::Writer private_key;
  private_key.begin_object()
      .member("crv", "Ed25519")
      .member("d", d)
      .member("x", x)
      .member("kty", "OKP")
      .end_object();
  std::optional<int> version;
  if (!settings.versioned_secrets.empty()) version = settings.versioned_secrets.front().version;
  json::Writer sealed;
  sealed.value(envelope::seal(private_key.text(), settings.secret.view(), version));
  database.run(kInsert, {crypto::random_text(kIdLength), open_key.text(), sealed.text(),
                         std::to_string(settings.key_lifetime.count())});
  audit::log("program", "signing_key_made", "");
}

}  // namespace signing_key
