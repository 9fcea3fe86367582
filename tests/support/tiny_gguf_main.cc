// tiny_gguf PATH [options]: writes a tiny random model, for tests of whole programs.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/tiny_gguf.h"

int main(int argc, char** argv) {
  using gelato::testing::TinyGguf;
  using gelato::testing::TinyKind;

  TinyGguf options;
  std::string path;
  CLI::App app("Writes a tiny random language model as GGUF.");
  app.add_option("path", path, "File to write")->required();
  const std::map<std::string, TinyKind> kinds{{"attention", TinyKind::kAttention},
                                              {"recurrent", TinyKind::kRecurrent},
                                              {"hybrid", TinyKind::kHybrid}};
  app.add_option("--kind", options.kind, "Architecture")->transform(CLI::CheckedTransformer(kinds));
  app.add_option("--vocab", options.vocab_size, "Tokens without padding")->capture_default_str();
  app.add_option("--padding", options.padding, "Unused tokens at the end")->capture_default_str();
  app.add_option("--bos", options.bos_id, "Token that begins a text")->capture_default_str();
  app.add_option("--eos", options.eos_id, "Token that ends a text")->capture_default_str();
  app.add_option("--layers", options.n_layer, "Layers")->capture_default_str();
  app.add_option("--ctx-size", options.context_length, "Context length")->capture_default_str();
  app.add_option("--seed", options.seed, "Seed of the weights")->capture_default_str();
  app.add_option("--perturbation", options.perturbation, "Relative noise added to the weights")
      ->capture_default_str();
  app.add_option("--chat-template", options.chat_template, "Chat template (Jinja)");
  app.add_option_function<std::vector<std::pair<int, std::string>>>(
      "--replace",
      [&](const auto& tokens) {
        for (const auto& [id, text] : tokens) {
          options.replaced.push_back({.id = id, .text = text});
        }
      },
      "ID TEXT: another text for one token; may be repeated");
  CLI11_PARSE(app, argc, argv);

  const auto written = gelato::testing::write_tiny_gguf(options, path);
  if (!written) {
    std::fprintf(stderr, "tiny_gguf: %s\n", written.error().message.c_str());
    return 1;
  }
  return 0;
}
