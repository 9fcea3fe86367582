#include "gelato/load_result.h"

#include <algorithm>

namespace gelato::cli {

double LoadResult::tokens_per_s(std::size_t device) const {
  double tokens = 0.0;
  for (const AnsweredDraft& answer : answers[device]) {
    tokens += answer.accepted + 1.0;
  }
  return tokens / window.value();
}

double LoadResult::tokens_per_s() const {
  double sum = 0.0;
  for (std::size_t i = 0; i < answers.size(); ++i) {
    sum += tokens_per_s(i);
  }
  return sum;
}

double LoadResult::fairness() const {
  double slowest = tokens_per_s(0);
  for (std::size_t i = 1; i < answers.size(); ++i) {
    slowest = std::min(slowest, tokens_per_s(i));
  }
  return slowest / (tokens_per_s() / static_cast<double>(answers.size()));
}

double LoadResult::round_fairness() const {
  std::size_t fewest = answers[0].size();
  for (const auto& device : answers) {
    fewest = std::min(fewest, device.size());
  }
  return static_cast<double>(fewest * answers.size()) / static_cast<double>(rounds());
}

std::uint64_t LoadResult::rounds() const {
  std::uint64_t sum = 0;
  for (const auto& device : answers) {
    sum += device.size();
  }
  return sum;
}

// Each of the n sessions in a pass says so.
double LoadResult::passes() const {
  double sum = 0.0;
  for (const auto& device : answers) {
    for (const AnsweredDraft& answer : device) {
      sum += 1.0 / std::max(1U, answer.sessions);
    }
  }
  return sum;
}

double LoadResult::occupancy() const { return static_cast<double>(rounds()) / passes(); }

double LoadResult::busy() const {
  double sum = 0.0;
  for (const auto& device : answers) {
    for (const AnsweredDraft& answer : device) {
      sum += answer.pass.value() / std::max(1U, answer.sessions);
    }
  }
  return sum / window.value();
}

double LoadResult::mean_draft() const {
  double sum = 0.0;
  for (const auto& device : answers) {
    for (const AnsweredDraft& answer : device) {
      sum += answer.drafted;
    }
  }
  return sum / static_cast<double>(rounds());
}

namespace {

double bytes_per_round(const LoadResult& result, std::uint64_t device::Traffic::*direction) {
  double bytes = 0.0;
  double rounds = 0.0;
  for (const auto& device : result.answers) {
    if (!device.empty()) {
      bytes +=
          static_cast<double>(device.back().traffic.*direction - device.front().traffic.*direction);
      rounds += static_cast<double>(device.size() - 1);
    }
  }
  return bytes / rounds;
}

}  // namespace

double LoadResult::up_bytes_per_round() const {
  return bytes_per_round(*this, &device::Traffic::up_bytes);
}

double LoadResult::down_bytes_per_round() const {
  return bytes_per_round(*this, &device::Traffic::down_bytes);
}

}  // namespace gelato::cli
