// A user of the shared database: columns and JSON form (contract better-auth-wire, sections 1.5
// and 8.1), and the password account that belongs to one. Must not know: sessions, routes.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "lib/db.h"
#include "lib/env.h"
#include "lib/json.h"

// What from_row() reads, in this order; `u` is the table's alias.
#define USER_COLUMNS \
  "u.name, u.email, u.\"emailVerified\", u.image, u.\"createdAt\", u.\"updatedAt\", u.id"

// The present as Better Auth stores it: both servers must print and compare the same value.
#define NOW_MS "date_trunc('milliseconds', now())"

namespace user {

struct User {
  std::string name;
  std::string email;
  bool email_verified = false;
  std::optional<std::string> image;
  timestamp::Time created_at;
  timestamp::Time updated_at;
  std::string id;
};

inline constexpr int kColumns = 7;

// `first` is the column at which USER_COLUMNS begin.
User from_row(const db::Result& result, int row, int first = 0);

// Writes the members of a user without the brackets, so that claims can go on after them.
// `with_email`: false for access tokens under the shared secret, which a Better Auth server would
// otherwise take for the e-mail tokens that it signs with the same secret.
void append_members(json::Writer& out, const User& user, bool with_email = true);
void append_json(json::Writer& out, const User& user);

// The user with this address (which must be in lower case) and the hash of the credential account,
// if there is one whose accountId is the user's id.
struct Credentials {
  User user;
  std::optional<std::string> password_hash;
};
std::optional<Credentials> find_by_email(std::string_view email, db::Connection& database);

// The hash of a user's credential account; nullopt if there is none.
std::optional<std::string> password_hash(std::string_view user_id, db::Connection& database);

bool exists(std::string_view id, db::Connection& database);

// The limits of a new password, counted as JavaScript counts. Throws 400 PASSWORD_TOO_SHORT or
// PASSWORD_TOO_LONG.
void require_password_length(std::string_view password, const env::Settings& settings);
void require_password_not_too_long(std::string_view password, const env::Settings& settings);

}  // namespace user
