#include "lib/fcgi.h"

#include <fcgiapp.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <optional>

extern char** environ;

namespace fcgi {
namespace {

// What is read and thrown away of a body over the limit, so that a web server that is still
// sending gets our answer instead of a broken pipe.
constexpr std::size_t kMaxDrain = std::size_t{1024} * 1024;

using Read = std::function<long(char* buffer, std::size_t size)>;  // 0 at the end, negative: failed

// Web servers write CONTENT_LENGTH in four ways: absent, "", "0" for no body, and "-1" (Caddy) for
// a body of unknown length.
struct Announced {
  bool valid = true;
  std::optional<unsigned long long> length;
};

Announced announced_length(const Request& request) {
  const char* text = request.parameter("CONTENT_LENGTH");
  if (text == nullptr) return {};
  const std::string_view digits(text);
  if (digits.empty() || digits == "-1") return {};
  unsigned long long length = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), length);
  if (end != digits.data() + digits.size() || error == std::errc::invalid_argument)
    return {false, std::nullopt};
  if (error == std::errc::result_out_of_range) return {true, ~0ULL};
  return {true, length};
}

void drain(const Read& read) {
  char buffer[16384];
  for (std::size_t total = 0; total < kMaxDrain;) {
    const long count = read(buffer, sizeof buffer);
    if (count <= 0) return;
    total += static_cast<std::size_t>(count);
  }
}

// By plain CGI without CONTENT_LENGTH there is no body (RFC 3875, section 4.1.2), but a person who
// pipes one in from a shell means it.
bool may_have_body(const Request& request) {
  const std::string_view method(request.parameter("REQUEST_METHOD"));
  return method != "GET" && method != "HEAD" && method != "OPTIONS" && isatty(STDIN_FILENO) == 0;
}

// Reads the body into `request`. `until_announced` (plain CGI) stops at CONTENT_LENGTH, because
// standard input may stay open (RFC 3875, section 4.2); FastCGI marks the end itself.
void read_body(Request& request, std::size_t limit, bool until_announced, const Read& read) {
  const Announced announced = announced_length(request);
  if (!announced.valid) {
    request.state = Body::bad_length;
    return drain(read);
  }
  if (announced.length && *announced.length > limit) {
    request.state = Body::too_large;
    return until_announced ? void() : drain(read);
  }
  if (until_announced && !announced.length && !may_have_body(request)) return;

  char buffer[16384];
  for (;;) {
    std::size_t want = sizeof buffer;
    if (until_announced && announced.length)
      want = std::min<std::size_t>(want, *announced.length - request.body.size());
    if (want == 0) break;
    const long count = read(buffer, want);
    if (count < 0) {
      request.state = Body::cut;
      return;
    }
    if (count == 0) break;
    if (request.body.size() + static_cast<std::size_t>(count) > limit) {
      request.body.clear();
      request.state = Body::too_large;
      return drain(read);
    }
    request.body.append(buffer, static_cast<std::size_t>(count));
  }
  if (announced.length && request.body.size() != *announced.length) request.state = Body::cut;
}

int serve_cgi(std::size_t max_body_bytes, const Handler& handler) {
  Request request;
  request.parameters = environ;
  if (request.parameter("REQUEST_METHOD") == nullptr ||
      request.parameter("REQUEST_URI") == nullptr) {
    constexpr std::string_view kHelp =
        "This is a FastCGI program. Give it a listening socket as file descriptor 0, or call it "
        "by plain CGI with REQUEST_METHOD and REQUEST_URI in the environment.\n";
    if (::write(STDERR_FILENO, kHelp.data(), kHelp.size()) < 0) return 2;
    return 2;
  }
  read_body(request, max_body_bytes, true, [](char* buffer, std::size_t size) -> long {
    ssize_t count = 0;
    do count = ::read(STDIN_FILENO, buffer, size);
    while (count < 0 && errno == EINTR);
    return count;
  });
  const std::string response = handler(request);
  for (std::size_t sent = 0; sent < response.size();) {
    const ssize_t count = ::write(STDOUT_FILENO, response.data() + sent, response.size() - sent);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) {
      constexpr std::string_view kLost = "The response could not be written to standard output.\n";
      if (::write(STDERR_FILENO, kLost.data(), kLost.size()) < 0) return 1;
      return 1;
    }
    sent += static_cast<std::size_t>(count);
  }
  return 0;
}

volatile sig_atomic_t stop_requested = 0;

void on_stop(int) { stop_requested = 1; }

// A request that outlives its time (a peer that never finishes its header: libfcgi waits for ever
// after the first byte) costs this process, not the service.
void on_alarm(int) {
  constexpr std::string_view kLine =
      R"({"level":"error","err":"a request took too long; this process ends"})"
      "\n";
  if (::write(STDERR_FILENO, kLine.data(), kLine.size()) < 0) ::_exit(71);
  ::_exit(70);
}

void handle_signal(int number, void (*action)(int)) {
  struct sigaction request {};
  request.sa_handler = action;
  sigemptyset(&request.sa_mask);
  sigaction(number, &request, nullptr);
}

// The stop signals stay blocked but while we wait for a connection: libfcgi gives up its reads and
// writes when a signal arrives, which would cut the request or the response in hand.
sigset_t block_stop_signals() {
  sigset_t stops;
  sigemptyset(&stops);
  sigaddset(&stops, SIGTERM);
  sigaddset(&stops, SIGINT);
  sigaddset(&stops, SIGUSR1);
  sigset_t before;
  sigprocmask(SIG_BLOCK, &stops, &before);
  sigset_t waiting = before;
  sigdelset(&waiting, SIGTERM);
  sigdelset(&waiting, SIGINT);
  sigdelset(&waiting, SIGUSR1);
  return waiting;
}

bool stop_is_pending() {
  sigset_t pending;
  sigpending(&pending);
  return stop_requested != 0 || sigismember(&pending, SIGTERM) == 1 ||
         sigismember(&pending, SIGINT) == 1 || sigismember(&pending, SIGUSR1) == 1;
}

void limit_silence(int socket) {
  const timeval limit{kSilenceSeconds, 0};
  setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
}

bool is_responder(const Request& request) {
  const char* role = request.parameter("FCGI_ROLE");
  return role == nullptr || std::string_view(role) == "RESPONDER";
}

void answer(FCGX_Request& connection, std::size_t max_body_bytes, const Handler& handler) {
  limit_silence(connection.ipcFd);
  Request request;
  request.parameters = connection.envp;
  // Authorizers and filters (FastCGI 1.0, sections 6.3 and 6.4) are handed to us like requests.
  if (!is_responder(request)) return;
  read_body(request, max_body_bytes, false, [&](char* buffer, std::size_t size) -> long {
    const int count = FCGX_GetStr(buffer, static_cast<int>(size), connection.in);
    // libfcgi reports an aborted request or a broken record only here, after what came so far.
    return FCGX_GetError(connection.in) != 0 ? -1 : count;
  });
  const std::string response = handler(request);
  FCGX_PutStr(response.data(), static_cast<int>(response.size()), connection.out);
}

int serve_socket(std::size_t max_body_bytes, const Handler& handler,
                 const std::function<bool()>& may_continue) {
  const sigset_t waiting = block_stop_signals();
  handle_signal(SIGTERM, on_stop);  // after FCGX_Init, which sets its own
  handle_signal(SIGINT, on_stop);
  handle_signal(SIGUSR1, on_stop);
  handle_signal(SIGPIPE, SIG_IGN);
  handle_signal(SIGALRM, on_alarm);
  // Workers share the socket: one that was beaten to a connection must not wait in accept().
  fcntl(STDIN_FILENO, F_SETFL, fcntl(STDIN_FILENO, F_GETFL) | O_NONBLOCK);

  FCGX_Request connection;
  if (FCGX_InitRequest(&connection, STDIN_FILENO, FCGI_FAIL_ACCEPT_ON_INTR) != 0) return 1;
  while (!stop_is_pending() && may_continue()) {
    pollfd listener{STDIN_FILENO, POLLIN, 0};
    if (ppoll(&listener, 1, nullptr, &waiting) < 0) continue;
    // Under constant load ppoll() reports readiness and never delivers the signal.
    if (stop_is_pending()) break;
    alarm(kRequestSeconds);
    if (FCGX_Accept_r(&connection) == 0) {
      answer(connection, max_body_bytes, handler);
      FCGX_Finish_r(&connection);
    }
    alarm(0);
  }
  FCGX_Free(&connection, 1);
  return 0;
}

}  // namespace

const char* Request::parameter(std::string_view name) const {
  for (const char* const* entry = parameters; *entry != nullptr; ++entry) {
    const std::string_view pair(*entry);
    if (pair.size() > name.size() && pair[name.size()] == '=' && pair.starts_with(name))
      return *entry + name.size() + 1;
  }
  return nullptr;
}

int serve(std::size_t max_body_bytes, const Handler& handler,
          const std::function<bool()>& may_continue) {
  // FCGX_IsCGI() asks whether descriptor 0 is a listening socket.
  if (FCGX_IsCGI() != 0) return serve_cgi(max_body_bytes, handler);
  if (FCGX_Init() != 0) return 1;
  return serve_socket(max_body_bytes, handler, may_continue);
}

}  // namespace fcgi
