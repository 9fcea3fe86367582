#include "trace_content.h"

#include <fmt/format.h>

#include <bit>
#include <cstring>
#include <type_traits>

#include "gelato/control/policy.h"
#include "gelato/sim/trace_file.h"

namespace gelato::sim {
namespace {

static_assert(std::endian::native == std::endian::little, "numbers go to the file as they are");

constexpr std::size_t kTokenBytes = 15;      // of one token in all columns
constexpr std::size_t kMinPromptBytes = 17;  // of a prompt with empty texts

template <class T>
void put(std::string& out, T value) {
  static_assert(std::is_arithmetic_v<T>);
  char bytes[sizeof(T)];
  std::memcpy(bytes, &value, sizeof(T));
  out.append(bytes, sizeof(T));
}

void put(std::string& out, const std::string& text) {
  put(out, static_cast<std::uint32_t>(text.size()));
  out += text;
}

template <class T>
void put_column(std::string& out, const std::vector<TraceToken>& tokens, T TraceToken::*field) {
  for (const TraceToken& token : tokens) {
    put(out, token.*field);
  }
}

// Takes numbers off the front of the content. After one that is not there `ok` is false and the
// rest reads as zero.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}

  template <class T>
  void take(T& value) {
    if (rest_.size() < sizeof(T)) {
      stop();
      return;
    }
    std::memcpy(&value, rest_.data(), sizeof(T));
    rest_.remove_prefix(sizeof(T));
  }
  void take(Seconds& value) {
    double seconds = 0.0;
    take(seconds);
    value = Seconds(seconds);
  }
  void take(std::string& text) {
    std::uint32_t size = 0;
    take(size);
    if (size > kMaxTraceText || size > rest_.size()) {
      stop();
      return;
    }
    text = rest_.substr(0, size);
    rest_.remove_prefix(size);
  }
  template <class T>
  void take_column(std::vector<TraceToken>& tokens, T TraceToken::*field) {
    for (TraceToken& token : tokens) {
      take(token.*field);
    }
  }

  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] std::size_t left() const { return rest_.size(); }

 private:
  void stop() {
    ok_ = false;
    rest_ = {};
  }

  std::string_view rest_;
  bool ok_ = true;
};

tl::unexpected<Error> corrupt(std::string_view what) {
  return fail(ErrorCode::kCorrupt, std::string(what));
}

void take_prompts(Reader& in, std::uint32_t count, DraftTrace& trace) {
  trace.prompts.resize(count);
  std::uint32_t first = 0;
  for (TracePrompt& prompt : trace.prompts) {
    std::uint8_t ended = 0;
    in.take(prompt.id);
    in.take(prompt.set);
    in.take(prompt.prompt_tokens);
    in.take(prompt.positions);
    in.take(ended);
    prompt.first = first;
    prompt.ended = ended != 0;
    first += prompt.positions;
  }
}

}  // namespace

std::string encode_content(const DraftTrace& trace) {
  std::string out;
  out.reserve(trace.tokens.size() * kTokenBytes + trace.positions() * sizeof(spec::Token) + 4096);
  for (const std::string* text :
       {&trace.version, &trace.machine, &trace.target, &trace.draft, &trace.source}) {
    put(out, *text);
  }
  put(out, trace.vocabulary);
  put(out, trace.depth);
  put(out, trace.top_p);
  put(out, trace.draft_token.value());
  for (const Seconds time : trace.verify) {
    put(out, time.value());
  }
  put(out, static_cast<std::uint32_t>(trace.prompts.size()));
  put(out, static_cast<std::uint32_t>(trace.positions()));
  for (const TracePrompt& prompt : trace.prompts) {
    put(out, prompt.id);
    put(out, prompt.set);
    put(out, prompt.prompt_tokens);
    put(out, prompt.positions);
    put(out, static_cast<std::uint8_t>(prompt.ended ? 1 : 0));
  }
  for (const spec::Token token : trace.target_tokens) {
    put(out, token);
  }
  put_column(out, trace.tokens, &TraceToken::entropy);
  put_column(out, trace.tokens, &TraceToken::top1);
  put_column(out, trace.tokens, &TraceToken::margin);
  put_column(out, trace.tokens, &TraceToken::top_p);
  put_column(out, trace.tokens, &TraceToken::match);
  return out;
}

Result<DraftTrace> decode_content(std::string_view content) {
  Reader in(content);
  DraftTrace trace;
  for (std::string* text :
       {&trace.version, &trace.machine, &trace.target, &trace.draft, &trace.source}) {
    in.take(*text);
  }
  in.take(trace.vocabulary);
  in.take(trace.depth);
  in.take(trace.top_p);
  in.take(trace.draft_token);
  if (!in.ok() || trace.depth < 1 || trace.depth > control::kMaxDraftLength) {
    return corrupt(fmt::format("its depth is not 1 to {}", control::kMaxDraftLength));
  }
  trace.verify.resize(trace.depth + std::size_t{1});
  for (Seconds& time : trace.verify) {
    in.take(time);
  }
  std::uint32_t prompts = 0;
  std::uint32_t positions = 0;
  in.take(prompts);
  in.take(positions);
  if (prompts > kMaxTracePrompts) {
    return fail(ErrorCode::kLimitExceeded, fmt::format("it has {} prompts, but at most {} are "
                                                       "allowed",
                                                       prompts, kMaxTracePrompts));
  }
  if (!in.ok() || prompts > in.left() / kMinPromptBytes) {
    return corrupt("its content ends within its head");
  }
  take_prompts(in, prompts, trace);
  const std::size_t position_bytes = sizeof(spec::Token) + trace.depth * kTokenBytes;
  if (!in.ok() || in.left() != positions * position_bytes) {
    return corrupt("its columns are not as long as its number of positions says");
  }
  trace.target_tokens.resize(positions);
  for (spec::Token& token : trace.target_tokens) {
    in.take(token);
  }
  trace.tokens.resize(std::size_t{positions} * trace.depth);
  in.take_column(trace.tokens, &TraceToken::entropy);
  in.take_column(trace.tokens, &TraceToken::top1);
  in.take_column(trace.tokens, &TraceToken::margin);
  in.take_column(trace.tokens, &TraceToken::top_p);
  in.take_column(trace.tokens, &TraceToken::match);
  return trace;
}

}  // namespace gelato::sim
