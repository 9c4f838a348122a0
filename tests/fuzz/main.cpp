// What calls a fuzz target: libFuzzer, or, built without it, a loop that feeds the seeds and simple
// changes of them, which needs no compiler but the project's own.
//   PROGRAM SEEDS RUNS [NUMBER]   RUNS calls; NUMBER repeats the run that printed it
//   PROGRAM FILE                  one call
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>

#include "tests/fuzz/fuzz.h"

namespace fuzzing {

const int messages = dup(STDERR_FILENO);

namespace {

std::string_view current;

}  // namespace

void failed(const char* condition, const char* file, int line) {
  dprintf(messages, "%s:%d: does not hold: %s\ninput (%zu bytes): ", file, line, condition,
          current.size());
  for (const char c : current)
    if (c >= ' ' && c < 0x7f && c != '\\')
      dprintf(messages, "%c", c);
    else
      dprintf(messages, "\\x%02x", static_cast<unsigned char>(c));
  dprintf(messages, "\n");
  std::abort();
}

std::string_view take_line(std::string_view& input) {
  const std::size_t end = std::min(input.find('\n'), input.size());
  const std::string_view line = input.substr(0, end);
  input.remove_prefix(std::min(end + 1, input.size()));
  return line;
}

std::vector<std::string> lines(std::string_view input) {
  std::vector<std::string> all;
  while (!input.empty()) all.emplace_back(take_line(input));
  return all;
}

std::size_t hash(std::string_view input) { return std::hash<std::string_view>()(input); }

bool is_one_line(std::string_view text) {
  return std::none_of(text.begin(), text.end(),
                      [](char c) { return static_cast<unsigned char>(c) < ' ' || c == 0x7f; });
}

Request::Request(std::vector<std::string> variables, std::string_view body)
    : variables_(std::move(variables)) {
  settings_.secret = crypto::Secret(std::string(kSecret));
  settings_.auth_path = "/api/auth";
  settings_.base_url = "http://auth.example.test";
  settings_.trusted_origins = {"http://auth.example.test", "https://*.wild.example.com"};
  settings_.max_body_bytes = 131072;
  // The environment cannot hold a NUL.
  for (std::string& variable : variables_)
    variable.resize(std::min(variable.find('\0'), variable.size()));
  for (const std::string& variable : variables_) pointers_.push_back(variable.c_str());
  pointers_.push_back(nullptr);
  raw_.parameters = pointers_.data();
  raw_.body = body;
}

}  // namespace fuzzing

namespace {

void call(std::string_view input) {
  fuzzing::current = input;
  fuzz(input);
}

#ifndef LIBFUZZER

std::string content(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

class Mutator {
 public:
  Mutator(std::vector<std::string> seeds, unsigned number)
      : seeds_(std::move(seeds)), random_(number) {}

  std::string next() {
    std::string text = seeds_[below(seeds_.size())];
    for (std::size_t changes = below(4) + 1; changes > 0; --changes) change(text);
    return text;
  }

 private:
  std::size_t below(std::size_t end) { return random_() % end; }

  void change(std::string& text) {
    const std::size_t at = below(text.size() + 1);
    const std::size_t count = std::min(below(8) + 1, text.size() - at);
    switch (below(7)) {
      case 0:
        text.insert(at, 1, static_cast<char>(below(256)));
        break;
      case 1:
        if (at < text.size()) text[at] = static_cast<char>(text[at] ^ (1 << below(8)));
        break;
      case 2:
        text.erase(at, count);
        break;
      case 3:
        text.insert(at, text.substr(at, count));
        break;
      case 4: {
        const std::string& other = seeds_[below(seeds_.size())];
        text.replace(at, std::string::npos, other, below(other.size() + 1), std::string::npos);
        break;
      }
      case 5:
        text.insert(at, kTroublesome[below(kTroublesome.size())]);
        break;
      default:
        text.resize(at);
    }
  }

  static constexpr std::array<std::string_view, 16> kTroublesome{
      "%00",     "%2f",      "%ff",          "\r\n",         "..",    "//", "\\u0000",
      "\\ud800", "\xC0\x80", "\xED\xA0\x80", "\xEF\xBB\xBF", "1e999", "-0", "99999999999999999999",
      "=",       "\""};

  std::vector<std::string> seeds_;
  std::mt19937 random_;
};

#endif

}  // namespace

#ifdef LIBFUZZER

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  call({reinterpret_cast<const char*>(data), size});
  return 0;
}

#else

int main(int argc, char** argv) {
  if (argc == 2) {
    call(content(argv[1]));
    return EXIT_SUCCESS;
  }
  if (argc < 3) {
    std::fprintf(stderr, "usage: %s SEEDS RUNS [NUMBER] | FILE\n", argv[0]);
    return 2;
  }
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(argv[1]))
    files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  std::vector<std::string> seeds;
  for (const auto& file : files) seeds.push_back(content(file));
  if (seeds.empty()) return 2;

  const auto runs = std::strtoul(argv[2], nullptr, 10);
  const auto number =
      argc > 3 ? static_cast<unsigned>(std::strtoul(argv[3], nullptr, 10)) : std::random_device()();
  std::printf("%s %s %lu %u\n", argv[0], argv[1], runs, number);
  std::fflush(stdout);
  for (const std::string& seed : seeds) call(seed);
  Mutator mutator(seeds, number);
  for (std::size_t run = seeds.size(); run < runs; ++run) call(mutator.next());
  return EXIT_SUCCESS;
}

#endif
