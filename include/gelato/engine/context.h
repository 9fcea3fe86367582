// Computing with a model: one llama.cpp context holds the KV caches of one or several sequences and
// decodes tokens of all of them in one batch.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "gelato/base/result.h"
#include "gelato/base/units.h"
#include "gelato/engine/cell_ledger.h"
#include "gelato/engine/language_model.h"

struct llama_context;

namespace gelato::engine {

// Worker threads that several contexts share, so that draft and target do not each keep a pool
// whose waiting threads fight over the same cores. Used by one context at a time.
class ThreadPool {
 public:
  // `threads` >= 1, the calling thread included.
  // Errors: kUnavailable if the CPU backend offers no pool (then contexts make their own).
  static Result<std::shared_ptr<ThreadPool>> create(std::uint32_t threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  [[nodiscard]] std::uint32_t threads() const { return threads_; }
  [[nodiscard]] void* handle() const { return handle_; }

 private:
  ThreadPool() = default;
  void* handle_ = nullptr;  // ggml_threadpool_t
  void (*free_)(void*) = nullptr;
  std::uint32_t threads_ = 1;
};

// Threads for a model of this size if the user names none: one below kSmallModelBytes, where
// handing work between threads costs more than it saves (6 MB model, two busy cores: 100 times
// slower), else every core.
inline constexpr std::uint64_t kSmallModelBytes = std::uint64_t{64} << 20U;
std::uint32_t default_threads(const ModelInfo& info);

struct ContextOptions {
  // KV cache cells, shared by all sequences; 0: the model's context length, at most
  // kDefaultContext.
  std::uint32_t tokens = 0;
  std::uint32_t sequences = 1;       // at most kMaxSequences
  std::uint32_t batch_tokens = 512;  // most tokens of one decode()
  std::uint32_t max_rows = 65;       // most logit rows of one decode()
  std::uint32_t threads = 1;
  std::shared_ptr<ThreadPool> pool;  // may be null
};

inline constexpr std::uint32_t kDefaultContext = 4096;
inline constexpr std::uint32_t kMaxSequences = 256;  // llama.cpp's limit

// One thread at a time.
class Context {
 public:
  // What one sequence gets in a decode(): `tokens` after what it has, and the logits of the last
  // `rows` of them (rows <= tokens.size()).
  struct Append {
    std::uint32_t sequence = 0;
    std::span<const spec::Token> tokens;
    std::uint32_t rows = 0;
  };

  // `model` must outlive the context.
  // Errors: kInvalidArgument (more cells than the sequences can fill, each as long as the model was
  // trained for; zero threads or sequences), kLimitExceeded (out of memory).
  static Result<std::unique_ptr<Context>> create(const LanguageModel& model,
                                                 const ContextOptions& options);
  ~Context();
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  // Computes all appends in one batch; a sequence may occur once. On an error no sequence has
  // changed.
  // Errors: kLimitExceeded (KV cache full, more than batch_tokens or max_rows), kInvalidArgument
  // (nothing to append, token outside the vocabulary, rows > tokens, sequence outside its range),
  // kInternal (llama.cpp failed).
  Result<void> decode(std::span<const Append> appends);

  // Logits of row `row` of append number `append` of the last decode(), vocabulary_size() floats.
  // Valid until the next decode().
  [[nodiscard]] Result<std::span<const float>> logits(std::size_t append, std::uint32_t row);

  // Cuts a sequence back to its first `length` tokens (<= length(sequence)).
  // Errors: kUnsupported if the model's memory cannot be cut (recurrent state).
  Result<void> truncate(std::uint32_t sequence, std::uint32_t length);

  // Makes `to`, which is empty, begin with the first `length` tokens of `from`. The two share the
  // cells of the cache, so this costs neither computing nor room.
  // Errors: kInvalidArgument (a sequence outside its range, `to` not empty or equal to `from`,
  // length > length(from)), kUnsupported (recurrent state).
  Result<void> copy_prefix(std::uint32_t from, std::uint32_t to, std::uint32_t length);

  // Tokens held by a sequence.
  [[nodiscard]] std::uint32_t length(std::uint32_t sequence) const {
    return cells_->length(sequence);
  }
  // KV cache cells that no sequence holds.
  [[nodiscard]] std::uint32_t free_cells() const { return cells_->free_cells(); }
  // KV cache cells in all.
  [[nodiscard]] std::uint32_t capacity() const { return capacity_; }
  [[nodiscard]] const ContextOptions& options() const { return options_; }
  [[nodiscard]] const LanguageModel& model() const { return *model_; }

  // Time spent inside llama.cpp's decode so far, and the number of calls.
  [[nodiscard]] Seconds decode_time() const { return decode_time_; }
  [[nodiscard]] std::uint64_t decode_calls() const { return decode_calls_; }

 private:
  explicit Context(const LanguageModel& model) : model_(&model) {}
  [[nodiscard]] Result<void> check(std::span<const Append> appends) const;
  void fill_batch(std::span<const Append> appends);
  Result<void> warm_up();

  const LanguageModel* model_;
  std::shared_ptr<ThreadPool> pool_;
  llama_context* context_ = nullptr;
  ContextOptions options_;
  std::uint32_t capacity_ = 0;
  std::optional<CellLedger> cells_;  // set by create()

  // The batch that llama.cpp reads; capacity batch_tokens, so that decode() does not allocate.
  std::vector<spec::Token> tokens_;
  std::vector<std::int32_t> positions_;
  std::vector<std::int32_t> sequence_counts_;
  std::vector<std::int32_t> sequence_ids_;
  std::vector<std::int32_t*> sequence_pointers_;
  std::vector<std::int8_t> wants_logits_;
  std::vector<std::size_t> first_row_;  // per append: where in the batch its first row is

  Seconds decode_time_;
  std::uint64_t decode_calls_ = 0;
};

// One sequence of a context as an object. Copyable; the context must outlive it.
class Sequence {
 public:
  Sequence(Context& context, std::uint32_t id) : context_(&context), id_(id) {}

  // Appends `tokens`, in several batches if they are many, and computes the logits of the last
  // `rows` of them (rows <= batch_tokens). On an error the sequence has not changed.
  // Errors: those of Context::decode().
  Result<void> append(std::span<const spec::Token> tokens, std::uint32_t rows);
  // Row `row` of the last append.
  [[nodiscard]] Result<std::span<const float>> logits(std::uint32_t row) {
    return context_->logits(0, row);
  }
  Result<void> truncate(std::uint32_t length) { return context_->truncate(id_, length); }
  [[nodiscard]] std::uint32_t length() const { return context_->length(id_); }
  [[nodiscard]] Context& context() const { return *context_; }

 private:
  Context* context_;
  std::uint32_t id_;
};

}  // namespace gelato::engine
