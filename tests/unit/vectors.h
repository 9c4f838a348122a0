// Published and own test data, read from tests/vectors/. Unit tests run in the repository's root.
#pragma once

#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>

// A reference, because a range-for over a part of a temporary would see nothing (C++20).
inline const nlohmann::json& vectors(const char* path) {
  static std::map<std::string, nlohmann::json> read;
  const auto [entry, is_new] = read.try_emplace(path);
  if (is_new) {
    std::ifstream file(std::string("tests/vectors/") + path);
    if (!file) throw std::runtime_error(std::string("cannot read tests/vectors/") + path);
    entry->second = nlohmann::json::parse(file);
  }
  return entry->second;
}

inline std::string bytes_of_hex(const std::string& hex) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
    bytes += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  return bytes;
}
