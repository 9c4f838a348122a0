// What the fuzz targets share. A target is a file that defines fuzz(); libFuzzer calls it ("make
// fuzz"), or main.cpp with seeds and simple changes of them (the short run of "make test").
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lib/env.h"
#include "lib/fcgi.h"
#include "lib/http.h"

// Calls what is tested with `input` and checks with REQUIRE what must hold.
void fuzz(std::string_view input);

namespace fuzzing {

// Standard error as the process began with it: targets may turn descriptor 2 to somewhere else.
extern const int messages;

[[noreturn]] void failed(const char* condition, const char* file, int line);

// Takes the first line off `input`, or all of it if there is only one.
std::string_view take_line(std::string_view& input);

std::vector<std::string> lines(std::string_view input);

// Something that depends on every byte, for choices that the input does not make itself.
std::size_t hash(std::string_view input);

// Is it free of what would end a header or a line of the log?
bool is_one_line(std::string_view text);

inline constexpr std::string_view kSecret = "a-secret-that-no-input-can-have-guessed";

// A request made of CGI variables, as unit tests make it.
class Request {
 public:
  Request(std::vector<std::string> variables, std::string_view body);
  http::Request get() const { return {raw_, settings_}; }

 private:
  std::vector<std::string> variables_;
  std::vector<const char*> pointers_;
  env::Settings settings_;
  fcgi::Request raw_;
};

}  // namespace fuzzing

#define REQUIRE(condition)                                             \
  do {                                                                 \
    if (!(condition)) fuzzing::failed(#condition, __FILE__, __LINE__); \
  } while (false)
