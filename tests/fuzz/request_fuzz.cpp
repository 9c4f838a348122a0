// Whole requests through the programs' own main(), by plain CGI: environment and standard input in,
// an answer and one line of log out. There is no database, so what is asked of it is 503.
// Input: "METHOD target", lines "Name: value", an empty line, the body. {token} in a value becomes
// a valid access token of the user "u", {cookie} a validly signed session cookie.
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>

#include "lib/cookie.h"
#include "lib/json.h"
#include "lib/jwt.h"
#include "lib/origin.h"
#include "lib/pattern.h"
#include "lib/uri.h"
#include "lib/utf8.h"
#include "tests/fuzz/fuzz.h"

// The handlers' main(), renamed in their object files.
extern "C" {
#define PROGRAM(name) int name##_main(int argc, char** argv);
#include "programs.inc"
#undef PROGRAM
// Where sanitizers report, if there are any.
__attribute__((weak)) void __sanitizer_set_report_fd(void* descriptor);
}

extern char** environ;

namespace {

using Main = int (*)(int argc, char** argv);

const std::map<std::string_view, Main> kMains{
#define PROGRAM(name) {#name, name##_main},
#include "programs.inc"
#undef PROGRAM
};

constexpr const char* kRoutes[][3] = {
#include "routes.inc"
};

constexpr std::string_view kTrusted = "http://auth.example.test";

// What nginx's map does: the first route that fits path and method, else the program for all
// others.
Main program_for(std::string_view method, const uri::Target& target) {
  static const std::vector<pattern::Pattern> patterns = [] {
    std::vector<pattern::Pattern> made;
    for (const auto& route : kRoutes) made.emplace_back(route[2], "/api/auth");
    return made;
  }();
  for (std::size_t i = 0; i < patterns.size(); ++i) {
    const std::string methods = std::string(",") + kRoutes[i][1] + ",";
    if (methods.find("," + std::string(method) + ",") != std::string::npos &&
        patterns[i].match(target.segments))
      return kMains.at(kRoutes[i][0]);
  }
  return kMains.at("fallback");
}

// A file in memory that takes the place of a descriptor.
class Stand {
 public:
  explicit Stand(int descriptor) : file_(memfd_create("fuzz", MFD_CLOEXEC)) {
    dup2(file_, descriptor);
  }
  void put(std::string_view bytes) {
    REQUIRE(ftruncate(file_, 0) == 0);
    REQUIRE(pwrite(file_, bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()));
    lseek(file_, 0, SEEK_SET);
  }
  std::string take() {
    std::string bytes(static_cast<std::size_t>(lseek(file_, 0, SEEK_END)), '\0');
    REQUIRE(pread(file_, bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()));
    return bytes;
  }

 private:
  int file_;
};

struct Stands {
  Stands() {
    if (__sanitizer_set_report_fd != nullptr)
      __sanitizer_set_report_fd(
          reinterpret_cast<void*>(static_cast<std::intptr_t>(fuzzing::messages)));
  }
  Stand in{0};
  Stand out{1};
  Stand log{2};
};

std::string filled(std::string_view value) {
  static const std::string token = jwt::sign_hs256(
      R"({"alg":"HS256"})", R"({"sub":"u","exp":9007199254740991})", fuzzing::kSecret);
  static const std::string cookie =
      "better-auth.session_token=" + cookie::seal("TokenOfASession", fuzzing::kSecret);
  std::string text(value);
  for (const auto& [name, content] : {std::pair{"{token}", &token}, {"{cookie}", &cookie}})
    if (const std::size_t at = text.find(name); at != std::string::npos)
      text.replace(at, std::string_view(name).size(), *content);
  return text;
}

struct Input {
  std::string method;
  std::string target;
  std::vector<std::string> variables;
  std::string_view body;
};

Input parsed(std::string_view text) {
  Input input;
  const std::string_view request = fuzzing::take_line(text);
  const std::size_t blank = std::min(request.find(' '), request.size());
  input.method = request.substr(0, blank);
  input.target = request.substr(std::min(blank + 1, request.size()));
  bool has_length = false;
  while (!text.empty()) {
    const std::string_view line = fuzzing::take_line(text);
    if (line.empty()) break;
    const std::size_t colon = std::min(line.find(": "), line.size());
    std::string name;
    for (const char c : line.substr(0, colon))
      name += c == '-' || c == '=' ? '_' : c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
    has_length = has_length || name == "CONTENT_LENGTH";
    if (name != "CONTENT_LENGTH" && name != "CONTENT_TYPE") name = "HTTP_" + name;
    input.variables.push_back(name + "=" + filled(line.substr(std::min(colon + 2, line.size()))));
  }
  input.body = text;
  if (!has_length) input.variables.push_back("CONTENT_LENGTH=" + std::to_string(text.size()));
  input.variables.push_back("REQUEST_METHOD=" + input.method);
  input.variables.push_back("REQUEST_URI=" + input.target);
  for (const char* setting :
       {"DATABASE_URL=postgresql://user@/database?host=/nonexistent", "AUTH_RATE_LIMIT=off",
        // It would stay with the process, and with each call there would be one more.
        "TODO_SANDBOX=off", "BETTER_AUTH_URL=http://auth.example.test", "AUTH_DELETE_USER=on",
        "AUTH_CHANGE_EMAIL=on", "SMTP_URL=smtp://127.0.0.1:1", "MAIL_FROM=todo@example.com"})
    input.variables.emplace_back(setting);
  input.variables.push_back("BETTER_AUTH_SECRET=" + std::string(fuzzing::kSecret));
  // As the environment has it: nothing behind a NUL.
  for (std::string& each : input.variables) each.resize(std::min(each.find('\0'), each.size()));
  input.method.resize(std::min(input.method.find('\0'), input.method.size()));
  input.target.resize(std::min(input.target.find('\0'), input.target.size()));
  return input;
}

struct Answer {
  int status = 0;
  std::multimap<std::string, std::string> headers;
  std::string_view body;

  std::string header(const std::string& name) const {
    const auto found = headers.find(name);
    return found == headers.end() ? "" : found->second;
  }
};

Answer parsed_answer(std::string_view text) {
  Answer answer;
  const std::size_t end = text.find("\r\n\r\n");
  REQUIRE(text.starts_with("Status: ") && end != std::string_view::npos);
  answer.status = std::stoi(std::string(text.substr(8, 3)));
  answer.body = text.substr(end + 4);
  std::string_view head = text.substr(0, end + 2);
  while (!head.empty()) {
    const std::string_view line = head.substr(0, head.find("\r\n"));
    head.remove_prefix(line.size() + 2);
    const std::size_t colon = line.find(": ");
    REQUIRE(colon != std::string_view::npos && fuzzing::is_one_line(line));
    const std::string name(line.substr(0, colon));
    REQUIRE(name.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-") ==
            std::string::npos);
    answer.headers.emplace(name, line.substr(colon + 2));
  }
  return answer;
}

void check(const Answer& answer, const Input& input) {
  constexpr std::array kStatuses{200, 204, 302, 400, 401, 403, 404, 405, 413, 415, 422, 503};
  REQUIRE(std::find(kStatuses.begin(), kStatuses.end(), answer.status) != kStatuses.end());
  if (answer.status != 204 && input.method != "HEAD")
    REQUIRE(answer.header("Content-Length") == std::to_string(answer.body.size()));
  for (const char* once : {"Content-Type", "Content-Length", "Location", "Cache-Control", "Vary",
                           "X-Request-Id", "Access-Control-Allow-Origin"})
    REQUIRE(answer.headers.count(once) <= 1);
  const std::string location = answer.header("Location");
  if (!location.empty())
    REQUIRE((location.front() == '/' && !location.starts_with("//")) ||
            origin::of_url(location) == kTrusted);
  const std::string allowed = answer.header("Access-Control-Allow-Origin");
  REQUIRE(allowed.empty() || origin::of_url(allowed) == kTrusted);
  if (answer.header("Content-Type") == "application/json" && input.method != "HEAD") {
    const auto value = json::parse(answer.body, json::Policy::token);
    REQUIRE(value.has_value());
    if (answer.status >= 400)
      REQUIRE(value->find("message") != nullptr || value->find("status") != nullptr);
  }
}

struct Outcome {
  int status;
  std::string out;
  std::string log;
};

Outcome run(Input input) {
  static Stands stands;
  std::vector<char*> environment;
  for (std::string& each : input.variables) environment.push_back(each.data());
  environment.push_back(nullptr);
  stands.in.put(input.body);
  stands.out.put("");
  stands.log.put("");

  std::string name = "program";
  std::array<char*, 2> arguments{name.data(), nullptr};
  const Main program = program_for(input.method, uri::Target::parse(input.target));
  char** const before = environ;
  environ = environment.data();
  const int status = program(1, arguments.data());
  environ = before;
  return {status, stands.out.take(), stands.log.take()};
}

// Lines of log without what differs from one run of a request to the next.
std::string comparable(std::string log) {
  for (const std::string_view name : {R"("ts":)", R"("rid":)", R"("dur_ms":)"})
    for (std::size_t at = log.find(name); at != std::string::npos; at = log.find(name, at)) {
      at += name.size();
      log.replace(at, log.find_first_of(",}", at) - at, "0");
    }
  return log;
}

// libFuzzer learns the words of a line from the search in it, and then sends them as a header. They
// are no quotation if a request without them has the same line.
bool is_quoted(const std::string& value, std::string_view log, Input input, std::size_t variable) {
  if (log.find(value) == std::string_view::npos) return false;
  std::string& whole = input.variables[variable];
  whole.replace(whole.find('=') + 1, std::string::npos, value.size(), '~');
  return comparable(run(std::move(input)).log).find(value) == std::string::npos;
}

void check_log(const std::string& text, const Input& input) {
  const std::string log = comparable(text);
  const std::vector<std::string> lines = fuzzing::lines(text);
  REQUIRE(text.ends_with('\n') && !lines.empty() && lines.size() <= 2);
  for (const std::string& line : lines) {
    const auto value = json::parse(line, json::Policy::token);
    REQUIRE(value.has_value());
    // A cause may have a line of its own before that of the request.
    REQUIRE((value->find("status") != nullptr) == (&line == &lines.back()));
  }
  for (std::size_t i = 0; i < input.variables.size(); ++i) {
    const std::string& variable = input.variables[i];
    if (!variable.starts_with("HTTP_AUTHORIZATION=") && !variable.starts_with("HTTP_COOKIE="))
      continue;
    const std::string value = variable.substr(variable.find('=') + 1);
    if (value.size() > 20 && input.target.find(value) == std::string::npos)
      REQUIRE(!is_quoted(value, log, input, i));
  }
}

}  // namespace

void fuzz(std::string_view text) {
  const Input input = parsed(text);
  const auto [status, out, log] = run(input);
  REQUIRE(status == 0);
  // libFuzzer learns the secret from the comparison with it, and what it sends may be quoted.
  if (text.find(fuzzing::kSecret) == std::string_view::npos) {
    REQUIRE(out.find(fuzzing::kSecret) == std::string::npos);
    REQUIRE(log.find(fuzzing::kSecret) == std::string::npos);
  }
  check(parsed_answer(out), input);
  check_log(log, input);
}
