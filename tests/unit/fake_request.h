// Requests as web servers send them, without a server.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "lib/crypto.h"
#include "lib/http.h"

// A request made of CGI variables.
class Fake {
 public:
  explicit Fake(std::vector<std::string> variables, std::string body = "")
      : variables_(std::move(variables)) {
    settings_.secret = crypto::Secret(std::string(32, 's'));
    settings_.auth_path = "/api/auth";
    for (const std::string& variable : variables_) pointers_.push_back(variable.c_str());
    pointers_.push_back(nullptr);
    raw_.parameters = pointers_.data();
    raw_.body = std::move(body);
  }
  http::Request request() const { return {raw_, settings_}; }
  env::Settings& settings() { return settings_; }
  fcgi::Request& raw() { return raw_; }

 private:
  std::vector<std::string> variables_;
  std::vector<const char*> pointers_;
  fcgi::Request raw_;
  env::Settings settings_;
};

// The status of the error that `action` throws; 0 if it throws none.
template <typename Action>
int status_of(Action action) {
  try {
    action();
  } catch (const http::Error& error) {
    return error.status;
  }
  return 0;
}
