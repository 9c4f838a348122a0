// Access tokens for the task service, as Better Auth's jwt plugin issues them (contract
// better-auth-wire, section 7). Must not know: sessions, routes.
#pragma once

#include <chrono>
#include <string>

#include "lib/db.h"
#include "lib/http.h"
#include "lib/user.h"

namespace access_token {

inline constexpr std::chrono::seconds kLifetime{900};

// A token that says who `user` is, valid from now on for kLifetime. JWT_ALGORITHM decides the key.
// EdDSA, by the newest key of the table, is the default: it is what a stock Better Auth issues and
// what its clients and its /jwks promise, it cannot be forged by who only verifies, and it cannot
// be confused with the other tokens that are signed with the shared secret. HS256 is for task back
// ends that know only that secret. Throws crypto::Error, db::Error, std::runtime_error.
std::string issue(const http::Request& request, const user::User& user, db::Connection& database);

}  // namespace access_token
