#include "lib/db.h"

#include <libpq-fe.h>
#include <poll.h>
#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <deque>
#include <functional>
#include <unordered_map>

#include "lib/crypto.h"
#include "lib/encoding.h"
#include "lib/logging.h"
#include "lib/loop.h"
#include "lib/metrics.h"

extern char** environ;

namespace db {

using Clock = loop::Clock;
using std::chrono::milliseconds;

namespace {

// Reads that wait for their answers on one link: enough for a batch, and a bound on the memory that
// answers take.
constexpr std::size_t kMaxDepth = 16;
// What is asked of a new connection before it is used.
constexpr milliseconds kHandshake{2000};
const std::string kNoRole;
// Reads behind one that takes longer than this are asked again elsewhere.
constexpr milliseconds kStuck{50};
// Writes that go out in one transaction at most, and links that are at such work at most: one that
// collects while another commits. More would make each of them smaller and their sum dearer.
constexpr std::size_t kMaxBatch = 32;
constexpr int kBatchLinks = 2;
// Links beyond the first are closed after this long without work.
constexpr milliseconds kIdle{15000};

std::string_view error_field(const pg_result* result, int code) {
  const char* text = PQresultErrorField(result, code);
  return text == nullptr ? std::string_view() : std::string_view(text);
}

// The server took the work back because of its own state, so nothing of it was done and it may be
// asked again: shutting down (57P0x), out of connections (53300), cancelled by a time limit or an
// operator (57014), read-only standby (25006), lock or serialisation conflict (40xxx, 55P03), any
// other lack of resources (53xxx).
bool is_passing(std::string_view sqlstate) {
  return sqlstate.starts_with("57") || sqlstate.starts_with("53") || sqlstate.starts_with("40") ||
         sqlstate.starts_with("08") || sqlstate == "25006" || sqlstate == "55P03";
}

// After a fail-over or shutdown another server may be the right one.
bool means_another_server(std::string_view sqlstate) {
  return sqlstate.starts_with("57P0") || sqlstate.starts_with("08") || sqlstate == "25006";
}

// A prepared statement that is not there any more (26000: DISCARD ALL, or a pooler that looks like
// a server), or whose tables have changed their shape (0A000). Nothing was done; a new link knows
// it as it is now.
bool tells_of_outdated_statement(std::string_view sqlstate) {
  return sqlstate == "26000" || sqlstate == "42P05" || sqlstate == "0A000";
}

// The victim of a conflict between two transactions: nothing was done, and once more it will work.
bool is_conflict(std::string_view sqlstate) { return sqlstate == "40001" || sqlstate == "40P01"; }

// PG* variables change what libpq does behind the back of DATABASE_URL; only those that name files
// for TLS are wanted.
void forget_ambient_settings() {
  std::vector<std::string> names;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view pair(*entry);
    if (pair.starts_with("PG") && !pair.starts_with("PGSSL"))
      names.emplace_back(pair.substr(0, pair.find('=')));
  }
  for (const std::string& name : names) unsetenv(name.c_str());
}

// A statement's text, and what is known from it. Its name is made from its text: should a pooler
// lead us to a session in which another program prepared something, one name still means one
// statement.
struct Statement {
  explicit Statement(std::string_view text)
      : sql(text), name("t_" + encoding::hex(crypto::sha256(text)).substr(0, 24)) {
    for (const char* word : {"INSERT ", "UPDATE ", "DELETE "})
      writes = writes || sql.find(word) != std::string::npos;
  }
  std::string sql;
  std::string name;
  bool writes = false;
};

// Local to the transaction, which ends with the Sync behind the statement, so that nothing of it
// stays in the session: behind a pooler the next client would have it.
const Statement& scope_statement(bool with_role, bool with_name) {
  static const Statement subject("SELECT set_config('todo.sub', $1, true)");
  static const Statement role(
      "SELECT set_config('todo.sub', $1, true), set_config('role', $2, true)");
  static const Statement name(
      "SELECT set_config('todo.sub', $1, true), set_config('application_name', $2, true)");
  static const Statement both(
      "SELECT set_config('todo.sub', $1, true), set_config('role', $2, true), "
      "set_config('application_name', $3, true)");
  if (with_role) return with_name ? both : role;
  return with_name ? name : subject;
}

// For writes that share a transaction: one that has to wait for somebody else's lock, or takes long
// otherwise, gives up for all of them, and each goes on alone.
const Statement& impatience_statement() {
  static const Statement impatience(
      "SELECT set_config('lock_timeout', '50ms', true), set_config('statement_timeout', '500ms', "
      "true)");
  return impatience;
}

// A statement that somebody waits for. It lives as long as its caller waits.
struct Call {
  // A subject is of one user, whose rows are all that the statement may touch; so what several
  // such statements lock and see is the same, be they in one transaction or in several.
  bool may_share() const { return statement->writes && !subject.empty() && !alone; }
  // What sets the scope of the statement; nullptr if it needs none.
  const Statement* scope(const std::string& role) const {
    if (role.empty() && subject.empty() && name.empty()) return nullptr;
    return &scope_statement(!role.empty(), !name.empty());
  }

  const Statement* statement = nullptr;
  std::string_view subject;
  std::string name;    // for application_name; may be empty
  bool alone = false;  // it has been in a transaction that failed
  std::initializer_list<Param> params;
  fiber::Fiber* caller = nullptr;
  bool repeated = false;
  bool moved = false;
  bool done = false;
  Result result;
  std::optional<Error> error;
};

}  // namespace

// One connection to the server, in pipeline mode.
class Link {
 public:
  using Deliver = std::function<void(Call&, std::optional<Error>)>;
  using Requeue = std::function<void(Call&)>;

  Link(Deliver deliver, Requeue requeue)
      : deliver_(std::move(deliver)),
        requeue_(std::move(requeue)),
        stuck_([this] { look_at_head(); }) {}

  // Blocks; runs in a thread of its own. Returns libpq's words if it failed.
  std::string connect(const std::string& url, const std::string& application,
                      const std::string& role);
  // No pooler stands between, so that the session is ours: its role holds, and what is prepared
  // stays.
  bool is_direct() const { return is_direct_; }
  // Back in the process's thread.
  void begin();

  bool is_ready() const { return watch_.has_value() && !is_retired_; }
  bool is_lost() const { return is_lost_; }
  bool is_retired() const { return is_retired_; }
  bool is_idle() const { return slots_.empty() && staged_.empty(); }
  // At writes that share a transaction.
  bool is_writing_batch() const { return is_batch_; }
  bool takes_another() const { return !staged_.empty() && staged_.size() < kMaxBatch; }
  bool is_reading() const { return !is_stuck_ && !slots_.empty() && !has_write(); }
  bool takes_reads() const {
    return !is_stuck_ && slots_.size() < kMaxDepth && !has_write() && staged_.empty();
  }
  Clock::time_point idle_since() const { return since_; }
  // Takes no more statements; is lost when those in hand are done.
  void retire() { is_retired_ = true; }
  // The statement that the server is at has outlived its deadline.
  bool is_abandoned() const { return is_abandoned_; }

  // Nothing waits on the link, and the server has said nothing: had it closed the link, there would
  // be something to read.
  bool is_alive();
  // A statement that is a transaction of its own.
  void send(Call& call, const std::string& role) { send_slot({&call}, role); }
  // One that goes out with the next flush(), in one transaction with all that are staged until
  // then.
  void stage(Call& call) {
    staged_.push_back(&call);
    is_batch_ = true;
  }
  void flush(const std::string& role);
  // Nobody waits for the call any more.
  void forget(const Call& call);
  void lose(const std::string& why);

 private:
  struct Finish {
    void operator()(pg_conn* connection) const noexcept { PQfinish(connection); }
  };
  using ResultPointer = std::unique_ptr<pg_result, Result::Finish>;
  struct Entry {
    Call* call = nullptr;  // nullptr: nobody waits for it
    int settings = 0;      // results that come before the statement's own
    ResultPointer result;
  };
  // What was sent up to one Sync: one transaction.
  struct Slot {
    bool is_complete() const { return at == entries.size(); }

    std::vector<Entry> entries;
    std::size_t at = 0;  // the entry whose results come next
    std::optional<Error> error;
    bool writes = false;
    const Statement* prepares = nullptr;  // a slot of its own for preparing it
  };

  bool is_awaited() const;
  bool has_write() const { return !slots_.empty() && slots_.back().writes; }
  std::string ask(const char* sql, const std::string& parameter);
  bool prepare_if_used_again(const Statement& statement);
  bool send_statement(const Statement& statement, const std::vector<const char*>& values);
  bool end_slot(Slot slot);
  bool send_entry(Slot& slot, Call& call, const std::string& role);
  void send_slot(const std::vector<Call*>& calls, const std::string& wanted_role);
  void write_out();
  void on_events(std::uint32_t events);
  void harvest();
  void take(Slot& slot, ResultPointer result);
  void finish_head();
  void settle(Slot& slot);
  void look_at_head();
  Error error_of(const pg_result* result, const Slot& slot) const;

  Deliver deliver_;
  Requeue requeue_;
  std::unique_ptr<pg_conn, Finish> connection_;
  std::optional<loop::Watch> watch_;
  std::deque<Slot> slots_;
  std::vector<Call*> staged_;
  std::unordered_map<const Statement*, int> uses_;  // 2 and more: prepared
  loop::Timer stuck_;
  Clock::time_point since_ = Clock::now();  // that the head of slots_ is the head
  bool is_direct_ = false;
  bool has_role_ = false;  // the session works as the role already
  bool is_batch_ = false;
  bool is_stuck_ = false;
  bool is_retired_ = false;
  bool is_abandoned_ = false;
  bool is_lost_ = false;
  bool needs_flush_ = false;
};

// One value of one row, asked for before the pipeline begins; "" if that fails or takes too long.
std::string Link::ask(const char* sql, const std::string& parameter) {
  const char* value = parameter.c_str();
  if (PQsendQueryParams(connection_.get(), sql, 1, nullptr, &value, nullptr, nullptr, 0) == 0)
    return "";
  const Clock::time_point deadline = Clock::now() + kHandshake;
  while (PQisBusy(connection_.get()) != 0) {
    const auto left = std::chrono::duration_cast<milliseconds>(deadline - Clock::now()).count();
    pollfd socket{PQsocket(connection_.get()), POLLIN, 0};
    if (left <= 0 || poll(&socket, 1, static_cast<int>(left)) <= 0 ||
        PQconsumeInput(connection_.get()) == 0)
      return "";
  }
  std::string answer;
  while (const ResultPointer result{PQgetResult(connection_.get())})
    if (PQresultStatus(result.get()) == PGRES_TUPLES_OK) answer = PQgetvalue(result.get(), 0, 0);
  return answer;
}

std::string Link::connect(const std::string& url, const std::string& application,
                          const std::string& role) {
  // What DATABASE_URL says comes later in the list and wins. connect_timeout counts for each host.
  // Looking for Kerberos tickets, libpq's default over TCP, takes some ms of each connection.
  const std::array<const char*, 9> names{
      "application_name", "connect_timeout",      "keepalives_idle",
      "tcp_user_timeout", "target_session_attrs", "gssencmode",
      "dbname",           "client_encoding",      nullptr};
  const std::array<const char*, 9> values{application.c_str(), "2",         "30",   "5000", "any",
                                          "disable",           url.c_str(), "UTF8", nullptr};
  connection_.reset(PQconnectdbParams(names.data(), values.data(), 1));
  if (connection_ && PQstatus(connection_.get()) == CONNECTION_OK) {
    // A pooler tells a process number of its own making.
    const std::string process = std::to_string(PQbackendPID(connection_.get()));
    const std::string answer = ask("SELECT pg_backend_pid() = $1::integer", process);
    if (answer.empty()) return "the database did not answer in time";
    is_direct_ = answer == "t";
    has_role_ =
        is_direct_ && !role.empty() && ask("SELECT set_config('role', $1, false)", role) == role;
    // A statement whose link we have given up is to end, also while it waits for a lock (PostgreSQL
    // 14 and later; where it is refused, it ends when it ends).
    if (is_direct_) ask("SELECT set_config('client_connection_check_interval', $1, false)", "1s");
    // What libpq has to say reaches us as results; by itself it would write to standard error.
    PQsetNoticeProcessor(
        connection_.get(), [](void*, const char*) {}, nullptr);
    // It may have broken meanwhile, or still be at one of the questions.
    return PQtransactionStatus(connection_.get()) == PQTRANS_IDLE
               ? ""
               : "the database did not answer in time";
  }
  // libpq's message names hosts, roles and databases, never the password.
  std::string why = connection_ ? PQerrorMessage(connection_.get()) : "out of memory";
  std::replace(why.begin(), why.end(), '\n', ' ');
  connection_.reset();
  return why.empty() ? "libpq gives no reason" : why;
}

void Link::begin() {
  PQsetnonblocking(connection_.get(), 1);
  if (PQenterPipelineMode(connection_.get()) != 1) throw std::runtime_error("no pipeline mode");
  watch_.emplace(PQsocket(connection_.get()), EPOLLIN,
                 [this](std::uint32_t events) { on_events(events); });
  since_ = Clock::now();
}

bool Link::is_alive() {
  pollfd socket{PQsocket(connection_.get()), POLLIN, 0};
  while (!is_lost_ && (PQstatus(connection_.get()) != CONNECTION_OK || poll(&socket, 1, 0) != 0))
    on_events(EPOLLIN);  // a notice, a reason, the end
  return !is_lost_;
}

// By itself, so that a statement that fails does not take its preparation along.
bool Link::prepare_if_used_again(const Statement& statement) {
  if (++uses_[&statement] != 2) return true;
  if (PQsendPrepare(connection_.get(), statement.name.c_str(), statement.sql.c_str(), 0, nullptr) ==
      0)
    return false;
  Slot slot;
  slot.prepares = &statement;
  return end_slot(std::move(slot));
}

bool Link::send_statement(const Statement& statement, const std::vector<const char*>& values) {
  const int count = static_cast<int>(values.size());
  const auto known = uses_.find(&statement);
  if (known != uses_.end() && known->second >= 2)
    return PQsendQueryPrepared(connection_.get(), statement.name.c_str(), count, values.data(),
                               nullptr, nullptr, 1) != 0;
  return PQsendQueryParams(connection_.get(), statement.sql.c_str(), count, nullptr, values.data(),
                           nullptr, nullptr, 1) != 0;
}

bool Link::end_slot(Slot slot) {
  if (slots_.empty()) since_ = Clock::now();
  slots_.push_back(std::move(slot));
  needs_flush_ = true;
  return PQpipelineSync(connection_.get()) != 0;
}

// libpq wants each text to end with NUL.
class Texts {
 public:
  void add(const Param& param) {
    begins_.push_back(param ? texts_.size() : kNull);
    if (param) texts_.append(*param).append(1, '\0');
  }
  const std::vector<const char*>& values() {
    values_.clear();
    for (const std::size_t begin : begins_)
      values_.push_back(begin == kNull ? nullptr : texts_.data() + begin);
    return values_;
  }
  void clear() {
    texts_.clear();
    begins_.clear();
  }

 private:
  static constexpr std::size_t kNull = ~std::size_t{0};
  std::string texts_;
  std::vector<std::size_t> begins_;
  std::vector<const char*> values_;
};

bool Link::send_entry(Slot& slot, Call& call, const std::string& role) {
  static Texts texts;
  Entry entry;
  entry.call = &call;
  bool sent = true;
  if (const Statement* scope = call.scope(role)) {
    texts.clear();
    texts.add(call.subject);
    if (!role.empty()) texts.add(role);
    if (!call.name.empty()) texts.add(call.name);
    sent = send_statement(*scope, texts.values());
    ++entry.settings;
  }
  texts.clear();
  for (const Param& param : call.params) texts.add(param);
  sent = sent && send_statement(*call.statement, texts.values());
  slot.writes = slot.writes || call.statement->writes;
  slot.entries.push_back(std::move(entry));
  return sent;
}

void Link::send_slot(const std::vector<Call*>& calls, const std::string& wanted_role) {
  const std::string& role = has_role_ ? kNoRole : wanted_role;
  bool sent = true;
  if (is_direct_) {
    for (const Call* call : calls) {
      if (const Statement* scope = call->scope(role)) sent = sent && prepare_if_used_again(*scope);
      sent = sent && prepare_if_used_again(*call->statement);
    }
    if (calls.size() > 1) sent = sent && prepare_if_used_again(impatience_statement());
  }
  Slot slot;
  slot.entries.reserve(calls.size());
  is_batch_ = calls.size() > 1 || calls.front()->may_share();
  if (calls.size() > 1) sent = sent && send_statement(impatience_statement(), {});
  std::vector<Call*> unsent;
  for (Call* call : calls) {
    if (sent)
      sent = send_entry(slot, *call, role);
    else
      unsent.push_back(call);
  }
  if (calls.size() > 1 && sent) ++slot.entries.front().settings;
  sent = end_slot(std::move(slot)) && sent;
  if (slots_.size() > 1 && !stuck_.is_set()) stuck_.set(since_ + kStuck);
  if (!sent) lose("sending failed");
  for (Call* call : unsent)
    deliver_(*call, Error(Error::Kind::unavailable, "", "", "sending failed"));
}

void Link::flush(const std::string& role) {
  if (!staged_.empty()) send_slot(std::exchange(staged_, {}), role);
  write_out();
}

void Link::write_out() {
  if (!needs_flush_ || is_lost_) return;
  const int left = PQflush(connection_.get());
  if (left < 0) return on_events(EPOLLIN);  // reading tells why
  needs_flush_ = left == 1;
  watch_->set(needs_flush_ ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

void Link::forget(const Call& call) {
  std::erase(staged_, &call);
  bool is_awaited = false;  // what the server is at, or is to do before it comes to this call
  for (Slot& slot : slots_) {
    bool was_here = false;
    for (Entry& entry : slot.entries) {
      was_here = was_here || entry.call == &call;
      if (entry.call == &call) entry.call = nullptr;
      is_awaited = is_awaited || entry.call != nullptr;
    }
    if (was_here && !is_awaited) is_abandoned_ = true;
  }
}

bool Link::is_awaited() const {
  for (const Slot& slot : slots_)
    for (const Entry& entry : slot.entries)
      if (entry.call != nullptr) return true;
  return false;
}

void Link::on_events(std::uint32_t) {
  const bool read = PQconsumeInput(connection_.get()) != 0;
  harvest();
  if (!is_lost_ && (!read || PQstatus(connection_.get()) != CONNECTION_OK)) lose("the link broke");
  if (!is_lost_) write_out();
}

// Takes all answers that have arrived.
void Link::harvest() {
  int nothing = 0;
  while (PQisBusy(connection_.get()) == 0 && !slots_.empty() && nothing < 2) {
    ResultPointer result(PQgetResult(connection_.get()));
    if (!result) {
      ++nothing;  // between the results of two statements; twice: there is no more
      continue;
    }
    nothing = 0;
    if (PQresultStatus(result.get()) == PGRES_PIPELINE_SYNC)
      finish_head();
    else
      take(slots_.front(), std::move(result));
  }
}

Error Link::error_of(const pg_result* result, const Slot& slot) const {
  const std::string sqlstate(error_field(result, PG_DIAG_SQLSTATE));
  const std::string constraint(error_field(result, PG_DIAG_CONSTRAINT_NAME));
  if (sqlstate.empty())
    return {slot.writes ? Error::Kind::in_doubt : Error::Kind::unavailable, "", "",
            "the link broke in mid-statement"};
  // The second: its preparation was given up (see prepare_if_used_again()), or the link to which it
  // was moved was outdated, too.
  if (is_passing(sqlstate) || tells_of_outdated_statement(sqlstate))
    return {slot.is_complete() && slot.writes ? Error::Kind::in_doubt : Error::Kind::unavailable,
            sqlstate, "", "the database gave up: " + sqlstate};
  const bool is_scope = !slot.is_complete() && slot.entries[slot.at].settings > 0;
  return {Error::Kind::refused, sqlstate, constraint,
          is_scope ? "the database refused the program's role (" + sqlstate +
                         "): run sql/migrate, or set DATABASE_ROLES=off"
                   : "the database refused the statement: " + sqlstate + " " + constraint};
}

void Link::take(Slot& slot, ResultPointer result) {
  switch (PQresultStatus(result.get())) {
    case PGRES_TUPLES_OK:
    case PGRES_COMMAND_OK:
      if (slot.is_complete()) break;  // a statement was prepared
      if (Entry& entry = slot.entries[slot.at]; entry.settings > 0) {
        --entry.settings;
      } else {
        entry.result = std::move(result);
        ++slot.at;
      }
      break;
    case PGRES_PIPELINE_ABORTED:
      break;  // after the error that was taken before
    default:
      if (!slot.error) slot.error = error_of(result.get(), slot);
  }
}

void Link::finish_head() {
  Slot slot = std::move(slots_.front());
  slots_.pop_front();
  since_ = Clock::now();
  if (slots_.empty()) {
    if (is_stuck_) stuck_.cancel();
    is_stuck_ = is_batch_ = false;
  }
  if (slot.error && (means_another_server(slot.error->sqlstate) ||
                     tells_of_outdated_statement(slot.error->sqlstate)))
    retire();
  if (slot.error && slot.prepares != nullptr) uses_.erase(slot.prepares);
  settle(slot);
}

// The transaction has ended: everybody hears what became of it.
void Link::settle(Slot& slot) {
  // Last first, because they queue up at the front.
  for (auto entry = slot.entries.rbegin(); entry != slot.entries.rend(); ++entry) {
    if (entry->call == nullptr) continue;
    Call& call = *entry->call;
    // One failed, so nothing was done for any of them, and only the server knows whose fault it
    // was: each once more, alone.
    const bool was_undone = slot.error && slot.error->kind != Error::Kind::in_doubt;
    if (was_undone && slot.entries.size() > 1) {
      call.alone = true;
      requeue_(call);
      continue;
    }
    if (was_undone && !call.repeated &&
        (tells_of_outdated_statement(slot.error->sqlstate) || is_conflict(slot.error->sqlstate))) {
      call.repeated = true;
      requeue_(call);
      continue;
    }
    std::optional<Error> error = slot.error;
    if (!error && !entry->result)
      error = Error(Error::Kind::in_doubt, "", "", "a statement without a result");
    if (!error) call.result.result_ = std::move(entry->result);
    deliver_(call, std::move(error));
  }
}

// Reads do no harm when they are done twice, so one that takes long need not keep those behind it
// waiting: they are asked again on another link, and their answers here are thrown away.
void Link::look_at_head() {
  if (slots_.empty()) return;
  const Clock::time_point limit = since_ + (is_stuck_ ? Connection::kDeadline : kStuck);
  if (Clock::now() < limit) return stuck_.set(limit);
  if (is_stuck_) {
    is_abandoned_ = is_abandoned_ || !is_awaited();
    return;
  }
  if (slots_.size() < 2) return;
  is_stuck_ = true;
  stuck_.set(since_ + Connection::kDeadline);
  for (auto slot = std::next(slots_.begin()); slot != slots_.end(); ++slot) {
    if (slot->writes) continue;
    for (Entry& entry : slot->entries) {
      if (entry.call == nullptr || entry.call->moved) continue;
      entry.call->moved = true;
      requeue_(*std::exchange(entry.call, nullptr));
    }
  }
}

void Link::lose(const std::string& why) {
  if (is_lost_) return;
  is_lost_ = true;
  is_retired_ = true;
  watch_.reset();
  stuck_.cancel();
  for (Call* call : std::exchange(staged_, {})) requeue_(*call);
  std::deque<Slot> slots;
  slots.swap(slots_);
  for (Slot& slot : slots) {
    // With the commit open, even the server's own reason does not tell what became of it.
    const bool is_open = !slot.error || (slot.is_complete() && slot.writes);
    if (is_open)
      slot.error = Error(slot.writes ? Error::Kind::in_doubt : Error::Kind::unavailable, "", "",
                         why + (slot.writes ? " in mid-statement" : ""));
    settle(slot);
  }
}

// The links, and the statements that wait for one.
class Connection::Pool {
 public:
  Pool(std::string url, const std::string& program, const Options& options)
      : url_(std::move(url)),
        application_("todo " + program),
        role_(options.roles ? "todo_" + program : ""),
        max_links_(options.max_links),
        labels_(options.labels),
        reaper_([this] { close_idle_links(); }) {
    forget_ambient_settings();
    loop::before_wait(this, [this] { dispatch(); });
  }
  ~Pool() {
    while (connecting_) loop::step();
    loop::before_wait(this, nullptr);
  }
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  Result run(std::string_view subject, std::string_view sql, std::initializer_list<Param> params);

 private:
  const Statement& statement_for(std::string_view sql);
  void dispatch();
  void dispatch_once();
  Link* link_for(const Call& call);
  bool will_be_taken_soon(const Call& call) const;
  void open_link();
  std::string connect();
  void do_without(const std::string& why);
  void close_idle_links();
  void fail_waiting(const std::string& why);
  void deliver(Call& call, std::optional<Error> error);
  void requeue(Call& call);
  void forget(Call& call);

  std::string url_;
  std::string application_;
  std::string role_;
  std::size_t max_links_;
  bool labels_;
  std::unordered_map<std::string_view, std::unique_ptr<Statement>> statements_;  // by their text
  std::vector<std::unique_ptr<Link>> links_;
  std::deque<Call*> waiting_;
  std::deque<Call*> at_hand_;  // those that dispatch_once() is at
  bool was_requeued_ = false;
  loop::Timer reaper_;
  bool connecting_ = false;
  Clock::time_point no_more_until_{};
};

const Statement& Connection::Pool::statement_for(std::string_view sql) {
  const auto known = statements_.find(sql);
  if (known != statements_.end()) return *known->second;
  auto made = std::make_unique<Statement>(sql);
  const std::string_view key = made->sql;
  return *statements_.emplace(key, std::move(made)).first->second;
}

Result Connection::Pool::run(std::string_view subject, std::string_view sql,
                             std::initializer_list<Param> params) {
  for (const Param& param : params)
    if (param && param->find('\0') != std::string_view::npos)
      throw Error(Error::Kind::refused, "22021", "", "a parameter holds a NUL byte");
  Call call;
  call.statement = &statement_for(sql);
  call.subject = subject;
  if (labels_ && !fiber::label().empty())
    call.name.append(application_).append(" ").append(fiber::label());
  call.params = params;
  call.caller = fiber::current();
  // Whatever throws: nobody must write to the call when it is gone.
  struct Leaving {
    Pool& pool;
    Call& call;
    ~Leaving() {
      if (!call.done) pool.forget(call);
    }
  } const leaving{*this, call};
  loop::Timer deadline([&] {
    if (call.done) return;
    const bool was_waiting = std::find(waiting_.begin(), waiting_.end(), &call) != waiting_.end();
    forget(call);
    const bool may_be_done = !was_waiting && call.statement->writes;
    deliver(call, Error(may_be_done ? Error::Kind::in_doubt : Error::Kind::unavailable, "", "",
                        "the database did not answer in time"));
  });
  deadline.set(Clock::now() + kDeadline);
  // cppcheck-suppress danglingLifetime ; whoever marks the call as done has taken it from all lists
  waiting_.push_back(&call);
  loop::wait_until([&] { return call.done; });
  if (call.error) throw Error(std::move(*call.error));
  return std::move(call.result);
}

void Connection::Pool::deliver(Call& call, std::optional<Error> error) {
  call.error = std::move(error);
  call.done = true;
  loop::wake(call.caller);
}

void Connection::Pool::requeue(Call& call) {
  waiting_.push_front(&call);
  was_requeued_ = true;
}

void Connection::Pool::forget(Call& call) {
  for (const auto& link : links_) link->forget(call);
  std::erase(waiting_, &call);
  std::erase(at_hand_, &call);
}

// Before each wait for events, so that all that came up meanwhile goes out together.
void Connection::Pool::dispatch() {
  do dispatch_once();
  while (was_requeued_);
}

void Connection::Pool::dispatch_once() {
  // A link whose statement outlived its deadline answers nobody: the server stops working for it
  // when it is closed.
  for (auto& link : links_)
    if (link->is_abandoned()) link->lose("the database did not answer in time");
  std::erase_if(links_, [](const auto& link) {
    return link->is_lost() || (link->is_retired() && link->is_idle());
  });
  bool lacks_link = false;
  was_requeued_ = false;
  // A link that breaks here puts its statements into waiting_.
  at_hand_.swap(waiting_);
  while (!at_hand_.empty()) {
    Call* call = at_hand_.front();
    at_hand_.pop_front();
    Link* link = link_for(*call);
    if (link == nullptr) {
      lacks_link = lacks_link || !will_be_taken_soon(*call);
      waiting_.push_back(call);
    } else if (call->may_share()) {
      link->stage(*call);
    } else {
      link->send(*call, role_);
    }
  }
  const bool may_open = links_.size() < max_links_ && Clock::now() >= no_more_until_;
  if (lacks_link && (links_.empty() || may_open)) open_link();
  for (auto& link : links_) link->flush(role_);
}

Link* Connection::Pool::link_for(const Call& call) {
  int batches = 0;
  for (const auto& link : links_) {
    if (!link->is_ready()) continue;
    if (call.may_share()) {
      if (link->takes_another()) return link.get();
      batches += link->is_writing_batch() ? 1 : 0;
    }
  }
  if (batches >= kBatchLinks) return nullptr;
  for (const auto& link : links_) {
    if (!link->is_ready()) continue;
    if (link->is_idle() && !link->is_alive()) continue;
    const bool by_itself = call.statement->writes || !link->is_direct();
    if (by_itself ? link->is_idle() : link->takes_reads()) return link.get();
  }
  return nullptr;
}

// A statement waits for its place with others rather than for a further link: the more go out or
// come back at once, the less each costs.
bool Connection::Pool::will_be_taken_soon(const Call& call) const {
  const auto links_that = [this](auto is) {
    return std::count_if(links_.begin(), links_.end(), is);
  };
  if (call.may_share())
    return links_that([](const auto& link) { return link->is_writing_batch(); }) >= kBatchLinks;
  return !call.statement->writes && links_that([](const auto& link) {
                                      return link->is_ready() && link->is_direct() &&
                                             link->is_reading();
                                    }) > 0;
}

void Connection::Pool::open_link() {
  if (connecting_) return;
  try {
    fiber::start([this] {
      connecting_ = true;
      std::string why;
      try {
        why = connect();
      } catch (const std::exception& failure) {
        why = failure.what();
      }
      connecting_ = false;
      if (!why.empty()) do_without(why);
    });
  } catch (const std::bad_alloc&) {  // there is no stack for it
    do_without("out of memory");
  }
}

// Returns why there is no new link.
std::string Connection::Pool::connect() {
  auto link = std::make_unique<Link>(
      [this](Call& call, std::optional<Error> error) { deliver(call, std::move(error)); },
      [this](Call& call) { requeue(call); });
  std::string why;
  loop::offload(loop::Offload::waiting, [&] { why = link->connect(url_, application_, role_); });
  if (!why.empty()) return why;
  link->begin();
  links_.push_back(std::move(link));
  if (links_.size() > 1 && !reaper_.is_set()) reaper_.set(Clock::now() + kIdle);
  return "";
}

void Connection::Pool::do_without(const std::string& why) {
  if (links_.empty()) return fail_waiting(why);
  // We can do without one more, and do not ask for it with each statement.
  no_more_until_ = Clock::now() + kIdle;
  logging::Line(logging::Level::warn).field("err", "no further connection: " + why);
}

void Connection::Pool::fail_waiting(const std::string& why) {
  std::deque<Call*> waiting;
  waiting.swap(waiting_);
  for (Call* call : waiting)
    deliver(*call, Error(Error::Kind::unavailable, "", "", "cannot connect: " + why));
}

void Connection::Pool::close_idle_links() {
  const Clock::time_point now = Clock::now();
  std::size_t kept = 0;
  for (const auto& link : links_) {
    const bool idles = link->is_idle() && now - link->idle_since() >= kIdle;
    if (kept++ > 0 && idles) link->retire();
  }
  if (links_.size() > 1) reaper_.set(now + kIdle);
}

Connection::Connection(std::string url, const std::string& program, const Options& options)
    : pool_(std::make_unique<Pool>(std::move(url), program, options)) {}

Connection::~Connection() = default;

static metrics::StatementFailure counted_as(Error::Kind kind) {
  switch (kind) {
    case Error::Kind::unavailable:
      return metrics::StatementFailure::unavailable;
    case Error::Kind::in_doubt:
      return metrics::StatementFailure::in_doubt;
    case Error::Kind::refused:
      break;
  }
  return metrics::StatementFailure::refused;
}

Result Connection::run_as(std::string_view subject, std::string_view sql,
                          std::initializer_list<Param> params) {
  const Clock::time_point begin = Clock::now();
  try {
    Result result = pool_->run(subject, sql, params);
    metrics::count_statement(Clock::now() - begin);
    return result;
  } catch (const Error& error) {
    metrics::count_statement(Clock::now() - begin);
    metrics::count_statement_failure(counted_as(error.kind));
    throw;
  }
}

}  // namespace db
