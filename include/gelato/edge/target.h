// The target model as the edge needs it: many sequences, one batch. The real one is an
// engine::Context; tests play it with models small enough to be enumerated.
#pragma once

#include <cstdint>
#include <span>

#include "gelato/base/result.h"
#include "gelato/engine/context.h"

namespace gelato::edge {

struct TargetShape {
  spec::Token n_vocab = 0;
  std::uint32_t cells = 0;         // tokens that the cache holds, shared prefixes counted once
  std::uint32_t sequences = 0;     // sequences are 0 .. sequences - 1
  std::uint32_t batch_tokens = 0;  // of one decode()
  std::uint32_t max_rows = 0;      // of one decode()
};

// One thread at a time. Contracts and errors are those of engine::Context.
class Target {
 public:
  using Append = engine::Context::Append;
  virtual ~Target() = default;

  [[nodiscard]] virtual TargetShape shape() const = 0;
  virtual Result<void> decode(std::span<const Append> appends) = 0;
  [[nodiscard]] virtual Result<std::span<const float>> logits(std::size_t append,
                                                              std::uint32_t row) = 0;
  virtual Result<void> truncate(std::uint32_t sequence, std::uint32_t length) = 0;
  virtual Result<void> copy_prefix(std::uint32_t from, std::uint32_t to, std::uint32_t length) = 0;
  [[nodiscard]] virtual std::uint32_t free_cells() const = 0;
};

// An engine::Context as Target.
class ContextTarget final : public Target {
 public:
  // `context` must outlive this.
  explicit ContextTarget(engine::Context& context) : context_(&context) {}

  [[nodiscard]] TargetShape shape() const override;
  Result<void> decode(std::span<const Append> appends) override {
    return context_->decode(appends);
  }
  [[nodiscard]] Result<std::span<const float>> logits(std::size_t append,
                                                      std::uint32_t row) override {
    return context_->logits(append, row);
  }
  Result<void> truncate(std::uint32_t sequence, std::uint32_t length) override {
    return context_->truncate(sequence, length);
  }
  Result<void> copy_prefix(std::uint32_t from, std::uint32_t to, std::uint32_t length) override {
    return context_->copy_prefix(from, to, length);
  }
  [[nodiscard]] std::uint32_t free_cells() const override { return context_->free_cells(); }

 private:
  engine::Context* context_;
};

}  // namespace gelato::edge
