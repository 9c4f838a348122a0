#include "lib/env.h"

#include <gtest/gtest.h>

#include <map>

using env::Settings;
using Variables = std::map<std::string, std::string>;

namespace {

constexpr auto kSecret = "0123456789abcdef0123456789abcdef";

Settings load(Variables variables) {
  variables.try_emplace("BETTER_AUTH_SECRET", kSecret);
  variables.try_emplace("DATABASE_URL", "postgresql://localhost/todo");
  return env::load([&](const char* name) -> const char* {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  });
}

// What is said of the mistake; "" if there is none.
std::string mistake(const Variables& variables) {
  try {
    load(variables);
  } catch (const env::Mistake& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST(Env, hasBetterAuthsDefaults) {
  const Settings settings = load({});
  EXPECT_EQ(settings.secret.view(), kSecret);
  EXPECT_EQ(settings.auth_path, "/api/auth");
  EXPECT_EQ(settings.cookie_prefix, "better-auth");
  EXPECT_FALSE(settings.secure_cookies);
  EXPECT_TRUE(settings.auto_sign_in);
  EXPECT_EQ(settings.min_password_length, 8U);
  EXPECT_EQ(settings.max_password_length, 128U);
  EXPECT_EQ(settings.session_lifetime.count(), 604800);
  EXPECT_EQ(settings.max_body_bytes, 131072U);
  EXPECT_TRUE(settings.rate_limit);
  EXPECT_FALSE(settings.smtp);
  EXPECT_EQ(settings.token_key, Settings::TokenKey::table);
  EXPECT_TRUE(settings.trusted_origins.empty());
}

TEST(Env, eachMistakeIsOneLineThatNamesTheVariableAndNotItsValue) {
  const std::map<std::string, std::string> wrong{{"BETTER_AUTH_SECRET", "short-value"},
                                                 {"BETTER_AUTH_URL", "not a url"},
                                                 {"AUTH_BASE_PATH", "no-slash"},
                                                 {"AUTH_COOKIE_PREFIX", "a;b"},
                                                 {"AUTH_SECURE_COOKIES", "perhaps"},
                                                 {"AUTH_MIN_PASSWORD_LENGTH", "-1"},
                                                 {"AUTH_SESSION_EXPIRES_IN", "7 days"},
                                                 {"AUTH_DELETE_USER", "maybe"},
                                                 {"JWT_ALGORITHM", "none"},
                                                 {"TODO_MAX_BODY_BYTES", "77"},
                                                 {"TODO_LIST_ENVELOPE", "xml"},
                                                 {"BETTER_AUTH_SECRETS", "new-secret"},
                                                 {"SMTP_URL", "http://mail"},
                                                 {"LOG_LEVEL", "loud"}};
  for (const auto& [name, value] : wrong) {
    const std::string what = mistake({{name, value}});
    EXPECT_TRUE(what.starts_with(name)) << name << ": " << what;
    EXPECT_EQ(what.find(value), std::string::npos) << what;
    EXPECT_EQ(what.find('\n'), std::string::npos) << what;
  }
  EXPECT_NE(mistake({{"DATABASE_URL", ""}}).find("DATABASE_URL is not set"), std::string::npos);
  EXPECT_NE(mistake({{"BETTER_AUTH_SECRET", ""}}).find("BETTER_AUTH_SECRET is not set"),
            std::string::npos);
  EXPECT_FALSE(
      mistake({{"BETTER_AUTH_SECRET", "better-auth-secret-12345678901234567890"}}).empty());
}

TEST(Env, allMistakesAreSaidAtOnce) {
  const std::string what =
      mistake({{"BETTER_AUTH_SECRET", ""}, {"DATABASE_URL", ""}, {"LOG_LEVEL", "x"}});
  EXPECT_EQ(std::count(what.begin(), what.end(), '\n'), 2);
}

TEST(Env, theBaseUrlGivesOriginPathAndSecureCookies) {
  const Settings settings =
      load({{"BETTER_AUTH_URL", "https://Todo.example.com:443/my/auth/?x"},
            {"BETTER_AUTH_TRUSTED_ORIGINS", " https://a.example , ,https://b.example"}});
  EXPECT_EQ(settings.base_url, "https://todo.example.com");
  EXPECT_EQ(settings.auth_path, "/my/auth");
  EXPECT_TRUE(settings.secure_cookies);
  EXPECT_EQ(settings.trusted_origins,
            (std::vector<std::string>{"https://todo.example.com", "https://a.example",
                                      "https://b.example"}));
  EXPECT_EQ(load({{"BETTER_AUTH_URL", "http://h:8080/"}}).auth_path, "/api/auth");
}

TEST(Env, theFirstOfSeveralSecretsSigns) {
  const std::string first(32, 'n');
  const std::string second(32, 'o');
  const Settings settings = load({{"BETTER_AUTH_SECRETS", "2:" + first + ",1:" + second}});
  EXPECT_EQ(settings.secret.view(), first);
  EXPECT_EQ(settings.unversioned_secret.view(), kSecret);
  ASSERT_EQ(settings.versioned_secrets.size(), 2U);
  EXPECT_EQ(settings.versioned_secrets[1].version, 1);
  EXPECT_EQ(settings.versioned_secrets[1].secret.view(), second);
}

TEST(Env, mailServersAreReadFromTheirUrl) {
  using Tls = Settings::Smtp::Tls;
  const auto smtp = [](const std::string& url) {
    auto settings = load({{"SMTP_URL", url},
                          {"MAIL_FROM", "Todo <todo@example.com>"},
                          {"BETTER_AUTH_URL", "https://todo.example.com"}});
    return std::move(*settings.smtp);
  };
  const auto full = smtp("smtp://us%40er:p%3Aw@mail.example.com:2525?ca=/x.pem");
  EXPECT_EQ(full.host, "mail.example.com");
  EXPECT_EQ(full.port, 2525U);
  EXPECT_EQ(full.user, "us@er");
  EXPECT_EQ(full.password.view(), "p:w");
  EXPECT_EQ(full.tls, Tls::starttls);
  EXPECT_EQ(full.ca_file, "/x.pem");
  EXPECT_EQ(full.sender, "todo@example.com");
  EXPECT_EQ(smtp("smtps://mail.example.com").tls, Tls::on);
  EXPECT_EQ(smtp("smtps://mail.example.com").port, 465U);
  EXPECT_EQ(smtp("smtp://localhost:1025").tls, Tls::off);
  EXPECT_EQ(smtp("smtp://localhost?tls=starttls").tls, Tls::starttls);
  EXPECT_NE(mistake({{"SMTP_URL", "smtp://h"}}).find("MAIL_FROM"), std::string::npos);
  EXPECT_NE(mistake({{"SMTP_URL", "smtp://h:99999"}}).find("SMTP_URL"), std::string::npos);
  EXPECT_NE(mistake({{"SMTP_URL", "smtp://h"}, {"MAIL_FROM", "a@b.co"}}).find("BETTER_AUTH_URL"),
            std::string::npos);
}
