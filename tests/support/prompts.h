// Prompts in the style of the bundled models, made from lists: enough different ones for the tests
// and benchmarks, without a data set.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <vector>

namespace gelato::testing {

// The first `n` prompts; two thirds are openings of stories, one third small sums.
inline std::vector<std::string> prompts(std::size_t n) {
  constexpr std::array kNames = {"Lily", "Tom", "Mia", "Ben", "Sue", "Max", "Anna", "Sam"};
  constexpr std::array kThings = {"a red ball", "an old boat",   "a little bird", "a big cake",
                                  "a warm hat", "a shiny stone", "a tall tree"};
  constexpr std::array kPlaces = {"the park", "the beach", "a small town", "the forest",
                                  "the garden"};
  std::vector<std::string> out;
  for (std::size_t i = 0; out.size() < n; ++i) {
    const std::string name = kNames.at(i % kNames.size());
    const std::string thing = kThings.at((i / 3) % kThings.size());
    const std::string place = kPlaces.at((i / 2) % kPlaces.size());
    const std::string count = std::to_string(3 + i % 17);
    const std::string more = std::to_string(2 + (i * 7) % 23);
    switch (i % 3) {
      case 0:
        out.push_back("Once upon a time, " + name + " found " + thing + " in " + place + ".");
        break;
      case 1:
        out.push_back("One day, " + name + " went to " + place + " with " + thing + ". " + name +
                      " said,");
        break;
      default:
        out.push_back("Question: " + name + " has " + count + " apples and buys " + more +
                      " more apples every day for " + count + " days. How many apples does " +
                      name + " have?\nAnswer:");
    }
  }
  return out;
}

}  // namespace gelato::testing
