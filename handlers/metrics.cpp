// GET /api/metrics: what the processes of all programs have counted, in Prometheus' text format
// 0.0.4. For this machine only. Must not know: how counts are kept, how a request arrives.
#include <algorithm>
#include <array>
#include <cstdio>

#include "lib/http.h"
#include "lib/metrics.h"
#include "lib/route.h"

namespace {

using Numbers = metrics::Counts;

// One program's numbers, as sums over its processes; of how things are, those of the living.
struct Total {
  std::string program;
  Numbers counts{};
  std::uint64_t alive = 0;
};

template <typename Number>
void add(Number& sum, const Number& more) {
  if constexpr (std::is_integral_v<Number>) {
    sum += more;
  } else {
    for (std::size_t i = 0; i < sum.size(); ++i) add(sum[i], more[i]);
  }
}

void add(metrics::Durations& sum, const metrics::Durations& more) {
  add(sum.count, more.count);
  add(sum.microseconds, more.microseconds);
}

Total total_of(const metrics::Program& program) {
  Total total{program.name, {}, 0};
  for (const metrics::Process& process : program.processes) {
    const Numbers& counts = process.counts;
    add(total.counts.starts, counts.starts);
    add(total.counts.requests, counts.requests);
    add(total.counts.request_durations, counts.request_durations);
    add(total.counts.statement_durations, counts.statement_durations);
    add(total.counts.statement_failures, counts.statement_failures);
    add(total.counts.auth_failures, counts.auth_failures);
    add(total.counts.tokens, counts.tokens);
    if (!process.is_alive) continue;
    ++total.alive;
    add(total.counts.in_hand, counts.in_hand);
    add(total.counts.waiting, counts.waiting);
    add(total.counts.connections, counts.connections);
  }
  return total;
}

class Page {
 public:
  void family(const char* name, const char* type, const char* help) {
    name_ = name;
    text_ += std::string("# HELP ") + name + " " + help + "\n# TYPE " + name + " " + type + "\n";
  }
  // Labels have no character that would need an escape: names of programs, methods, numbers.
  void sample(const std::string& labels, const std::string& value, const char* suffix = "") {
    text_ += std::string(name_) + suffix + "{" + labels + "} " + value + "\n";
  }
  void sample(const std::string& labels, std::uint64_t value, const char* suffix = "") {
    sample(labels, std::to_string(value), suffix);
  }
  void histogram(const std::string& labels, const metrics::Durations& durations) {
    std::uint64_t count = 0;
    for (std::size_t i = 0; i < durations.count.size(); ++i) {
      count += durations.count[i];
      const bool is_last = i == metrics::kBuckets.size();
      sample(labels + ",le=\"" + (is_last ? "+Inf" : decimal(metrics::kBuckets[i], "%g")) + "\"",
             count, "_bucket");
    }
    sample(labels, decimal(static_cast<double>(durations.microseconds) / 1e6, "%.6f"), "_sum");
    sample(labels, count, "_count");
  }
  std::string take() { return std::move(text_); }

 private:
  static std::string decimal(double value, const char* format) {
    std::array<char, 48> text{};
    static_cast<void>(std::snprintf(text.data(), text.size(), format, value));
    return text.data();
  }
  const char* name_ = "";
  std::string text_;
};

std::string route(const Total& total) { return "route=\"" + total.program + "\""; }

template <typename Names, typename Counts>
void each(Page& page, const Total& total, const char* label, const Names& names,
          const Counts& counts) {
  for (std::size_t i = 0; i < names.size(); ++i)
    page.sample(route(total) + "," + label + "=\"" + names[i] + "\"", counts[i]);
}

void requests(Page& page, const Total& total) {
  for (std::size_t method = 0; method < metrics::kMethods.size(); ++method)
    for (std::size_t status = 0; status < metrics::kStatuses.size(); ++status) {
      const std::uint64_t count = total.counts.requests[method][status];
      const int code = metrics::kStatuses[status];
      if (count != 0)
        page.sample(route(total) + ",method=\"" + metrics::kMethods[method] + "\",code=\"" +
                        (code == 0 ? "other" : std::to_string(code)) + "\"",
                    count);
    }
}

std::string text_of(const std::vector<metrics::Program>& programs) {
  std::vector<Total> totals;
  std::transform(programs.begin(), programs.end(), std::back_inserter(totals), total_of);
  Page page;
  page.family("todo_build_info", "gauge", "The version of the program metrics.");
  page.sample("version=\"" TODO_VERSION "\"", 1);
  page.family("todo_workers", "gauge", "Processes that run.");
  for (const Total& total : totals) page.sample(route(total), total.alive);
  page.family("todo_worker_starts_total", "counter", "Processes that have been started.");
  for (const Total& total : totals) page.sample(route(total), total.counts.starts);
  page.family("todo_worker_start_timestamp_seconds", "gauge", "When each running process began.");
  for (const metrics::Program& program : programs)
    for (std::size_t i = 0; i < program.processes.size(); ++i)
      if (program.processes[i].is_alive)
        page.sample("route=\"" + program.name + "\",worker=\"" + std::to_string(i) + "\"",
                    program.processes[i].counts.started_at);
  page.family("todo_http_requests_total", "counter", "Requests that were answered.");
  for (const Total& total : totals) requests(page, total);
  page.family("todo_http_request_duration_seconds", "histogram",
              "From the moment a request is taken in hand to its answer.");
  for (const Total& total : totals) page.histogram(route(total), total.counts.request_durations);
  page.family("todo_http_requests_in_progress", "gauge", "Requests in hand.");
  for (const Total& total : totals) page.sample(route(total), total.counts.in_hand);
  page.family("todo_http_requests_waiting", "gauge", "Requests that were read and wait.");
  for (const Total& total : totals) page.sample(route(total), total.counts.waiting);
  page.family("todo_connections", "gauge", "Connections of web servers.");
  for (const Total& total : totals) page.sample(route(total), total.counts.connections);
  page.family("todo_db_query_duration_seconds", "histogram",
              "Statements, with the wait for a connection; failed ones too.");
  for (const Total& total : totals) page.histogram(route(total), total.counts.statement_durations);
  page.family("todo_db_errors_total", "counter", "Statements that failed, by what is known.");
  for (const Total& total : totals)
    each(page, total, "kind", metrics::kStatementFailures, total.counts.statement_failures);
  page.family("todo_auth_failures_total", "counter", "Requests that were refused, by the reason.");
  for (const Total& total : totals)
    each(page, total, "reason", metrics::kAuthFailures, total.counts.auth_failures);
  page.family("todo_tokens_issued_total", "counter", "Access tokens.");
  for (const Total& total : totals)
    each(page, total, "alg", metrics::kTokenKinds, total.counts.tokens);
  return page.take();
}

http::Response handle(const http::Request& request, db::Connection&) {
  // Web servers say so too (nginx/, env/); this holds where one does not.
  if (!request.is_local()) throw http::Error::not_found();
  const std::string& folder = request.settings().metrics_folder;
  if (folder.empty()) throw http::Error::not_found();
  return {
      200,
      {{"Content-Type", "text/plain; version=0.0.4; charset=utf-8"}, {"Cache-Control", "no-store"}},
      text_of(metrics::read(folder))};
}

constexpr route::Route kRoutes[] = {{http::GET | http::HEAD, "/api/metrics", handle}};

}  // namespace

int main(int argc, char** argv) { return route::serve("metrics", kRoutes, argc, argv); }
