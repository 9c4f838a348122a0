#include "lib/user.h"

#include "lib/http.h"
#include "lib/utf8.h"

namespace user {
namespace {

constexpr char kByEmail[] =
    "SELECT " USER_COLUMNS
    ", a.password"
    "  FROM \"user\" u"
    "  LEFT JOIN account a ON a.\"userId\" = u.id AND a.\"providerId\" = 'credential'"
    "                     AND a.\"accountId\" = u.id"
    " WHERE u.email = $1 ORDER BY a.\"createdAt\" LIMIT 1";

constexpr char kPasswordHash[] =
    "SELECT password FROM account"
    " WHERE \"userId\" = $1 AND \"providerId\" = 'credential' AND \"accountId\" = $1"
    " ORDER BY \"createdAt\" LIMIT 1";

}  // namespace

User from_row(const db::Result& result, int row, int first) {
  return {std::string(result.text(row, first)),
          std::string(result.text(row, first + 1)),
          result.boolean(row, first + 2),
          result.maybe_text(row, first + 3),
          result.time(row, first + 4),
          result.time(row, first + 5),
          std::string(result.text(row, first + 6))};
}

void append_members(json::Writer& out, const User& user, bool with_email) {
  out.member("name", user.name);
  if (with_email) out.member("email", user.email);
  out.member("emailVerified", user.email_verified)
      .member("image", user.image)
      .member("createdAt", timestamp::to_text(user.created_at))
      .member("updatedAt", timestamp::to_text(user.updated_at))
      .member("id", user.id);
}

void append_json(json::Writer& out, const User& user) {
  out.begin_object();
  append_members(out, user);
  out.end_object();
}

std::optional<Credentials> find_by_email(std::string_view email, db::Connection& database) {
  const db::Result found = database.run(kByEmail, {email});
  if (found.rows() == 0) return std::nullopt;
  return Credentials{from_row(found, 0), found.maybe_text(0, kColumns)};
}

std::optional<std::string> password_hash(std::string_view user_id, db::Connection& database) {
  const db::Result found = database.run(kPasswordHash, {user_id});
  return found.rows() == 0 ? std::nullopt : found.maybe_text(0, 0);
}

bool exists(std::string_view id, db::Connection& database) {
  return database.run("SELECT id FROM \"user\" WHERE id = $1", {id}).rows() != 0;
}

void require_password_length(std::string_view password, const env::Settings& settings) {
  if (utf8::utf16_units(password) < settings.min_password_length)
    throw http::Error::auth(400, "PASSWORD_TOO_SHORT", "Password too short");
  require_password_not_too_long(password, settings);
}

void require_password_not_too_long(std::string_view password, const env::Settings& settings) {
  if (utf8::utf16_units(password) > settings.max_password_length)
    throw http::Error::auth(400, "PASSWORD_TOO_LONG", "Password too long");
}

}  // namespace user
