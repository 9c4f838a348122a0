// The settings of a deployment, read once at start from the process environment. env/example.env
// lists every variable with its meaning and default; a mistake stops the program with one line
// that names the variable and says what to do. Values never appear in such a line.
// Must not know: what a setting is used for.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "lib/crypto.h"
#include "lib/logging.h"

namespace env {

struct Settings {
  // What cookies and tokens are signed with: BETTER_AUTH_SECRET, or the first entry of
  // BETTER_AUTH_SECRETS (contract better-auth-wire, section 8.7). At least kMinSecretBytes.
  crypto::Secret secret{""};

  std::string database_url;  // DATABASE_URL as given; lib/db reads it

  std::string base_url;   // BETTER_AUTH_URL without its path; "" if not set
  std::string auth_path;  // where the Better Auth routes are, without a slash at the end
  std::vector<std::string> trusted_origins;  // the base URL's origin and the configured ones
  std::vector<std::string> trusted_proxies;  // addresses or CIDR blocks

  std::vector<std::string> jwt_issuers;    // of tokens signed by a table key
  std::vector<std::string> jwt_audiences;  // ditto

  std::string cookie_prefix;  // "better-auth"
  bool secure_cookies = false;

  // Better Auth's options, with its defaults.
  bool auto_sign_in = true;
  bool require_email_verification = false;
  std::size_t min_password_length = 8;  // UTF-16 code units
  std::size_t max_password_length = 128;
  std::chrono::seconds session_lifetime{604800};
  std::chrono::seconds session_update_age{86400};
  std::chrono::seconds session_fresh_age{86400};  // 0: every session counts as fresh
  // `confirm`: a mail asks first (for a change, the old address if it is verified).
  enum class DeleteUser { off, on, confirm };
  DeleteUser delete_user = DeleteUser::off;
  enum class ChangeEmail { off, on, confirm };
  ChangeEmail change_email = ChangeEmail::off;
  bool revoke_sessions_on_reset = false;
  bool rate_limit = true;
  std::vector<std::string> rate_limit_exempt;  // addresses or CIDR blocks

  // Which tokens /token issues: by the newest key of the `jwks` table, or by the shared secret.
  enum class TokenKey { table, shared_secret };
  TokenKey token_key = TokenKey::table;
  std::chrono::seconds key_lifetime{0};  // of a table key that we make; 0: no end

  // Secrets by their version, for opening what they sealed (section 8.7).
  struct VersionedSecret {
    int version;
    crypto::Secret secret;
  };
  std::vector<VersionedSecret> versioned_secrets;  // every entry of BETTER_AUTH_SECRETS
  crypto::Secret unversioned_secret{""};           // BETTER_AUTH_SECRET

  // The mail server: SMTP_URL and MAIL_FROM.
  struct Smtp {
    enum class Tls { off, starttls, on };
    std::string host;
    unsigned port = 0;
    Tls tls = Tls::starttls;
    std::string user;  // "" : no authentication
    crypto::Secret password{""};
    std::string ca_file;  // "" : the system's certificates
    std::string from;     // the From header: "Name <address>" or an address
    std::string sender;   // the address in it
  };
  std::optional<Smtp> smtp;    // absent: mail is off
  std::string mail_templates;  // a folder

  std::size_t max_body_bytes = 0;
  bool database_roles = true;            // work as the program's own role (sql/grants.sql)
  std::size_t database_connections = 8;  // of one process, at most
  bool database_request_ids = false;     // in application_name, for each statement
  std::chrono::seconds idle_exit{0};     // a process ends after so long without a request; 0: never
  unsigned long max_requests = 0;        // ... or after so many; 0: never
  bool error_detail = true;  // errors of the task API carry "detail" as well as "message"
  bool camel_case = false;   // tasks carry userId, createdAt, updatedAt as well
  enum class Envelope { array, tasks, items, data };
  Envelope list_envelope = Envelope::array;
  logging::Level log_threshold = logging::Level::info;
  std::string metrics_folder;  // "" : nothing is counted
  enum class Sandbox { on, off, debug };
  Sandbox sandbox = Sandbox::on;
};

// Shorter secrets can be guessed (RFC 7518, section 3.2: as long as the hash).
inline constexpr std::size_t kMinSecretBytes = 32;

// The settings are unusable. what() has one line for each mistake.
struct Mistake : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// The value of a variable, or nullptr if it is not set.
using Lookup = std::function<const char*(const char* name)>;

// Throws Mistake.
Settings load(const Lookup& lookup);

// Wipes the values of the process's own variables that hold secrets. They then count as not set.
void forget_secrets();

}  // namespace env
