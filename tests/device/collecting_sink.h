// A sink for the tests of the round loop.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <utility>
#include <vector>

#include "gelato/device/round_loop.h"

namespace gelato::device {

// Keeps what a generation commits.
class CollectingSink final : public TokenSink {
 public:
  bool on_commit(std::span<const CommittedToken> tokens) override {
    for (const CommittedToken& token : tokens) {
      tokens_.push_back(token.token);
      origins_.push_back(token.origin);
    }
    if (each_) {
      each_();
    }
    if (event_ && tokens_.size() >= event_at_) {
      std::exchange(event_, nullptr)();
    }
    return tokens_.size() < enough_;
  }
  // Runs `event` once, when `n` tokens are there.
  void at(std::size_t n, std::function<void()> event) {
    event_at_ = n;
    event_ = std::move(event);
  }
  // Runs `event` after every delivery.
  void on_each(std::function<void()> event) { each_ = std::move(event); }
  void reserve(std::size_t n) {
    tokens_.reserve(n);
    origins_.reserve(n);
  }
  void clear() {
    tokens_.clear();
    origins_.clear();
  }
  void stop_after(std::size_t n) { enough_ = n; }
  [[nodiscard]] const std::vector<spec::Token>& tokens() const { return tokens_; }
  [[nodiscard]] const std::vector<Origin>& origins() const { return origins_; }

 private:
  std::vector<spec::Token> tokens_;
  std::vector<Origin> origins_;
  std::size_t event_at_ = 0;
  std::function<void()> event_;
  std::function<void()> each_;
  std::size_t enough_ = static_cast<std::size_t>(-1);
};

}  // namespace gelato::device
