// E-mail addresses as the contract accepts them (better-auth-wire, section 2.4). Pure.
#pragma once

#include <string_view>

namespace email {

// ASCII dot-atoms of letters, digits, _ ' + - ; a domain of labels with an alphabetic top level.
// No length limit.
bool is_valid(std::string_view address);

}  // namespace email
