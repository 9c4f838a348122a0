#include "lib/fcgi.h"

#include <fcgiapp.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <deque>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "lib/fiber.h"
#include "lib/loop.h"
#include "lib/memory.h"
#include "lib/metrics.h"

extern char** environ;

namespace fcgi {
namespace {

using loop::Clock;

// For how long nobody must have asked for anything before memory is given back: rare enough to cost
// nothing, soon enough to be a state at rest.
constexpr std::chrono::seconds kRestAfter{10};

// --- Plain CGI -----------------------------------------------------------------------------------

// By plain CGI without CONTENT_LENGTH there is no body (RFC 3875, section 4.1.2), but a person who
// pipes one in from a shell means it.
bool may_have_body(const Request& request) {
  const std::string_view method(request.parameter("REQUEST_METHOD"));
  return method != "GET" && method != "HEAD" && method != "OPTIONS" && isatty(STDIN_FILENO) == 0;
}

long read_input(char* buffer, std::size_t size) {
  ssize_t count = 0;
  do count = ::read(STDIN_FILENO, buffer, size);
  while (count < 0 && errno == EINTR);
  return count;
}

// A body over the limit is read and thrown away all the same: a web server whose socket is our
// standard input would otherwise lose our answer with it (RFC 3875, section 4.2, allows either).
void drain(unsigned long long length) {
  constexpr unsigned long long kMost = 64ULL * 1024 * 1024;
  if (isatty(STDIN_FILENO) == 1) return;
  char buffer[16384];
  for (unsigned long long rest = std::min(length, kMost); rest > 0;) {
    const long count = read_input(buffer, std::min<unsigned long long>(sizeof buffer, rest));
    if (count <= 0) return;
    rest -= static_cast<unsigned long long>(count);
  }
}

// Stops at CONTENT_LENGTH, because standard input may stay open (RFC 3875, section 4.2).
void read_body(Request& request, std::size_t limit) {
  const records::Announced announced =
      records::announced_length(request.parameter("CONTENT_LENGTH"));
  if (!announced.valid) {
    request.state = Body::bad_length;
    return;
  }
  if (announced.known && announced.length > limit) {
    request.state = Body::too_large;
    return drain(announced.length);
  }
  if (!announced.known && !may_have_body(request)) return;

  char buffer[16384];
  while (!announced.known || request.body.size() < announced.length) {
    std::size_t want = sizeof buffer;
    if (announced.known) want = std::min<std::size_t>(want, announced.length - request.body.size());
    const long count = read_input(buffer, want);
    if (count < 0) request.state = Body::cut;
    if (count <= 0) break;
    if (request.body.size() + static_cast<std::size_t>(count) > limit) {
      request.body.clear();
      request.state = Body::too_large;
      return drain(~0ULL);
    }
    request.body.append(buffer, static_cast<std::size_t>(count));
  }
  if (announced.known && request.body.size() != announced.length) request.state = Body::cut;
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
  read_body(request, max_body_bytes);
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

// --- Signals -------------------------------------------------------------------------------------

// Code that never comes back costs this process, not the service.
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

// The signals that stop the process, as a descriptor: they interrupt nothing, and are noticed under
// constant load too, which a handler is not (waiting then reports readiness at once, every time).
int stop_signals() {
  sigset_t stops;
  sigemptyset(&stops);
  for (const int number : {SIGTERM, SIGINT, SIGUSR1}) sigaddset(&stops, number);
  sigprocmask(SIG_BLOCK, &stops, nullptr);
  return signalfd(-1, &stops, SFD_CLOEXEC | SFD_NONBLOCK);
}

// --- FastCGI -------------------------------------------------------------------------------------

class Server;

// One connection of the web server: one request at a time, then the next.
class Connection {
 public:
  Connection(Server& server, int descriptor, std::size_t max_body_bytes);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection() { ::close(descriptor_); }

  // Runs in a fiber: answers the request in hand.
  void answer(const Handler& handler, bool is_late);
  bool is_idle() const { return !in_hand_ && output_.empty() && !reader_.is_incomplete(); }
  void close();

 private:
  void on_events(std::uint32_t events);
  void read();
  void look_at_requests();
  void send();
  void linger();
  void expect_progress();

  Server& server_;
  int descriptor_;
  records::Reader reader_;
  std::string output_;
  fiber::Fiber* fiber_ = nullptr;  // answers the request in hand
  bool in_hand_ = false;           // its request waits for a fiber or runs in one
  bool gone_ = false;              // the peer hung up
  bool is_first_ = true;           // no request has been answered
  bool last_ = false;              // to be closed when the output is sent
  bool lingers_ = false;           // the output is sent, the peer may go on sending
  loop::Timer silence_;
  std::optional<Clock::time_point> arrive_by_;  // of the request that is being read
  std::optional<loop::Watch> watch_;
};

class Server {
 public:
  Server(const Options& options, const Handler& handler, const std::function<bool()>& may_continue)
      : options_(options), handler_(handler), may_continue_(may_continue) {}

  int run();

  void enqueue(Connection* connection) { waiting_.push_back({connection, Clock::now()}); }
  void finished_request() {
    --running_;
    idle_since_ = Clock::now();
  }
  // Frees it when no code of it is running any more.
  void release(Connection* connection);

 private:
  void listen_if_wanted();
  void close_idle_connections();
  void accept();
  void start_requests();
  void watch_over_turns();
  void look_for_reasons_to_stop();
  void stop();
  void rest();

  const Options& options_;
  const Handler& handler_;
  const std::function<bool()>& may_continue_;
  std::optional<loop::Watch> listener_;
  std::unordered_map<Connection*, std::unique_ptr<Connection>> connections_;
  std::vector<std::unique_ptr<Connection>> released_;
  struct Waiting {
    Connection* connection;
    Clock::time_point since;
  };
  std::deque<Waiting> waiting_;
  std::size_t running_ = 0;
  unsigned long requests_ = 0;
  bool stopping_ = false;
  Clock::time_point stop_by_ = Clock::time_point::max();
  Clock::time_point idle_since_ = Clock::now();
  Clock::time_point no_accept_until_{};
  std::optional<Clock::time_point> alarm_set_at_;
  loop::Timer wake_up_{[] {}};       // only to look again in time
  loop::Timer accept_again_{[] {}};  // ditto
  loop::Timer patience_{[] {}};
  loop::Timer rest_{[this] { rest(); }};
};

Connection::Connection(Server& server, int descriptor, std::size_t max_body_bytes)
    : server_(server),
      descriptor_(descriptor),
      reader_(max_body_bytes),
      silence_([this] { close(); }) {
  watch_.emplace(descriptor, EPOLLIN, [this](std::uint32_t events) { on_events(events); });
  // Who connects has something to say.
  silence_.set(Clock::now() + kSilence);
}

void Connection::close() {
  gone_ = true;
  if (fiber_ != nullptr) fiber::abandon(fiber_);
  watch_.reset();
  silence_.cancel();
  if (!in_hand_) server_.release(this);
}

void Connection::on_events(std::uint32_t events) {
  if ((events & EPOLLOUT) != 0) {
    send();
    if (gone_) return;
  }
  if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) read();
}

void Connection::read() {
  static char buffer[65536];
  const ssize_t count = ::recv(descriptor_, buffer, sizeof buffer, 0);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (count <= 0) return close();
  if (lingers_) return;
  reader_.feed({buffer, static_cast<std::size_t>(count)});
  look_at_requests();
}

void Connection::look_at_requests() {
  using State = records::Reader::State;
  output_ += reader_.take_replies();
  if (reader_.state() == State::broken) return close();
  if (reader_.state() == State::complete && !in_hand_) {
    in_hand_ = true;
    silence_.cancel();
    server_.enqueue(this);
  }
  if (!output_.empty()) return send();
  expect_progress();
}

// A peer that is in the middle of something must get on with it.
void Connection::expect_progress() {
  const bool is_reading = reader_.is_incomplete();
  if (!is_reading) arrive_by_.reset();
  if (is_reading && !arrive_by_) arrive_by_ = Clock::now() + kArrival;
  const Clock::time_point limit = Clock::now() + kSilence;
  if (!output_.empty() || is_reading)
    silence_.set(arrive_by_ ? std::min(limit, *arrive_by_) : limit);
  else
    silence_.cancel();
}

void Connection::answer(const Handler& handler, bool is_late) {
  // Who waited in the backlog may have given up meanwhile.
  char byte = 0;
  if (is_first_ && ::recv(descriptor_, &byte, 1, MSG_PEEK) == 0) close();
  is_first_ = false;
  if (gone_) {  // before anything was done for it
    in_hand_ = false;
    server_.finished_request();
    return server_.release(this);
  }
  Request request;
  request.parameters = reader_.parameters();
  request.state = is_late ? Body::late : reader_.body_state();
  request.body = reader_.take_body();
  fiber_ = fiber::current();
  const std::string response = handler(request);
  fiber_ = nullptr;
  in_hand_ = false;
  server_.finished_request();
  if (gone_) return server_.release(this);
  output_ += records::response(reader_.id(), response);
  last_ = last_ || !reader_.keeps_connection();
  if (!last_) reader_.next();
  send();
  if (!gone_ && !last_) look_at_requests();
}

void Connection::send() {
  std::size_t sent = 0;
  while (sent < output_.size()) {
    const ssize_t count =
        ::send(descriptor_, output_.data() + sent, output_.size() - sent, MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) break;
    if (count <= 0) return close();
    sent += static_cast<std::size_t>(count);
  }
  output_.erase(0, sent);
  if (output_.empty()) {
    if (last_) return reader_.has_unread_body() ? linger() : close();
    constexpr std::size_t kKept = 16384;
    if (output_.capacity() > kKept) output_.shrink_to_fit();
  }
  watch_->set(output_.empty() ? EPOLLIN : EPOLLIN | EPOLLOUT);
  expect_progress();
}

// To close while the peer sends would take our answer from it, as TCP and unix sockets both do
// (RFC 9112, section 9.6).
void Connection::linger() {
  lingers_ = true;
  ::shutdown(descriptor_, SHUT_WR);
  watch_->set(EPOLLIN);
  silence_.set(Clock::now() + kLinger);
}

void Server::release(Connection* connection) {
  const auto found = connections_.find(connection);
  if (found == connections_.end()) return;
  released_.push_back(std::move(found->second));
  connections_.erase(found);
}

void Server::listen_if_wanted() {
  const bool has_room = connections_.size() < kMaxConnections;
  // While a thread computes for us, another worker may have a core free for what comes.
  if (stopping_ || !has_room || loop::computing() != 0)
    listener_.reset();
  else if (!listener_ && Clock::now() >= no_accept_until_)
    // Of the workers that share the socket, one is woken (epoll_ctl(2), EPOLLEXCLUSIVE).
    listener_.emplace(STDIN_FILENO, EPOLLIN | EPOLLEXCLUSIVE, [this](std::uint32_t) { accept(); });
}

void Server::accept() {
  const int descriptor = ::accept4(STDIN_FILENO, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (descriptor < 0) {
    // Out of descriptors: what is in hand must end first.
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
      listener_.reset();
      no_accept_until_ = Clock::now() + std::chrono::milliseconds(100);
      accept_again_.set(no_accept_until_);
    }
    return;  // else another worker was faster, or the peer went away
  }
  auto connection = std::make_unique<Connection>(*this, descriptor, options_.max_body_bytes);
  connections_.emplace(connection.get(), std::move(connection));
}

void Server::start_requests() {
  const Clock::time_point now = Clock::now();
  const unsigned long before = requests_;
  while (!waiting_.empty()) {
    const auto [connection, since] = waiting_.front();
    const bool is_late = now - since >= kPatience;
    if (running_ >= kMaxRequests && !is_late) break;
    waiting_.pop_front();
    ++running_;
    ++requests_;
    fiber::start(
        [this, connection = connection, is_late] { connection->answer(handler_, is_late); });
  }
  if (!waiting_.empty()) patience_.set(waiting_.front().since + kPatience);
  if (requests_ != before && !rest_.is_set()) rest_.set(now + kRestAfter);
}

// Not set again until there is something to do: a process at rest is not woken.
void Server::rest() {
  if (running_ == 0 && Clock::now() - idle_since_ >= kRestAfter)
    memory::give_back();
  else
    rest_.set(Clock::now() + kRestAfter);
}

void Server::watch_over_turns() {
  const bool is_busy = running_ != 0 || !waiting_.empty();
  const Clock::time_point now = Clock::now();
  if (is_busy && (!alarm_set_at_ || now - *alarm_set_at_ > std::chrono::seconds(1))) {
    alarm(kTurnSeconds);
    alarm_set_at_ = now;
  } else if (!is_busy && alarm_set_at_) {
    alarm(0);
    alarm_set_at_.reset();
  }
}

void Server::close_idle_connections() {
  std::vector<Connection*> idle;
  for (const auto& [connection, owner] : connections_)
    if (connection->is_idle()) idle.push_back(connection);
  for (Connection* connection : idle) connection->close();
  stop_by_ = Clock::now() + std::chrono::milliseconds(100);
}

void Server::stop() {
  if (stopping_) return;
  stopping_ = true;
  listener_.reset();
  stop_by_ = Clock::now() + kFarewell;
}

void Server::look_for_reasons_to_stop() {
  const bool has_idled = options_.idle_exit.count() > 0 && running_ == 0 && connections_.empty() &&
                         Clock::now() - idle_since_ >= options_.idle_exit;
  const bool has_done_its_share = options_.max_requests != 0 && requests_ >= options_.max_requests;
  if (has_idled || has_done_its_share || !may_continue_()) stop();
}

int Server::run() {
  const int signals = stop_signals();
  loop::Watch signal_watch(signals, EPOLLIN, [this, signals](std::uint32_t) {
    signalfd_siginfo told{};
    if (::read(signals, &told, sizeof told) > 0) stop();
  });
  handle_signal(SIGPIPE, SIG_IGN);
  handle_signal(SIGALRM, on_alarm);
  // Workers share the socket: one that was beaten to a connection must not wait in accept().
  fcntl(STDIN_FILENO, F_SETFL, fcntl(STDIN_FILENO, F_GETFL) | O_NONBLOCK);

  rest_.set(Clock::now() + kRestAfter);
  while (true) {
    look_for_reasons_to_stop();
    if (stopping_ && connections_.empty()) break;
    listen_if_wanted();
    if (stopping_ && Clock::now() >= stop_by_) close_idle_connections();
    if (stopping_)
      wake_up_.set(stop_by_);
    else if (options_.idle_exit.count() > 0 && running_ == 0)
      wake_up_.set(
          std::max(idle_since_ + options_.idle_exit, Clock::now() + std::chrono::seconds(1)));
    released_.clear();
    watch_over_turns();
    loop::step();
    watch_over_turns();
    start_requests();
    metrics::set_load(running_, waiting_.size(), connections_.size());
  }
  return 0;
}

}  // namespace

const char* Request::parameter(std::string_view name) const {
  for (const char* const* entry = parameters; *entry != nullptr; ++entry) {
    if (std::strncmp(*entry, name.data(), name.size()) == 0 && (*entry)[name.size()] == '=')
      return *entry + name.size() + 1;
  }
  return nullptr;
}

int serve(const Options& options, const Handler& handler,
          const std::function<bool()>& may_continue) {
  // FCGX_IsCGI() asks whether descriptor 0 is a listening socket.
  if (FCGX_IsCGI() != 0) return serve_cgi(options.max_body_bytes, handler);
  return Server(options, handler, may_continue).run();
}

}  // namespace fcgi
