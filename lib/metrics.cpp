#include "lib/metrics.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <ctime>
#include <memory>
#include <string_view>
#include <type_traits>

namespace metrics {
namespace {

// Another form of Counts gets another name, so that old and new processes can run side by side.
constexpr std::string_view kSuffix = ".counts1";
constexpr off_t kPartBytes = 4096;
constexpr off_t kMostParts = 256;
static_assert(sizeof(Counts) <= kPartBytes && std::is_trivially_copyable_v<Counts>);

Counts nobody{};  // what is counted where there is no file
Counts* mine = &nobody;

// Held for as long as the process lives: locks of an open file go with it, also when it is killed.
bool lock(int file, off_t part) {
  struct flock range {};
  range.l_type = F_WRLCK;
  range.l_start = part;
  range.l_len = 1;
  return fcntl(file, F_OFD_SETLK, &range) == 0;
}

bool is_locked(int file, off_t part) {
  struct flock range {};
  range.l_type = F_WRLCK;
  range.l_start = part;
  range.l_len = 1;
  return fcntl(file, F_OFD_GETLK, &range) == 0 && range.l_type != F_UNLCK;
}

// Adds without a lock prefix: nobody else writes here, and who reads sees whole numbers.
void add(std::uint64_t& number, std::uint64_t more) {
  std::atomic_ref<std::uint64_t> shared(number);
  shared.store(shared.load(std::memory_order_relaxed) + more, std::memory_order_relaxed);
}

void set(std::uint64_t& number, std::uint64_t value) {
  std::atomic_ref<std::uint64_t>(number).store(value, std::memory_order_relaxed);
}

void add(Durations& durations, Seconds duration) {
  const auto bucket = std::lower_bound(kBuckets.begin(), kBuckets.end(), duration.count());
  add(durations.count[static_cast<std::size_t>(bucket - kBuckets.begin())], 1);
  add(durations.microseconds, static_cast<std::uint64_t>(std::max(0.0, duration.count() * 1e6)));
}

// The place of `value` in `known`, or the last place.
template <typename List, typename Value>
std::size_t place(const List& known, const Value& value) {
  const auto found = std::find(known.begin(), known.end() - 1, value);
  return static_cast<std::size_t>(found - known.begin());
}

}  // namespace

void open(const std::string& folder, const std::string& program) {
  if (folder.empty() || mine != &nobody) return;
  const std::string path = folder + "/" + program + std::string(kSuffix);
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
  if (file < 0) return;
  off_t part = 0;
  while (part < kMostParts && !lock(file, part)) ++part;
  // Room that is not there would be noticed by a signal when it is written to.
  void* memory = MAP_FAILED;
  if (part < kMostParts && posix_fallocate(file, part * kPartBytes, kPartBytes) == 0)
    memory = mmap(nullptr, kPartBytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, part * kPartBytes);
  if (memory == MAP_FAILED) {
    ::close(file);
    return;
  }
  mine = static_cast<Counts*>(memory);
  set_load(0, 0, 0);
  add(mine->starts, 1);
  set(mine->started_at, static_cast<std::uint64_t>(std::time(nullptr)));
}

void count_request(std::string_view method, int status, Seconds duration) {
  add(mine->requests[place(kMethods, method)][place(kStatuses, status)], 1);
  add(mine->request_durations, duration);
}

void count_statement(Seconds duration) { add(mine->statement_durations, duration); }

void count_statement_failure(StatementFailure kind) {
  add(mine->statement_failures[static_cast<std::size_t>(kind)], 1);
}

void count_auth_failure(AuthFailure reason) {
  add(mine->auth_failures[static_cast<std::size_t>(reason)], 1);
}

void count_token(bool is_shared_secret) { add(mine->tokens[is_shared_secret ? 1 : 0], 1); }

void set_load(std::size_t in_hand, std::size_t waiting, std::size_t connections) {
  set(mine->in_hand, in_hand);
  set(mine->waiting, waiting);
  set(mine->connections, connections);
}

std::vector<Program> read(const std::string& folder) {
  std::vector<Program> programs;
  const std::unique_ptr<DIR, int (*)(DIR*)> entries(opendir(folder.c_str()), closedir);
  for (const dirent* entry = nullptr; entries && (entry = readdir(entries.get())) != nullptr;) {
    const std::string_view name(entry->d_name);
    if (!name.ends_with(kSuffix)) continue;
    const int file = openat(dirfd(entries.get()), entry->d_name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (file < 0) continue;
    Program program{std::string(name.substr(0, name.size() - kSuffix.size())), {}};
    Counts counts{};
    for (off_t part = 0; pread(file, &counts, sizeof counts, part * kPartBytes) ==
                         static_cast<ssize_t>(sizeof counts);
         ++part)
      if (counts.starts != 0) program.processes.push_back({counts, is_locked(file, part)});
    ::close(file);
    programs.push_back(std::move(program));
  }
  std::sort(programs.begin(), programs.end(),
            [](const Program& a, const Program& b) { return a.name < b.name; });
  return programs;
}

}  // namespace metrics
