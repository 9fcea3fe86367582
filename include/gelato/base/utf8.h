// Just enough UTF-8 to take text from outside and to cut text between characters.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace gelato {

// Length of the longest prefix of `text` that is valid UTF-8 (RFC 3629: no overlong forms, no
// surrogates, nothing above U+10FFFF). Equal to text.size() iff all of it is valid.
std::size_t valid_utf8_prefix(std::string_view text);

// Whether `tail` could become one valid character by appending bytes to it. False for empty.
bool is_incomplete_utf8(std::string_view tail);

// `text` with every byte that is not part of a valid character replaced by U+FFFD.
std::string replace_invalid_utf8(std::string_view text);

}  // namespace gelato
