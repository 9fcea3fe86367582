// Whether texts are what a model writes greedily: greedy_check MODEL.gguf < texts.json
//
// Reads [{"prompt": ..., "text": ...}, ...]; writes one object for each: "tokens" that the text is
// made of, "ties" passed, and "wrong_at", the byte from which on it is not the model's (null if
// there is none). At every place the text must go on with the model's best token, or, where others
// are closer than engine::kLogitTolerance, so that the shape of a batch decides, with one of them.

#include <algorithm>
#include <iostream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "gelato/base/log.h"
#include "gelato/engine/backend.h"
#include "gelato/engine/context.h"
#include "gelato/engine/language_model.h"
#include "gelato/engine/model_verifier.h"
#include "gelato/engine/row_stats.h"

namespace {

using gelato::fail;
using gelato::Result;
namespace engine = gelato::engine;
namespace spec = gelato::spec;

// The tokens that the model may write next, best first.
std::vector<spec::Token> candidates(std::span<const float> logits, spec::Token best) {
  std::vector<spec::Token> out = {best};
  const float least = logits[static_cast<std::size_t>(best)] - engine::kLogitTolerance;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    if (logits[i] >= least && static_cast<spec::Token>(i) != best) {
      out.push_back(static_cast<spec::Token>(i));
    }
  }
  return out;
}

struct Walk {
  const engine::LanguageModel& model;
  engine::Sequence sequence;
  std::string_view text;
  std::size_t tokens = 0;
  std::size_t ties = 0;
  std::size_t reached = 0;  // furthest byte that was the model's

  // Goes on from byte `at`, whose row is the newest. True if the rest is the model's.
  Result<bool> go(std::size_t at) {
    reached = std::max(reached, at);
    if (at == text.size()) {
      return true;
    }
    const auto logits = sequence.logits(0);
    if (!logits) {
      return fail(logits.error());
    }
    const auto best = engine::row_argmax(*logits);
    if (!best) {
      return fail(best.error());
    }
    const std::uint32_t length = sequence.length();
    for (const spec::Token token : candidates(*logits, *best)) {
      std::string piece;
      model.append_piece(token, piece);
      if (piece.empty() || !text.substr(at).starts_with(piece)) {
        continue;
      }
      if (auto ok = sequence.append({&token, 1}, 1); !ok) {
        return fail(ok.error());
      }
      const auto rest = go(at + piece.size());
      if (!rest || *rest) {
        ++tokens;
        ties += token != *best ? 1U : 0U;
        return rest;
      }
      if (auto ok = sequence.truncate(length); !ok) {
        return fail(ok.error());
      }
    }
    return false;
  }
};

Result<nlohmann::json> check(const engine::LanguageModel& model, engine::Context& context,
                             const std::string& prompt, const std::string& text) {
  const auto tokens = model.tokenize(prompt, true, false);
  if (!tokens) {
    return fail(tokens.error());
  }
  engine::Sequence sequence(context, 0);
  if (auto ok = sequence.truncate(0); !ok) {
    return fail(ok.error());
  }
  if (auto ok = sequence.append(*tokens, 1); !ok) {
    return fail(ok.error());
  }
  Walk walk{.model = model, .sequence = sequence, .text = text};
  const auto right = walk.go(0);
  if (!right) {
    return fail(right.error());
  }
  return nlohmann::json{{"tokens", walk.tokens},
                        {"ties", walk.ties},
                        {"wrong_at", *right ? nlohmann::json() : nlohmann::json(walk.reached)}};
}

Result<nlohmann::json> check_all(const std::string& path, const nlohmann::json& texts) {
  const auto log = gelato::make_stderr_log(gelato::LogLevel::kOff);
  const auto backend = engine::Backend::create(*log);
  if (!backend) {
    return fail(backend.error());
  }
  const auto model = engine::LanguageModel::load(**backend, path);
  if (!model) {
    return fail(model.error());
  }
  auto context = engine::Context::create(
      **model, {.threads = engine::default_threads((*model)->info()), .pool = {}});
  if (!context) {
    return fail(context.error());
  }
  nlohmann::json out = nlohmann::json::array();
  for (const nlohmann::json& entry : texts) {
    auto one = check(**model, **context, entry.at("prompt"), entry.at("text"));
    if (!one) {
      return fail(one.error());
    }
    out.push_back(std::move(*one));
  }
  return out;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string input{std::istreambuf_iterator<char>(std::cin), {}};
  const nlohmann::json texts = nlohmann::json::parse(input, nullptr, false);
  if (argc != 2 || !texts.is_array()) {
    std::cerr << "usage: greedy_check MODEL.gguf < texts.json\n";
    return 2;
  }
  const auto result = check_all(argv[1], texts);
  if (!result) {
    std::cerr << "greedy_check: " << result.error().message << "\n";
    return 1;
  }
  std::cout << result->dump() << "\n";
}
