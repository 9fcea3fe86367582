#include "gelato/engine/context.h"

#include <fmt/format.h>
#include <llama.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "llama_guard.h"

namespace gelato::engine {
namespace {

template <class F>
F cpu_function(const char* name) {
  ggml_backend_dev_t cpu = ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU);
  ggml_backend_reg_t reg = cpu == nullptr ? nullptr : ggml_backend_dev_backend_reg(cpu);
  return reg == nullptr ? nullptr
                        : reinterpret_cast<F>(ggml_backend_reg_get_proc_address(reg, name));
}

// llama.cpp's attention on a CPU computes tiles of 64 tokens by 64 cells, in which most tokens and
// cells of a shared cache do not concern each other; below 64 tokens it takes up each token's own
// cells only. 32 texts of 20 to 148 tokens and passes of 160 tokens: 60 instead of 110 ms. GPUs
// have other kernels and want many tokens.
constexpr std::uint32_t kSharedCpuMicroBatch = 63;

std::uint32_t micro_batch(const ContextOptions& options, std::uint32_t usual) {
  const bool shared_on_cpu = options.sequences > 1 && !llama_supports_gpu_offload();
  return std::min(options.batch_tokens, shared_on_cpu ? kSharedCpuMicroBatch : usual);
}

llama_context_params make_params(const ContextOptions& options) {
  llama_context_params params = llama_context_default_params();
  params.n_ctx = options.tokens;
  params.n_batch = options.batch_tokens;
  params.n_ubatch = micro_batch(options, params.n_ubatch);
  params.n_seq_max = options.sequences;
  params.n_outputs_max = std::max(options.max_rows, options.sequences);
  params.n_threads = static_cast<std::int32_t>(options.threads);
  params.n_threads_batch = params.n_threads;
  params.no_perf = true;
  params.swa_full = true;    // a sliding-window cache that dropped old cells could not be cut back
  params.kv_unified = true;  // sequences of any lengths share the cells
  return params;
}

}  // namespace

Result<std::shared_ptr<ThreadPool>> ThreadPool::create(std::uint32_t threads) {
  const auto make =
      cpu_function<ggml_threadpool* (*)(ggml_threadpool_params*)>("ggml_threadpool_new");
  const auto release = cpu_function<void (*)(void*)>("ggml_threadpool_free");
  if (make == nullptr || release == nullptr) {
    return fail(ErrorCode::kUnavailable, "this CPU backend of llama.cpp offers no thread pool");
  }
  ggml_threadpool_params params = ggml_threadpool_params_default(static_cast<int>(threads));
  std::shared_ptr<ThreadPool> pool(new ThreadPool());
  pool->threads_ = threads;
  pool->free_ = release;
  pool->handle_ = make(&params);
  if (pool->handle_ == nullptr) {
    return fail(ErrorCode::kUnavailable, fmt::format("cannot start {} threads", threads));
  }
  return pool;
}

ThreadPool::~ThreadPool() {
  if (handle_ != nullptr) {
    free_(handle_);
  }
}

std::uint32_t default_threads(const ModelInfo& info) {
  return info.size_bytes < kSmallModelBytes ? 1U
                                            : std::max(1U, std::thread::hardware_concurrency());
}

Result<std::unique_ptr<Context>> Context::create(const LanguageModel& model,
                                                 const ContextOptions& options) {
  const std::uint32_t trained = model.info().context_length;
  if (options.tokens > std::uint64_t{trained} * std::max(options.sequences, 1U)) {
    return fail(
        ErrorCode::kInvalidArgument,
        fmt::format(
            "a context of {} tokens is more than the {} that {} was made for{}", options.tokens,
            trained, model.info().path,
            options.sequences > 1 ? fmt::format(", times {} sequences", options.sequences) : ""));
  }
  if (options.threads == 0 || options.sequences == 0 || options.sequences > kMaxSequences ||
      options.batch_tokens == 0 || options.max_rows == 0) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("a context needs at least one thread, batch token and row, and 1 to {} "
                            "sequences",
                            kMaxSequences));
  }
  std::unique_ptr<Context> out(new Context(model));
  out->options_ = options;
  out->options_.tokens = options.tokens > 0 ? options.tokens : std::min(trained, kDefaultContext);
  out->capacity_ = out->options_.tokens;

  auto made = guarded("cannot create a context", [&] {
    llama_context* context = llama_init_from_model(model.handle(), make_params(out->options_));
    out->context_ = context;
    if (context != nullptr && options.pool) {
      auto* pool = static_cast<ggml_threadpool*>(options.pool->handle());
      llama_attach_threadpool(context, pool, pool);
    }
  });
  if (!made) {
    return fail(made.error());
  }
  if (out->context_ == nullptr) {
    return fail(ErrorCode::kLimitExceeded,
                fmt::format("cannot create a context of {} tokens for {}: {}", out->capacity_,
                            model.info().path, first_error()));
  }
  out->pool_ = options.pool;
  out->cells_.emplace(out->capacity_, options.sequences);
  const std::size_t n = options.batch_tokens;
  out->tokens_.resize(n);
  out->positions_.resize(n);
  out->sequence_counts_.assign(n, 1);
  out->sequence_ids_.resize(n);
  out->wants_logits_.resize(n);
  out->first_row_.reserve(options.sequences);
  for (std::int32_t& id : out->sequence_ids_) {
    out->sequence_pointers_.push_back(&id);
  }
  if (auto ok = out->warm_up(); !ok) {
    return fail(ok.error());
  }
  return out;
}

// One token on this thread alone: pages the weights in, and a model file that passed every check
// but still trips an assertion of llama.cpp does so here, where it is caught.
Result<void> Context::warm_up() {
  llama_set_n_threads(context_, 1, 1);
  const spec::Token token = std::max(model_->vocabulary().bos, 0);
  const Append one{0, {&token, 1}, 1};
  auto ok = decode({&one, 1});
  if (ok) {
    ok = guarded("cannot clear the context",
                 [&] { llama_memory_clear(llama_get_memory(context_), true); });
  }
  cells_->clear();
  const auto threads = static_cast<std::int32_t>(options_.threads);
  llama_set_n_threads(context_, threads, threads);
  decode_time_ = Seconds();
  decode_calls_ = 0;
  return ok;
}

Context::~Context() {
  if (context_ != nullptr) {
    llama_free(context_);
  }
}

Result<void> Context::check(std::span<const Append> appends) const {
  std::size_t tokens = 0;
  std::size_t rows = 0;
  for (const Append& a : appends) {
    if (a.sequence >= cells_->sequences() || a.tokens.empty() || a.rows > a.tokens.size()) {
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("cannot append {} tokens with {} rows to sequence {} of {}",
                              a.tokens.size(), a.rows, a.sequence, cells_->sequences()));
    }
    for (const spec::Token token : a.tokens) {
      if (token < 0 || token >= model_->info().vocabulary_size) {
        return fail(ErrorCode::kInvalidArgument,
                    fmt::format("token {} is outside the vocabulary of {}", token,
                                model_->info().vocabulary_size));
      }
    }
    tokens += a.tokens.size();
    rows += a.rows;
  }
  if (tokens > options_.batch_tokens || rows > options_.max_rows) {
    return fail(ErrorCode::kLimitExceeded,
                fmt::format("a batch of {} tokens and {} rows is more than {} and {}", tokens, rows,
                            options_.batch_tokens, options_.max_rows));
  }
  if (tokens > free_cells()) {
    return fail(ErrorCode::kLimitExceeded,
                fmt::format("the context is full: {} tokens to add, room for {} of {}", tokens,
                            free_cells(), capacity_));
  }
  return {};
}

void Context::fill_batch(std::span<const Append> appends) {
  first_row_.clear();
  std::size_t at = 0;
  for (const Append& a : appends) {
    const std::size_t first = a.tokens.size() - a.rows;
    first_row_.push_back(at + first);
    for (std::size_t i = 0; i < a.tokens.size(); ++i, ++at) {
      tokens_[at] = a.tokens[i];
      positions_[at] = static_cast<std::int32_t>(length(a.sequence) + i);
      sequence_ids_[at] = static_cast<std::int32_t>(a.sequence);
      wants_logits_[at] = i >= first ? 1 : 0;
    }
  }
}

Result<void> Context::decode(std::span<const Append> appends) {
  if (auto ok = check(appends); !ok) {
    return ok;
  }
  fill_batch(appends);
  std::size_t n = 0;
  for (const Append& a : appends) {
    n += a.tokens.size();
  }
  const llama_batch batch{.n_tokens = static_cast<std::int32_t>(n),
                          .token = tokens_.data(),
                          .embd = nullptr,
                          .pos = positions_.data(),
                          .n_seq_id = sequence_counts_.data(),
                          .seq_id = sequence_pointers_.data(),
                          .logits = wants_logits_.data()};
  const auto begin = std::chrono::steady_clock::now();
  const auto status = guarded("cannot compute the next tokens", [&] {
    const std::int32_t code = llama_decode(context_, batch);
    llama_synchronize(context_);
    return code;
  });
  decode_time_ +=
      Seconds(std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
  ++decode_calls_;
  if (status && *status == 0) {
    for (const Append& a : appends) {
      cells_->append(a.sequence, static_cast<std::uint32_t>(a.tokens.size()));
    }
    return {};
  }
  if (!status) {
    return fail(status.error());
  }
  for (const Append& a : appends) {  // take back what a failed batch may have left
    (void)truncate(a.sequence, length(a.sequence));
  }
  if (*status == 1) {
    return fail(ErrorCode::kLimitExceeded,
                fmt::format("the context is full: no room for {} more tokens", n));
  }
  return fail(ErrorCode::kInternal,
              fmt::format("llama.cpp could not compute the next tokens (code {}): {}", *status,
                          first_error()));
}

Result<std::span<const float>> Context::logits(std::size_t append, std::uint32_t row) {
  if (append >= first_row_.size()) {
    return fail(ErrorCode::kInvalidArgument, "no such row of logits");
  }
  const std::size_t at = first_row_[append] + row;
  const float* values = at < wants_logits_.size() && wants_logits_[at] != 0
                            ? llama_get_logits_ith(context_, static_cast<std::int32_t>(at))
                            : nullptr;
  if (values == nullptr) {
    return fail(ErrorCode::kInvalidArgument, "no such row of logits");
  }
  return std::span<const float>(values, static_cast<std::size_t>(model_->info().vocabulary_size));
}

Result<void> Context::truncate(std::uint32_t sequence, std::uint32_t length) {
  const auto id = static_cast<std::int32_t>(sequence);
  const auto removed = guarded("cannot shorten a sequence", [&] {
    return llama_memory_seq_rm(llama_get_memory(context_), id, static_cast<std::int32_t>(length),
                               -1);
  });
  if (!removed) {
    return fail(removed.error());
  }
  if (!*removed) {
    return fail(ErrorCode::kUnsupported,
                fmt::format("the state of {} ({}) cannot be cut back to an earlier token",
                            model_->info().path, model_->info().architecture));
  }
  cells_->truncate(sequence, length);
  return {};
}

Result<void> Context::copy_prefix(std::uint32_t from, std::uint32_t to, std::uint32_t length) {
  if (from >= cells_->sequences() || to >= cells_->sequences() || from == to ||
      cells_->length(to) > 0 || length > cells_->length(from)) {
    return fail(
        ErrorCode::kInvalidArgument,
        fmt::format("cannot begin sequence {} with {} tokens of sequence {}", to, length, from));
  }
  if (!model_->info().can_truncate) {
    return fail(ErrorCode::kUnsupported,
                fmt::format("the state of {} ({}) cannot be copied in part", model_->info().path,
                            model_->info().architecture));
  }
  auto copied = guarded("cannot copy a sequence", [&] {
    llama_memory_seq_cp(llama_get_memory(context_), static_cast<std::int32_t>(from),
                        static_cast<std::int32_t>(to), 0, static_cast<std::int32_t>(length));
  });
  if (!copied) {
    return fail(copied.error());
  }
  cells_->share(from, to, length);
  return {};
}

Result<void> Sequence::append(std::span<const spec::Token> tokens, std::uint32_t rows) {
  const std::size_t limit = context_->options().batch_tokens;
  const std::uint32_t before = length();
  Result<void> ok;
  while (ok && tokens.size() > limit) {
    // The last batch must hold all the rows.
    const std::size_t chunk = std::min(limit, tokens.size() - std::min<std::size_t>(rows, limit));
    const Context::Append part{id_, tokens.first(chunk), 0};
    ok = context_->decode({&part, 1});
    tokens = tokens.subspan(chunk);
  }
  if (ok) {
    const Context::Append last{id_, tokens, rows};
    ok = context_->decode({&last, 1});
  }
  if (!ok && length() > before) {
    (void)truncate(before);
  }
  return ok;
}

}  // namespace gelato::engine
