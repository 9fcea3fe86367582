// Measuring several contenders side by side.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "gelato/base/result.h"
#include "gelato/contender.h"
#include "gelato/report/summary.h"
#include "gelato/text_match.h"

namespace gelato::cli {

// The measurements of one contender: one per repetition, all prompts added up.
struct Row {
  std::string label;
  std::vector<Measurement> repetitions;
  std::vector<Generation> texts;  // one per prompt, from before the repetitions

  // One quantity over the repetitions.
  [[nodiscard]] report::Summary summary(double (Measurement::*quantity)() const) const;
  // The rate of this row divided by that of `other`, repetition by repetition.
  [[nodiscard]] report::Summary speed_relative_to(const Row& other) const;
};

// Every contender continues every prompt once, untimed (caches fill, texts are kept). Then come the
// repetitions. In each, prompt by prompt, all contenders take turns: A B C, A B C, ..., so that
// whatever slows the machine slows all of them. `step` is called after each generation, `steps()`
// times if nothing goes wrong. After an interrupt the repetition that it hit is dropped and the
// rest returned. Errors: those of the contenders; kCancelled if an interrupt came before the first
// repetition was complete.
struct ComparisonPlan {
  std::vector<std::string> prompts;
  std::uint32_t repetitions = 5;

  [[nodiscard]] std::uint64_t steps(std::size_t contenders) const {
    return (std::uint64_t{repetitions} + 1) * prompts.size() * contenders;
  }
};
Result<std::vector<Row>> compare(std::span<Contender* const> contenders, const ComparisonPlan& plan,
                                 const std::function<void()>& step);

// How the texts of `row` compare with those of `alone`, the target's: the worst agreement over the
// prompts. Errors: those of match_greedy().
Result<TextMatch> match_texts(const device::LocalSession& session, const ComparisonPlan& plan,
                              const Row& alone, const Row& row);

}  // namespace gelato::cli
