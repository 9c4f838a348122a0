// lib/form: every body of an auth route ends in values or in one of the contract's errors.
// Input: lines with a digit (which shape), content type, origin, cookie and target, then the body.
#include "lib/form.h"

#include "lib/email.h"
#include "lib/utf8.h"
#include "tests/fuzz/fuzz.h"

namespace {

// libFuzzer learns the secret from the comparison with it, and what it sends may be quoted.
bool knows_secret = false;

void check(const http::Error& error) {
  REQUIRE(error.status == 400 || error.status == 403 || error.status == 413 || error.status == 415);
  REQUIRE(utf8::is_valid(error.message) && utf8::is_valid(error.code));
  REQUIRE(knows_secret || error.message.find(fuzzing::kSecret) == std::string::npos);
}

template <typename Action>
void run(Action action) {
  try {
    action();
  } catch (const http::Error& error) {
    check(error);
  }
}

}  // namespace

void fuzz(std::string_view input) {
  knows_secret = input.find(fuzzing::kSecret) != std::string_view::npos;
  const std::string_view shape = fuzzing::take_line(input);
  std::vector<std::string> variables{"REQUEST_METHOD=POST"};
  for (const char* name : {"CONTENT_TYPE=", "HTTP_ORIGIN=", "HTTP_COOKIE=", "REQUEST_URI="})
    variables.push_back(name + std::string(fuzzing::take_line(input)));
  const fuzzing::Request fake(std::move(variables), input);
  const http::Request request = fake.get();
  const unsigned bits = shape.empty() ? 0 : static_cast<unsigned char>(shape.front());
  run([&] {
    form::Body body(request, {.url_encoded = (bits & 1) != 0, .optional = (bits & 2) != 0});
    const std::string name = body.text("name");
    const std::string address = body.email("email");
    const std::string password = body.filled_text("password");
    const auto image = body.optional_text("image");
    body.optional_flag("rememberMe");
    body.check();
    REQUIRE(utf8::is_valid(name) && email::is_valid(address) && !password.empty());
    REQUIRE(!image || utf8::is_valid(*image));
  });
  run([&] { form::require_login_origin(request); });
  run([&] { form::query_text(request, "token"); });
  run([&] {
    const auto url = form::callback_url(request);
    if (!url || url->empty() || url->starts_with('/')) {
      REQUIRE(!url || !url->starts_with("//"));
      return;
    }
    REQUIRE(url->find("auth.example.test") != std::string::npos ||
            url->find(".wild.example.com") != std::string::npos);
  });
}
