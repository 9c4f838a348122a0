#include "lib/env.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <initializer_list>

#include "lib/email.h"
#include "lib/origin.h"
#include "lib/uri.h"
#include "lib/utf8.h"

namespace env {
namespace {

constexpr std::size_t kYear = std::size_t{366} * 86400;  // seconds

// Better Auth falls back to this text when no secret is set, so everybody knows it.
constexpr std::string_view kWellKnownSecret = "better-auth-secret-12345678901234567890";

constexpr std::size_t kDefaultMaxBody = 131072;
constexpr std::size_t kLargestMaxBody = std::size_t{64} * 1024 * 1024;

// Reads variables and collects what is wrong with them, so that an operator sees all at once.
class Reader {
 public:
  explicit Reader(const Lookup& lookup) : lookup_(lookup) {}

  // An empty variable counts as not set: that is how env files switch a setting off.
  std::string text(const char* name, std::string_view fallback = "") const {
    const char* value = lookup_(name);
    return value != nullptr && *value != '\0' ? std::string(value) : std::string(fallback);
  }

  std::vector<std::string> list(const char* name) const {
    std::vector<std::string> items;
    const std::string all = text(name);
    for (std::size_t begin = 0; begin <= all.size();) {
      const std::size_t end = std::min(all.find(',', begin), all.size());
      const auto item = utf8::trimmed(std::string_view(all).substr(begin, end - begin));
      if (!item.empty()) items.emplace_back(item);
      begin = end + 1;
    }
    return items;
  }

  std::size_t number(const char* name, std::size_t fallback, std::size_t least, std::size_t most) {
    const std::string digits = text(name);
    if (digits.empty()) return fallback;
    std::size_t value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (error != std::errc() || end != digits.data() + digits.size() || value < least ||
        value > most)
      mistake(name, "must be a whole number from " + std::to_string(least) + " to " +
                        std::to_string(most));
    return value;
  }

  bool flag(const char* name, bool fallback) {
    const std::string word = utf8::ascii_lower(text(name));
    if (word.empty()) return fallback;
    if (word == "on" || word == "true" || word == "1" || word == "yes") return true;
    if (word == "off" || word == "false" || word == "0" || word == "no") return false;
    mistake(name, "must be on or off");
    return fallback;
  }

  // The number of the word in `words` that the variable holds; 0, the default, if it is not set.
  std::size_t one_of(const char* name, std::initializer_list<std::string_view> words) {
    const std::string word = text(name, *words.begin());
    const auto found = std::find(words.begin(), words.end(), word);
    if (found != words.end()) return static_cast<std::size_t>(found - words.begin());
    std::string what = "must be one of:";
    for (const std::string_view each : words) what.append(" ").append(each);
    mistake(name, what);
    return 0;
  }

  void mistake(std::string_view name, std::string_view what) {
    if (!mistakes_.empty()) mistakes_ += '\n';
    mistakes_.append(name).append(" ").append(what);
  }

  void finish() const {
    if (!mistakes_.empty()) throw Mistake(mistakes_);
  }

 private:
  const Lookup& lookup_;
  std::string mistakes_;
};

void check_secret(Reader& reader, const char* name, std::string_view secret) {
  if (secret.empty())
    reader.mistake(name,
                   "is not set: use the secret of your Better Auth server, or make one with "
                   "\"openssl rand -base64 32\"");
  else if (secret.size() < kMinSecretBytes)
    reader.mistake(name,
                   "is too short: it must have at least 32 characters, for instance from "
                   "\"openssl rand -base64 32\"");
  else if (secret == kWellKnownSecret)
    reader.mistake(name,
                   "is Better Auth's public default: make one with \"openssl rand -base64 32\"");
}

// BETTER_AUTH_SECRETS="2:<new>,1:<old>"; the first entry signs, the others only open what they
// sealed. Without it, BETTER_AUTH_SECRET does both.
void read_secrets(Reader& reader, Settings& settings) {
  constexpr const char* kMany = "BETTER_AUTH_SECRETS";
  std::string single = reader.text("BETTER_AUTH_SECRET");
  settings.unversioned_secret = crypto::Secret(single);
  for (const std::string& entry : reader.list(kMany)) {
    const std::size_t colon = entry.find(':');
    int version = 0;
    const auto [end, error] =
        std::from_chars(entry.data(), entry.data() + std::min(colon, entry.size()), version);
    if (colon == std::string::npos || error != std::errc() || end != entry.data() + colon ||
        version < 0) {
      reader.mistake(kMany, "must be a list such as 2:<new secret>,1:<old secret>");
      return;
    }
    std::string secret = entry.substr(colon + 1);
    check_secret(reader, kMany, secret);
    if (settings.versioned_secrets.empty()) settings.secret = crypto::Secret(secret);
    settings.versioned_secrets.push_back({version, crypto::Secret(std::move(secret))});
  }
  if (!settings.versioned_secrets.empty()) return;
  check_secret(reader, "BETTER_AUTH_SECRET", single);
  settings.secret = crypto::Secret(std::move(single));
}

// BETTER_AUTH_URL: its origin is the base URL, and a path in it replaces the default base path
// (contract better-auth-wire, section 1.1).
void read_base_url(Reader& reader, Settings& settings) {
  settings.auth_path = reader.text("AUTH_BASE_PATH", "/api/auth");
  const std::string url = reader.text("BETTER_AUTH_URL");
  if (!url.empty()) {
    const auto origin = origin::of_url(url);
    if (!origin || (!origin->starts_with("http://") && !origin->starts_with("https://"))) {
      reader.mistake("BETTER_AUTH_URL", "must be a URL such as https://todo.example.com");
      return;
    }
    settings.base_url = *origin;
    const std::size_t path = url.find('/', url.find("://") + 3);
    if (path != std::string::npos && url.find_first_not_of('/', path) != std::string::npos)
      settings.auth_path = url.substr(path, url.find_first_of("?#", path) - path);
  }
  while (settings.auth_path.size() > 1 && settings.auth_path.back() == '/')
    settings.auth_path.pop_back();
  if (settings.auth_path.size() < 2 || settings.auth_path.front() != '/' ||
      settings.auth_path.find_first_of("{}()|?%\\\" ") != std::string::npos)
    reader.mistake("AUTH_BASE_PATH", "must be a path such as /api/auth");
}

// "name" of "a=1&name=value&b=2"; "" if it is not there.
std::string query_value(std::string_view query, std::string_view name) {
  const auto pairs = uri::parse_form(query);
  if (!pairs) return "";
  for (const auto& [key, value] : *pairs)
    if (key == name) return value;
  return "";
}

// smtp://user:password@host:587?tls=starttls&ca=/file, or smtps:// for TLS from the first byte.
// Without `tls`, smtp:// insists on STARTTLS but for a server on this machine.
std::optional<Settings::Smtp> smtp_from(std::string_view url) {
  using Tls = Settings::Smtp::Tls;
  const bool is_smtps = url.starts_with("smtps://");
  if (!is_smtps && !url.starts_with("smtp://")) return std::nullopt;
  url.remove_prefix(is_smtps ? 8 : 7);
  const std::size_t question = std::min(url.find('?'), url.size());
  const std::string_view query = url.substr(std::min(question + 1, url.size()));
  std::string_view place = url.substr(0, question);
  if (place.ends_with('/')) place.remove_suffix(1);

  Settings::Smtp smtp;
  if (const std::size_t at = place.rfind('@'); at != std::string_view::npos) {
    const std::string_view login = place.substr(0, at);
    const std::size_t colon = std::min(login.find(':'), login.size());
    const auto user = uri::percent_decode(login.substr(0, colon));
    auto password = uri::percent_decode(login.substr(std::min(colon + 1, login.size())));
    if (!user || !password) return std::nullopt;
    smtp.user = *user;
    smtp.password = crypto::Secret(std::move(*password));
    place.remove_prefix(at + 1);
  }
  smtp.port = is_smtps ? 465 : 587;
  if (const std::size_t colon = place.rfind(':');
      colon != std::string_view::npos && !place.ends_with(']')) {
    const std::string_view digits = place.substr(colon + 1);
    const auto [end, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), smtp.port);
    if (error != std::errc() || end != digits.data() + digits.size() || smtp.port > 65535)
      return std::nullopt;
    place = place.substr(0, colon);
  }
  smtp.host = place;
  const bool is_local = place == "localhost" || place == "127.0.0.1" || place == "[::1]";
  const std::string tls = query_value(query, "tls");
  if (tls.empty())
    smtp.tls = is_smtps ? Tls::on : is_local ? Tls::off : Tls::starttls;
  else if (tls == "off" || tls == "starttls" || tls == "on")
    smtp.tls = tls == "off" ? Tls::off : tls == "on" ? Tls::on : Tls::starttls;
  else
    return std::nullopt;
  smtp.ca_file = query_value(query, "ca");
  if (smtp.host.empty()) return std::nullopt;
  return smtp;
}

void read_mail(Reader& reader, Settings& settings) {
  settings.mail_templates = reader.text("MAIL_TEMPLATES", "env/mail");
  const std::string url = reader.text("SMTP_URL");
  if (url.empty()) return;
  settings.smtp = smtp_from(url);
  if (!settings.smtp) {
    reader.mistake("SMTP_URL", "must be a URL such as smtp://user:password@mail.example.com:587");
    return;
  }
  std::string& from = settings.smtp->from = reader.text("MAIL_FROM");
  const std::size_t open = from.rfind('<');
  settings.smtp->sender = open == std::string::npos || !from.ends_with('>')
                              ? from
                              : from.substr(open + 1, from.size() - open - 2);
  if (!email::is_valid(settings.smtp->sender))
    reader.mistake("MAIL_FROM", "must be an address such as Todo <todo@example.com>");
}

// Better Auth's options for e-mail and password and for sessions.
void read_auth_options(Reader& reader, Settings& settings) {
  settings.auto_sign_in = reader.flag("AUTH_AUTO_SIGN_IN", true);
  settings.require_email_verification = reader.flag("AUTH_REQUIRE_EMAIL_VERIFICATION", false);
  settings.min_password_length = reader.number("AUTH_MIN_PASSWORD_LENGTH", 8, 1, 1024);
  settings.max_password_length = reader.number("AUTH_MAX_PASSWORD_LENGTH", 128, 1, 4096);
  const auto seconds = [&](const char* name, std::size_t fallback, std::size_t least) {
    return std::chrono::seconds(reader.number(name, fallback, least, kYear));
  };
  settings.session_lifetime = seconds("AUTH_SESSION_EXPIRES_IN", 604800, 1);
  settings.session_update_age = seconds("AUTH_SESSION_UPDATE_AGE", 86400, 0);
  settings.session_fresh_age = seconds("AUTH_SESSION_FRESH_AGE", 86400, 0);
  settings.delete_user = static_cast<Settings::DeleteUser>(
      reader.one_of("AUTH_DELETE_USER", {"off", "on", "confirm"}));
  settings.change_email = static_cast<Settings::ChangeEmail>(
      reader.one_of("AUTH_CHANGE_EMAIL", {"off", "on", "confirm"}));
  settings.revoke_sessions_on_reset = reader.flag("AUTH_REVOKE_SESSIONS_ON_RESET", false);
  settings.rate_limit = reader.flag("AUTH_RATE_LIMIT", true);
  settings.rate_limit_exempt = reader.list("AUTH_RATE_LIMIT_EXEMPT");
  settings.token_key =
      static_cast<Settings::TokenKey>(reader.one_of("JWT_ALGORITHM", {"EdDSA", "HS256"}));
  settings.key_lifetime = seconds("JWT_KEY_LIFETIME", 0, 0);
  read_mail(reader, settings);
}

}  // namespace

Settings load(const Lookup& lookup) {
  Reader reader(lookup);
  Settings settings;
  read_secrets(reader, settings);

  settings.database_url = reader.text("DATABASE_URL");
  if (settings.database_url.empty())
    reader.mistake("DATABASE_URL",
                   "is not set: give the address of the database, for instance "
                   "postgresql://user:password@host/database");

  read_base_url(reader, settings);
  if (!settings.base_url.empty()) settings.trusted_origins.push_back(settings.base_url);
  for (std::string& entry : reader.list("BETTER_AUTH_TRUSTED_ORIGINS"))
    settings.trusted_origins.push_back(std::move(entry));
  settings.trusted_proxies = reader.list("AUTH_TRUSTED_PROXIES");

  settings.jwt_issuers = reader.list("JWT_ISSUERS");
  settings.jwt_audiences = reader.list("JWT_AUDIENCES");

  settings.cookie_prefix = reader.text("AUTH_COOKIE_PREFIX", "better-auth");
  // RFC 6265, section 4.1.1: a cookie's name is a token.
  if (settings.cookie_prefix.find_first_of(" \t\"(),/:;<=>?@[\\]{}") != std::string::npos)
    reader.mistake("AUTH_COOKIE_PREFIX", "must be a name of letters, digits, '.', '-' and '_'");
  settings.secure_cookies =
      reader.flag("AUTH_SECURE_COOKIES", settings.base_url.starts_with("https://"));

  read_auth_options(reader, settings);
  // Else the links in a mail would lead to wherever its requester says that we are.
  if (settings.smtp && settings.base_url.empty())
    reader.mistake("BETTER_AUTH_URL", "must be set where SMTP_URL is: mail has links to it");

  settings.database_roles = reader.flag("DATABASE_ROLES", true);
  settings.database_connections = reader.number("DATABASE_CONNECTIONS", 8, 1, 64);
  settings.database_request_ids = reader.flag("DATABASE_REQUEST_IDS", false);
  settings.idle_exit = std::chrono::seconds(reader.number("IDLE_EXIT_SECONDS", 0, 0, kYear));
  settings.max_requests = reader.number("MAX_REQUESTS", 0, 0, 1'000'000'000);
  settings.max_body_bytes =
      reader.number("TODO_MAX_BODY_BYTES", kDefaultMaxBody, 1024, kLargestMaxBody);
  settings.error_detail = reader.flag("TODO_ERROR_DETAIL", true);
  settings.camel_case = reader.flag("TODO_CAMEL_CASE", false);
  settings.list_envelope = static_cast<Settings::Envelope>(
      reader.one_of("TODO_LIST_ENVELOPE", {"array", "tasks", "items", "data"}));
  constexpr logging::Level kLevels[] = {logging::Level::info, logging::Level::debug,
                                        logging::Level::warn, logging::Level::error};
  settings.log_threshold = kLevels[reader.one_of("LOG_LEVEL", {"info", "debug", "warn", "error"})];
  settings.metrics_folder = reader.text("TODO_METRICS");
  settings.sandbox =
      static_cast<Settings::Sandbox>(reader.one_of("TODO_SANDBOX", {"on", "off", "debug"}));
  reader.finish();
  return settings;
}

void forget_secrets() {
  for (const char* name :
       {"BETTER_AUTH_SECRET", "BETTER_AUTH_SECRETS", "DATABASE_URL", "SMTP_URL"}) {
    char* value = std::getenv(name);
    if (value != nullptr) crypto::wipe(value, std::strlen(value));
  }
}

}  // namespace env
