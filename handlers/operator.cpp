// What the command todo-fcgi does with users, keys and tokens, for people who operate the service:
// accounts without the web, a new signing key, an access token of a user. No route: nothing of it
// can be asked for over HTTP. Passwords are read from standard input, because others may see a
// command line. Exit status: 0 done, 1 refused or failed, 2 wrong use, 78 wrong settings.
// Contract: better-auth-wire, sections 2, 6.3 and 8.
#include <array>
#include <charconv>
#include <cstdlib>
#include <iostream>
#include <span>

#include "lib/access_token.h"
#include "lib/audit.h"
#include "lib/crypto.h"
#include "lib/db.h"
#include "lib/email.h"
#include "lib/env.h"
#include "lib/fcgi.h"
#include "lib/http.h"
#include "lib/json.h"
#include "lib/password.h"
#include "lib/sandbox.h"
#include "lib/signing_key.h"
#include "lib/user.h"
#include "lib/utf8.h"

namespace {

constexpr char kListUsers[] =
    "SELECT " USER_COLUMNS " FROM \"user\" u ORDER BY u.\"createdAt\", u.id LIMIT $1::bigint";

constexpr char kFindByEmail[] = "SELECT " USER_COLUMNS " FROM \"user\" u WHERE u.email = $1";
constexpr char kFindById[] = "SELECT " USER_COLUMNS " FROM \"user\" u WHERE u.id = $1";

constexpr char kAddUser[] =
    "WITH u AS ("
    "  INSERT INTO \"user\" (id, name, email, \"emailVerified\", \"createdAt\", \"updatedAt\")"
    "  VALUES ($1, $2, $3, $4::boolean, " NOW_MS ", " NOW_MS
    ")"
    "  RETURNING id, name, email, \"emailVerified\", image, \"createdAt\", \"updatedAt\""
    "), a AS ("
    "  INSERT INTO account (id, \"accountId\", \"providerId\", \"userId\", password,"
    "                       \"createdAt\", \"updatedAt\")"
    "  SELECT $5, u.id, 'credential', u.id, $6, " NOW_MS ", " NOW_MS
    " FROM u"
    ") SELECT " USER_COLUMNS " FROM u";

// Whoever knew the old password is signed out as well.
constexpr char kSetPassword[] =
    "WITH changed AS ("
    "  UPDATE account SET password = $2, \"updatedAt\" = " NOW_MS
    "   WHERE \"userId\" = $1 AND \"providerId\" = 'credential' RETURNING id"
    "), made AS ("
    "  INSERT INTO account (id, \"accountId\", \"providerId\", \"userId\", password, \"createdAt\","
    "                       \"updatedAt\")"
    "  SELECT $3, $1, 'credential', $1, $2, " NOW_MS ", " NOW_MS
    "   WHERE NOT EXISTS (SELECT FROM changed)"
    ") DELETE FROM session WHERE \"userId\" = $1";

// Tasks go with the user by the trigger on that table.
constexpr char kDeleteUser[] =
    "WITH s AS (DELETE FROM session WHERE \"userId\" = $1),"
    "     a AS (DELETE FROM account WHERE \"userId\" = $1)"
    " DELETE FROM \"user\" WHERE id = $1";

// "signing": the newest; "published": tokens that it signed are still accepted.
constexpr char kListKeys[] =
    "SELECT id, COALESCE(alg, 'EdDSA'), \"createdAt\", \"expiresAt\","
    "       CASE WHEN id = (SELECT id FROM jwks"
    "                        WHERE (\"expiresAt\" IS NULL OR \"expiresAt\" > now())"
    "                          AND COALESCE(alg, 'EdDSA') = 'EdDSA'"
    "                        ORDER BY \"createdAt\" DESC LIMIT 1) THEN 'signing'"
    "            WHEN \"expiresAt\" IS NULL OR \"expiresAt\" + interval '30 days' > now()"
    "            THEN 'published' ELSE 'expired' END"
    "  FROM jwks ORDER BY \"createdAt\"";

// Programs go on with a key that they have read for a minute, and an expired key is published for
// 30 days: no token is refused because of this.
constexpr char kRetireKeys[] =
    "UPDATE jwks SET \"expiresAt\" = now()"
    " WHERE (\"expiresAt\" IS NULL OR \"expiresAt\" > now()) AND COALESCE(alg, 'EdDSA') = 'EdDSA'"
    "   AND id <> (SELECT id FROM jwks ORDER BY \"createdAt\" DESC LIMIT 1)";

constexpr std::string_view kWho = "operator";
constexpr int kExitConfig = 78;  // EX_CONFIG of sysexits.h
constexpr std::size_t kIdLength = 32;
constexpr std::size_t kMaxPasswordLine = 16384;  // AUTH_MAX_PASSWORD_LENGTH ends at 4096

constexpr std::string_view kUsage =
    "usage: todo-fcgi user list [--limit N]\n"
    "       todo-fcgi user add EMAIL [--name NAME] [--verified]      password on standard input\n"
    "       todo-fcgi user reset-password EMAIL|ID                   password on standard input\n"
    "       todo-fcgi user delete EMAIL|ID\n"
    "       todo-fcgi key list\n"
    "       todo-fcgi key rotate\n"
    "       todo-fcgi token --user EMAIL|ID\n"
    "Each takes --json.\n";

struct WrongUse : std::exception {};

// A request that cannot be fulfilled; what() says why.
struct Refused : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct Arguments {
  std::vector<std::string> words;
  std::string name;
  std::string user;
  std::string limit = "1000";
  bool verified = false;
  bool json = false;
};

Arguments parse(std::span<char*> all) {
  Arguments arguments;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const std::string_view word(all[i]);
    const auto value = [&]() -> std::string {
      if (++i == all.size()) throw WrongUse();
      return all[i];
    };
    if (word == "--json")
      arguments.json = true;
    else if (word == "--verified")
      arguments.verified = true;
    else if (word == "--name")
      arguments.name = value();
    else if (word == "--user")
      arguments.user = value();
    else if (word == "--limit")
      arguments.limit = value();
    else if (word.starts_with('-'))
      throw WrongUse();
    else
      arguments.words.emplace_back(word);
  }
  return arguments;
}

struct Operator {
  const Arguments& arguments;
  const env::Settings& settings;
  db::Connection& database;
};

// For a terminal: a name must not be able to move the cursor.
std::string printable(std::string text) {
  for (char& c : text)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  return text;
}

void print_user(const user::User& user, bool as_json) {
  if (as_json) {
    json::Writer out;
    user::append_json(out, user);
    std::cout << out.text() << '\n';
    return;
  }
  std::cout << user.id << '\t' << printable(user.email) << '\t' << printable(user.name) << '\t'
            << (user.email_verified ? "verified" : "unverified") << '\t'
            << timestamp::to_text(user.created_at) << '\n';
}

std::string password_from_input() {
  std::string line;
  if (!std::getline(std::cin, line) || line.empty())
    throw Refused("no password on standard input: give it as one line");
  if (line.ends_with('\r')) line.pop_back();
  if (line.size() > kMaxPasswordLine || !utf8::is_valid(line) ||
      line.find('\0') != std::string::npos)
    throw Refused("the password is not valid text");
  return line;
}

user::User find_user(const Operator& by, const std::string& who) {
  const bool is_email = who.find('@') != std::string::npos;
  const std::string key = is_email ? utf8::ascii_lower(who) : who;
  if (!utf8::is_valid(key)) throw Refused("there is no such user");
  const db::Result found = by.database.run(is_email ? kFindByEmail : kFindById, {key});
  if (found.rows() == 0) throw Refused("there is no such user");
  return user::from_row(found, 0);
}

void list_users(const Operator& by) {
  std::size_t limit = 0;
  const std::string& digits = by.arguments.limit;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), limit);
  if (error != std::errc() || end != digits.data() + digits.size() || limit > 100'000'000)
    throw WrongUse();
  const db::Result rows = by.database.run(kListUsers, {std::to_string(limit + 1)});
  const int shown = std::min(rows.rows(), static_cast<int>(limit));
  for (int row = 0; row < shown; ++row) print_user(user::from_row(rows, row), by.arguments.json);
  if (shown < rows.rows()) std::cerr << "todo-fcgi: there are more: give a higher --limit\n";
}

void add_user(const Operator& by) {
  const std::string address = utf8::ascii_lower(by.arguments.words[2]);
  if (!email::is_valid(address)) throw Refused("that is not an e-mail address");
  const std::string name =
      by.arguments.name.empty() ? address.substr(0, address.find('@')) : by.arguments.name;
  if (!utf8::is_valid(name)) throw Refused("the name is not valid text");
  const std::string password = password_from_input();
  user::require_password_length(password, by.settings);
  try {
    const db::Result made =
        by.database.run(kAddUser, {crypto::random_text(kIdLength), name, address,
                                   by.arguments.verified ? "true" : "false",
                                   crypto::random_text(kIdLength), password::hash(password)});
    const user::User user = user::from_row(made, 0);
    audit::log(kWho, "sign_up", user.id);
    print_user(user, by.arguments.json);
  } catch (const db::Error& error) {
    if (error.sqlstate == "23505") throw Refused("there is a user with this address already");
    throw;
  }
}

void reset_password(const Operator& by) {
  const user::User user = find_user(by, by.arguments.words[2]);
  const std::string password = password_from_input();
  user::require_password_length(password, by.settings);
  by.database.run(kSetPassword,
                  {user.id, password::hash(password), crypto::random_text(kIdLength)});
  audit::log(kWho, "password_reset", user.id);
  print_user(user, by.arguments.json);
}

void delete_user(const Operator& by) {
  const user::User user = find_user(by, by.arguments.words[2]);
  by.database.run(kDeleteUser, {user.id});
  audit::log(kWho, "account_deleted", user.id);
  print_user(user, by.arguments.json);
}

void list_keys(const Operator& by) {
  const db::Result rows = by.database.run(kListKeys, {});
  for (int row = 0; row < rows.rows(); ++row) {
    const std::string id(rows.text(row, 0));
    const std::string created = timestamp::to_text(rows.time(row, 2));
    std::optional<std::string> expires;
    if (!rows.is_null(row, 3)) expires = timestamp::to_text(rows.time(row, 3));
    if (by.arguments.json) {
      json::Writer out;
      out.begin_object().member("id", id).member("alg", rows.text(row, 1));
      out.member("createdAt", created).member("expiresAt", expires);
      std::cout << out.member("state", rows.text(row, 4)).end_object().text() << '\n';
    } else {
      std::cout << printable(id) << '\t' << rows.text(row, 1) << '\t' << rows.text(row, 4) << '\t'
                << created << '\t' << expires.value_or("-") << '\n';
    }
  }
}

void rotate_keys(const Operator& by) {
  signing_key::create(by.settings, by.database);
  by.database.run(kRetireKeys, {});
  audit::log(kWho, "signing_keys_rotated", "");
  list_keys(by);
}

// The token that GET {auth}/token would give the user, for the address where the service is.
void print_token(const Operator& by) {
  const user::User user = find_user(by, by.arguments.user);
  const char* host = std::getenv("HTTP_HOST");
  const std::string host_line = std::string("HTTP_HOST=") + (host != nullptr ? host : "localhost");
  const std::array<const char*, 4> parameters{"REQUEST_METHOD=GET", "REQUEST_URI=/",
                                              host_line.c_str(), nullptr};
  fcgi::Request raw;
  raw.parameters = parameters.data();
  const std::string token = access_token::issue(http::Request(raw, by.settings), user, by.database);
  if (!by.arguments.json) {
    std::cout << token << '\n';
    return;
  }
  json::Writer out;
  out.begin_object()
      .member("token", token)
      .member("user", user.id)
      .member("expiresIn", std::int64_t{access_token::kLifetime.count()});
  std::cout << out.end_object().text() << '\n';
}

struct Command {
  const char* group;
  const char* verb;  // "" : none
  std::size_t words;
  void (*run)(const Operator& by);
};

constexpr Command kCommands[] = {
    {"user", "list", 2, list_users},    {"user", "add", 3, add_user},
    {"user", "delete", 3, delete_user}, {"user", "reset-password", 3, reset_password},
    {"key", "list", 2, list_keys},      {"key", "rotate", 2, rotate_keys},
    {"token", "", 1, print_token},
};

const Command& command_of(const Arguments& arguments) {
  for (const Command& command : kCommands)
    if (arguments.words.size() == command.words && arguments.words[0] == command.group &&
        (*command.verb == '\0' || arguments.words[1] == command.verb) &&
        (command.run == print_token) == !arguments.user.empty())
      return command;
  throw WrongUse();
}

int fail(std::string_view why, int status) {
  std::cerr << "todo-fcgi: " << why << '\n';
  return status;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view option = argc > 1 ? argv[1] : "";
  if (option == "--route") return EXIT_SUCCESS;  // none
  try {
    env::Settings settings = env::load([](const char* name) { return std::getenv(name); });
    std::vector<std::string> warnings;
    settings.database_url = db::normalized_url(settings.database_url, warnings);
    if (option == "--check") return EXIT_SUCCESS;
    sandbox::enter(settings, "operator");
    db::Connection database(settings.database_url, "operator");
    const Arguments arguments = parse({argv + 1, static_cast<std::size_t>(argc - 1)});
    command_of(arguments).run({arguments, settings, database});
    return std::cout.flush().good() ? EXIT_SUCCESS : EXIT_FAILURE;
  } catch (const WrongUse&) {
    std::cerr << kUsage;
    return 2;
  } catch (const env::Mistake& mistake) {
    return fail(mistake.what(), kExitConfig);
  } catch (const std::invalid_argument& mistake) {
    return fail(mistake.what(), kExitConfig);
  } catch (const std::exception& error) {
    return fail(error.what(), EXIT_FAILURE);
  }
}
