// Prompts in the style of the bundled models: stories and school maths.
#pragma once

#include <string>
#include <vector>

namespace gelato::cli {

inline std::vector<std::string> builtin_prompts() {
  return {
      "Once upon a time, there was a little fox who lived near the river. One morning",
      "Anna found a blue kite in the garden. She wanted",
      "Question: A baker makes 12 buns in the morning and 8 buns in the afternoon. She sells 15 "
      "buns. How many buns are left?\nAnswer:"};
}

}  // namespace gelato::cli
