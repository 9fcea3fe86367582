#include "gelato/base/utf8.h"

namespace gelato {
namespace {

struct Lead {
  std::size_t length;  // of the whole character; 0: not a lead byte
  unsigned char low;   // allowed range of the second byte (RFC 3629, section 4)
  unsigned char high;
};

Lead classify(unsigned char c) {
  if (c < 0x80) {
    return {1, 0, 0};
  }
  if (c >= 0xC2 && c <= 0xDF) {
    return {2, 0x80, 0xBF};
  }
  if (c >= 0xE0 && c <= 0xEF) {
    return {3, static_cast<unsigned char>(c == 0xE0 ? 0xA0 : 0x80),
            static_cast<unsigned char>(c == 0xED ? 0x9F : 0xBF)};
  }
  if (c >= 0xF0 && c <= 0xF4) {
    return {4, static_cast<unsigned char>(c == 0xF0 ? 0x90 : 0x80),
            static_cast<unsigned char>(c == 0xF4 ? 0x8F : 0xBF)};
  }
  return {0, 0, 0};
}

// How many bytes at the front of `text` (not empty) agree with one character, and how many it
// needs.
struct Match {
  std::size_t agree;
  std::size_t need;  // 0: cannot be a character
};

Match match_character(std::string_view text) {
  const Lead lead = classify(static_cast<unsigned char>(text.front()));
  if (lead.length == 0) {
    return {0, 0};
  }
  std::size_t i = 1;
  for (; i < lead.length && i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    const unsigned char low = i == 1 ? lead.low : 0x80;
    const unsigned char high = i == 1 ? lead.high : 0xBF;
    if (c < low || c > high) {
      return {i, 0};
    }
  }
  return {i, lead.length};
}

}  // namespace

std::size_t valid_utf8_prefix(std::string_view text) {
  std::size_t at = 0;
  while (at < text.size()) {
    const Match m = match_character(text.substr(at));
    if (m.need == 0 || m.agree < m.need) {
      break;
    }
    at += m.need;
  }
  return at;
}

bool is_incomplete_utf8(std::string_view tail) {
  if (tail.empty()) {
    return false;
  }
  const Match m = match_character(tail);
  return m.need != 0 && m.agree == tail.size() && m.agree < m.need;
}

std::string replace_invalid_utf8(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t valid = valid_utf8_prefix(text);
    out.append(text.substr(0, valid));
    text.remove_prefix(valid);
    if (!text.empty()) {
      out += "\xEF\xBF\xBD";
      text.remove_prefix(1);
    }
  }
  return out;
}

}  // namespace gelato
