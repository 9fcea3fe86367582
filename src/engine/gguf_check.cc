#include "gelato/engine/gguf_check.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <ggml.h>
#include <gguf.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "llama_guard.h"

namespace gelato::engine {
namespace {

using GgufPtr = std::unique_ptr<gguf_context, decltype(&gguf_free)>;
using GgmlPtr = std::unique_ptr<ggml_context, decltype(&ggml_free)>;

Result<std::uint64_t> open_and_measure(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) {
    if (errno == ENOENT || errno == ENOTDIR) {
      return fail(ErrorCode::kNotFound, fmt::format("model file {} does not exist", path));
    }
    if (errno == EACCES || errno == EPERM) {
      return fail(ErrorCode::kPermissionDenied,
                  fmt::format("no permission to read model file {}", path));
    }
    return fail(ErrorCode::kIo,
                fmt::format("cannot open model file {}: {}", path, std::strerror(errno)));
  }
  struct stat st {};
  const bool known = ::fstat(fd, &st) == 0;
  std::array<char, 24> head{};
  const ssize_t got = S_ISREG(st.st_mode) ? ::read(fd, head.data(), head.size()) : 0;
  ::close(fd);
  if (!known || !S_ISREG(st.st_mode)) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("{} is {}, not a GGUF model file", path,
                            S_ISDIR(st.st_mode) ? "a directory" : "not a regular file"));
  }
  if (got < 4 || std::memcmp(head.data(), "GGUF", 4) != 0) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("{} is not a GGUF model file (it does not begin with \"GGUF\")", path));
  }
  if (got < static_cast<ssize_t>(head.size())) {
    return fail(ErrorCode::kCorrupt,
                fmt::format("model file {} is truncated: it has no header", path));
  }
  // Little-endian counts at fixed places: checked here, before the reader loops over them.
  std::uint64_t tensors = 0;
  std::uint64_t keys = 0;
  std::memcpy(&tensors, head.data() + 8, sizeof tensors);
  std::memcpy(&keys, head.data() + 16, sizeof keys);
  if (tensors > kMaxTensors || keys > kMaxMetadataKeys) {
    return fail(
        ErrorCode::kLimitExceeded,
        fmt::format("model file {} claims {} tensors and {} metadata keys; at most {} and {} "
                    "are accepted",
                    path, tensors, keys, kMaxTensors, kMaxMetadataKeys));
  }
  return static_cast<std::uint64_t>(st.st_size);
}

// Read access to the metadata of one file, and the checks on it.
class Checker {
 public:
  Checker(const gguf_context* gguf, ggml_context* tensors, std::string path,
          std::uint64_t file_size)
      : gguf_(gguf), tensors_(tensors), path_(std::move(path)), file_size_(file_size) {}

  [[nodiscard]] Result<void> all() const {
    if (auto ok = tensor_extents(); !ok) {
      return ok;
    }
    if (auto ok = dimensions(); !ok) {
      return ok;
    }
    return tokenizer();
  }

 private:
  [[nodiscard]] tl::unexpected<Error> corrupt(const std::string& what) const {
    return fail(ErrorCode::kCorrupt,
                fmt::format("model file {} is damaged: {}", path_, one_line(what)));
  }
  [[nodiscard]] tl::unexpected<Error> too_large(const std::string& what) const {
    return fail(ErrorCode::kLimitExceeded, fmt::format("model file {}: {}", path_, one_line(what)));
  }

  [[nodiscard]] Result<void> tensor_extents() const {
    const std::uint64_t data = gguf_get_data_offset(gguf_);
    for (std::int64_t i = 0; i < gguf_get_n_tensors(gguf_); ++i) {
      const std::uint64_t offset = gguf_get_tensor_offset(gguf_, i);
      const std::uint64_t size = gguf_get_tensor_size(gguf_, i);
      if (data > file_size_ || offset > file_size_ - data || size > file_size_ - data - offset) {
        return fail(ErrorCode::kCorrupt,
                    fmt::format("model file {} is truncated: tensor {} ends beyond the {} bytes of "
                                "the file",
                                path_, one_line(gguf_get_tensor_name(gguf_, i)), file_size_));
      }
    }
    return {};
  }

  // A scalar unsigned metadata value; nullopt if absent. Arrays (per-layer values) are left to
  // llama.cpp.
  [[nodiscard]] Result<std::optional<std::uint64_t>> number(const std::string& key) const {
    const std::int64_t id = gguf_find_key(gguf_, key.c_str());
    if (id < 0 || gguf_get_kv_type(gguf_, id) == GGUF_TYPE_ARRAY) {
      return std::nullopt;
    }
    switch (gguf_get_kv_type(gguf_, id)) {
      case GGUF_TYPE_UINT8:
        return gguf_get_val_u8(gguf_, id);
      case GGUF_TYPE_UINT16:
        return gguf_get_val_u16(gguf_, id);
      case GGUF_TYPE_UINT32:
        return gguf_get_val_u32(gguf_, id);
      case GGUF_TYPE_UINT64:
        return gguf_get_val_u64(gguf_, id);
      case GGUF_TYPE_INT32:
        if (gguf_get_val_i32(gguf_, id) >= 0) {
          return static_cast<std::uint64_t>(gguf_get_val_i32(gguf_, id));
        }
        break;
      default:
        break;
    }
    return corrupt(fmt::format("{} is not a count", key));
  }

  [[nodiscard]] Result<std::string> text(const std::string& key) const {
    const std::int64_t id = gguf_find_key(gguf_, key.c_str());
    if (id < 0 || gguf_get_kv_type(gguf_, id) != GGUF_TYPE_STRING) {
      return corrupt(fmt::format("it has no {}", key));
    }
    return std::string(gguf_get_val_str(gguf_, id));
  }

  struct Bound {
    std::string_view key;
    std::uint64_t low;
    std::uint64_t high;
  };

  [[nodiscard]] Result<void> dimensions() const {
    const auto architecture = text("general.architecture");
    if (!architecture) {
      return fail(architecture.error());
    }
    static constexpr std::array kBounds = {
        Bound{"block_count", 1, kMaxLayers},         Bound{"context_length", 1, kMaxContextLength},
        Bound{"embedding_length", 1, kMaxWidth},     Bound{"feed_forward_length", 0, kMaxWidth},
        Bound{"attention.head_count", 0, kMaxWidth}, Bound{"attention.head_count_kv", 0, kMaxWidth},
        Bound{"attention.key_length", 1, kMaxWidth}, Bound{"attention.value_length", 1, kMaxWidth},
        Bound{"rope.dimension_count", 0, kMaxWidth}, Bound{"expert_count", 0, kMaxWidth},
        Bound{"expert_used_count", 0, kMaxWidth},    Bound{"vocab_size", 1, kMaxVocabulary},
    };
    for (const Bound& bound : kBounds) {
      const std::string key = fmt::format("{}.{}", *architecture, bound.key);
      const auto value = number(key);
      if (!value) {
        return fail(value.error());
      }
      if (value->has_value() && (**value < bound.low || **value > bound.high)) {
        return too_large(
            fmt::format("{} is {}, which is outside {}..{}", key, **value, bound.low, bound.high));
      }
    }
    for (const std::string_view name : {"layer_norm_epsilon", "layer_norm_rms_epsilon"}) {
      if (auto ok = epsilon(fmt::format("{}.attention.{}", *architecture, name)); !ok) {
        return ok;
      }
    }
    return heads(*architecture);
  }

  [[nodiscard]] Result<void> epsilon(const std::string& key) const {
    const std::int64_t id = gguf_find_key(gguf_, key.c_str());
    if (id >= 0 && gguf_get_kv_type(gguf_, id) == GGUF_TYPE_FLOAT32) {
      if (const float value = gguf_get_val_f32(gguf_, id); !(value >= 0.0F && value <= 1.0F)) {
        return corrupt(fmt::format("{} is {}, which is outside 0..1", key, value));
      }
    }
    return {};
  }

  [[nodiscard]] Result<void> heads(const std::string& architecture) const {
    const auto query = number(architecture + ".attention.head_count");
    const auto kv = number(architecture + ".attention.head_count_kv");
    const auto width = number(architecture + ".embedding_length");
    const auto key_length = number(architecture + ".attention.key_length");
    if (!query || !kv || !width || !key_length || !query->has_value()) {
      return {};
    }
    const std::uint64_t n = query->value();
    if (n > 0 && kv->has_value() && kv->value() > 0 && n % kv->value() != 0) {
      return corrupt(
          fmt::format("{} attention heads cannot share {} key-value heads", n, kv->value()));
    }
    if (n > 0 && !key_length->has_value() && width->has_value() && width->value() % n != 0) {
      return corrupt(
          fmt::format("{} attention heads do not divide an embedding of {}", n, width->value()));
    }
    return {};
  }

  // Number of entries of an array of the given element type; nullopt if the key is absent.
  [[nodiscard]] Result<std::optional<std::size_t>> array(const char* key, gguf_type type) const {
    const std::int64_t id = gguf_find_key(gguf_, key);
    if (id < 0) {
      return std::nullopt;
    }
    if (gguf_get_kv_type(gguf_, id) != GGUF_TYPE_ARRAY || gguf_get_arr_type(gguf_, id) != type) {
      return corrupt(fmt::format("{} is not an array of the right type", key));
    }
    return gguf_get_arr_n(gguf_, id);
  }

  [[nodiscard]] Result<void> tokenizer() const {
    if (auto model = text("tokenizer.ggml.model"); !model) {
      return fail(model.error());
    }
    const auto tokens = array("tokenizer.ggml.tokens", GGUF_TYPE_STRING);
    if (!tokens) {
      return fail(tokens.error());
    }
    if (!tokens->has_value() || tokens->value() == 0) {
      return corrupt("it has no tokens (tokenizer.ggml.tokens)");
    }
    const std::size_t n = tokens->value();
    if (n > kMaxVocabulary) {
      return too_large(fmt::format("{} tokens; at most {} are accepted", n, kMaxVocabulary));
    }
    for (const auto& [key, type] : {std::pair{"tokenizer.ggml.scores", GGUF_TYPE_FLOAT32},
                                    std::pair{"tokenizer.ggml.token_type", GGUF_TYPE_INT32}}) {
      const auto entries = array(key, type);
      if (!entries) {
        return fail(entries.error());
      }
      if (entries->has_value() && entries->value() != n) {
        return corrupt(fmt::format("{} has {} entries for {} tokens", key, entries->value(), n));
      }
    }
    return embedding(n);
  }

  // The embedding matrix must have a row for every token.
  [[nodiscard]] Result<void> embedding(std::size_t tokens) const {
    const ggml_tensor* matrix = ggml_get_tensor(tensors_, "token_embd.weight");
    if (matrix == nullptr) {
      return {};  // llama.cpp says what it misses, by architecture
    }
    if (static_cast<std::uint64_t>(matrix->ne[1]) != tokens) {
      return corrupt(fmt::format("its embedding has {} rows for {} tokens", matrix->ne[1], tokens));
    }
    return {};
  }

  const gguf_context* gguf_;
  ggml_context* tensors_;
  std::string path_;
  std::uint64_t file_size_;
};

}  // namespace

Result<void> check_gguf(const std::string& path) {
  const auto size = open_and_measure(path);
  if (!size) {
    return fail(size.error());
  }
  auto checked = guarded(fmt::format("cannot read model file {}", path), [&]() -> Result<void> {
    ggml_context* tensors = nullptr;
    const GgufPtr gguf(gguf_init_from_file(path.c_str(), {.no_alloc = true, .ctx = &tensors}),
                       &gguf_free);
    const GgmlPtr owned(tensors, &ggml_free);
    if (!gguf || tensors == nullptr) {
      return fail(ErrorCode::kCorrupt,
                  fmt::format("model file {} is damaged or truncated: {}", path, first_error()));
    }
    return Checker(gguf.get(), tensors, path, *size).all();
  });
  return checked ? *checked : fail(checked.error());
}

}  // namespace gelato::engine
