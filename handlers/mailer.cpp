// Sends the mail that the auth routes have queued. No route: a program that runs beside them, on
// one host or on several. With "--once" it sends what is due and ends.
// SMTP is msmtp's work, a program of the distribution: it has TLS, certificates, authentication and
// their upkeep, and it is started for each mail, so a mail server that hangs stops nothing else.
// Contract: better-auth-wire, sections 4 to 6. Must not know: why a mail was queued.
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>
#include <sstream>
#include <thread>

#include "lib/crypto.h"
#include "lib/db.h"
#include "lib/env.h"
#include "lib/logging.h"
#include "lib/message.h"
#include "lib/sandbox.h"

namespace {

// Takes one mail for five minutes: if this process dies meanwhile, it is sent again. Waits longer
// after each failure.
constexpr char kTake[] =
    "UPDATE todo_mail SET attempts = attempts + 1,"
    "       next_try = now() + interval '5 minutes' * (attempts + 1)"
    " WHERE id = (SELECT id FROM todo_mail WHERE next_try <= now()"
    "              ORDER BY id FOR UPDATE SKIP LOCKED LIMIT 1)"
    " RETURNING id, template, recipient, name, link, attempts";

constexpr char kForget[] = "DELETE FROM todo_mail WHERE id = $1::bigint";

// Every link is worthless after a day, so a mail that could not be sent by then is given up.
constexpr std::int64_t kMaxAttempts = 8;
constexpr std::chrono::seconds kPause{1};

volatile sig_atomic_t stop_requested = 0;
void on_stop(int) { stop_requested = 1; }

std::string file_content(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error("cannot read the mail template " + path);
  return {std::istreambuf_iterator<char>(file), {}};
}

// msmtp's options for the mail server. The password goes through the environment of that process,
// because others may see its command line.
std::vector<std::string> msmtp_command(const env::Settings::Smtp& smtp, const std::string& to) {
  const bool has_tls = smtp.tls != env::Settings::Smtp::Tls::off;
  std::vector<std::string> command{
      "msmtp",
      "--host=" + smtp.host,
      "--port=" + std::to_string(smtp.port),
      "--from=" + smtp.sender,
      "--timeout=20",
      std::string("--tls=") + (has_tls ? "on" : "off"),
      std::string("--tls-starttls=") +
          (smtp.tls == env::Settings::Smtp::Tls::starttls ? "on" : "off")};
  if (!smtp.ca_file.empty()) command.push_back("--tls-trust-file=" + smtp.ca_file);
  if (!smtp.user.empty()) {
    command.emplace_back("--auth=on");
    command.push_back("--user=" + smtp.user);
    command.emplace_back("--passwordeval=printenv SMTP_PASSWORD");
  }
  command.emplace_back("--");
  command.push_back(to);
  return command;
}

// Runs msmtp with `mail` as its input. Returns whether the server took the mail.
bool send(const env::Settings::Smtp& smtp, const std::string& to, const std::string& mail) {
  int input[2];
  if (pipe2(input, O_CLOEXEC) != 0) return false;
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, input[0], STDIN_FILENO);

  std::vector<std::string> command = msmtp_command(smtp, to);
  std::vector<char*> arguments;
  arguments.reserve(command.size() + 1);
  for (std::string& word : command) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  const char* path = std::getenv("PATH");
  std::string path_variable = std::string("PATH=") + (path != nullptr ? path : "/usr/bin:/bin");
  std::string password = "SMTP_PASSWORD=" + std::string(smtp.password.view());
  char* environment[] = {path_variable.data(), password.data(), nullptr};
  pid_t child = 0;
  const int failed =
      posix_spawnp(&child, "msmtp", &actions, nullptr, arguments.data(), environment);
  posix_spawn_file_actions_destroy(&actions);
  crypto::wipe(password);
  close(input[0]);
  for (std::size_t sent = 0; failed == 0 && sent < mail.size();) {
    const ssize_t count = write(input[1], mail.data() + sent, mail.size() - sent);
    if (count <= 0) break;
    sent += static_cast<std::size_t>(count);
  }
  close(input[1]);
  int status = 0;
  return failed == 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) &&
         WEXITSTATUS(status) == 0;
}

void deliver(const env::Settings& settings, const db::Result& row) {
  const std::string name(row.text(0, 1));
  if (name == "none") return;  // nobody was to get one; see lib/mail.h
  const std::string path = settings.mail_templates + "/" + name;
  const std::string recipient(row.text(0, 2));
  const std::string mail =
      message::compose({settings.smtp->from, recipient, crypto::random_text(24), timestamp::now()},
                       file_content(path + ".txt"), file_content(path + ".html"),
                       {std::string(row.text(0, 3)), std::string(row.text(0, 4))});
  if (!send(*settings.smtp, recipient, mail))
    throw std::runtime_error("the mail server did not take the mail");
}

// Sends one mail if one is due. Returns whether there was one.
bool work(const env::Settings& settings, db::Connection& database) {
  const db::Result row = database.run(kTake, {});
  if (row.rows() == 0) return false;
  const std::string id = std::to_string(row.integer(0, 0));
  bool is_done = row.integer(0, 5) >= kMaxAttempts;
  try {
    deliver(settings, row);
    is_done = true;
    logging::Line(logging::Level::info)
        .field("route", "mailer")
        .field("template", row.text(0, 1))
        .field("sent", true);
  } catch (const std::exception& error) {
    logging::Line(logging::Level::error)
        .field("route", "mailer")
        .field("template", row.text(0, 1))
        .field("sent", false)
        .field("given_up", is_done)
        .field("err", error.what());
  }
  if (is_done) database.run(kForget, {id});
  return true;
}

// One round: everything that is due. A database that is away is waited for.
void work_all(const env::Settings& settings, db::Connection& database) {
  try {
    while (stop_requested == 0 && work(settings, database)) continue;
  } catch (const db::Error& error) {
    logging::Line(logging::Level::error).field("route", "mailer").field("err", error.what());
    std::this_thread::sleep_for(kPause);
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view option = argc > 1 ? argv[1] : "";
  if (option == "--route") return EXIT_SUCCESS;  // none
  env::Settings settings;
  try {
    settings = env::load([](const char* name) { return std::getenv(name); });
    std::vector<std::string> warnings;
    settings.database_url = db::normalized_url(settings.database_url, warnings);
  } catch (const std::exception& mistake) {
    std::cerr << mistake.what() << std::endl;
    return 78;
  }
  if (option == "--check") return EXIT_SUCCESS;
  if (!settings.smtp) {
    std::cerr << "Mail is off: SMTP_URL is not set, so no verification or reset mail is sent"
              << std::endl;
    return EXIT_SUCCESS;
  }
  struct sigaction stop {};
  stop.sa_handler = on_stop;
  sigaction(SIGTERM, &stop, nullptr);
  sigaction(SIGINT, &stop, nullptr);
  static_cast<void>(signal(SIGPIPE, SIG_IGN));
  sandbox::enter(settings, "mailer", true);
  db::Connection database(settings.database_url, "mailer", {settings.database_roles, 1});
  do {
    work_all(settings, database);
    if (option != "--once" && stop_requested == 0) std::this_thread::sleep_for(kPause);
  } while (option != "--once" && stop_requested == 0);
  return EXIT_SUCCESS;
}
