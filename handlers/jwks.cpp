// GET {auth}/jwks: the public keys by which access tokens are verified (RFC 7517).
// Contract: better-auth-wire, section 7. Must not know: how a request arrives.
#include "lib/db.h"
#include "lib/http.h"
#include "lib/json.h"
#include "lib/route.h"
#include "lib/signing_key.h"

namespace {

// An expired key stays for 30 days, so that what it signed can still be verified.
constexpr char kPublished[] =
    "SELECT id, \"publicKey\", COALESCE(alg, 'EdDSA'), crv FROM jwks"
    " WHERE \"expiresAt\" IS NULL OR \"expiresAt\" + interval '30 days' > now()"
    " ORDER BY \"createdAt\"";

// Only what is public goes out, whatever the column holds.
constexpr std::string_view kPublicMembers[] = {"crv", "x", "y", "n", "e", "kty"};

void append_key(json::Writer& out, const db::Result& rows, int row) {
  const auto jwk = json::parse(rows.text(row, 1), json::Policy::token);
  if (!jwk || !jwk->is(json::Kind::object)) return;
  out.begin_object().member("alg", rows.text(row, 2));
  for (const std::string_view name : kPublicMembers) {
    const json::Value* value = jwk->find(name);
    if (value != nullptr && value->string() != nullptr) out.member(name, *value->string());
  }
  out.member("kid", rows.text(row, 0)).end_object();
}

// Better Auth has no key set where tokens are signed with the shared secret.
http::Response handle(const http::Request& request, db::Connection& database) {
  const env::Settings& settings = request.settings();
  if (settings.token_key == env::Settings::TokenKey::shared_secret) throw http::Error::empty(404);

  db::Result rows = database.run(kPublished, {});
  if (rows.rows() == 0) {
    signing_key::create(settings, database);
    rows = database.run(kPublished, {});
  }
  json::Writer out;
  out.begin_object().key("keys").begin_array();
  for (int row = 0; row < rows.rows(); ++row) append_key(out, rows, row);
  return http::Response::json(200, out.end_array().end_object().take());
}

constexpr route::Route kRoutes[] = {{http::GET, "{auth}/jwks", handle}};

}  // namespace

int main(int argc, char** argv) { return route::serve("jwks", kRoutes, argc, argv); }
