#include "gelato/bench_entries.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "gelato/cli.h"
#include "gelato/peer.h"
#include "gelato/report/terminal.h"

namespace gelato::cli {
namespace {

Result<Entry> our_entry(const BenchFlags& flags, device::LocalSession& session,
                        const std::string& policy, std::optional<std::uint32_t> gamma) {
  auto contender = LocalContender::create(session, policy, policy.empty() ? "target alone" : policy,
                                          flags.tokens);
  if (!contender) {
    return fail(contender.error());
  }
  return Entry{.contender = std::move(*contender),
               .policy = policy.empty() ? "target-only" : policy,
               .gamma = gamma};
}

// llama.cpp's program with the same files, threads, context and draft length.
Entry peer_entry(const BenchFlags& flags, const std::string& program,
                 const device::LocalSession& session, const Clock& clock, std::uint32_t gamma) {
  PeerOptions options{.program = program,
                      .models = flags.models,
                      .context_tokens = session.context_tokens(),
                      .target_threads = session.target_threads(),
                      .draft_threads = session.draft_threads(),
                      .gamma = gamma,
                      .max_tokens = flags.tokens};
  options.models.target = session.target().info().path;
  options.models.draft = session.draft()->info().path;
  return {.contender = std::make_unique<PeerContender>(options, clock),
          .engine = kPeer,
          .policy = fmt::format("static:{}", gamma),
          .gamma = gamma};
}

}  // namespace

Result<std::string> usable_peer(const BenchFlags& flags, const device::LocalSession& session,
                                const Clock& clock, const std::string& prompt) {
  if (flags.no_peer || flags.gammas.empty()) {
    return "";
  }
  Output messages(STDERR_FILENO);
  const std::string program = flags.peer.empty() ? find_peer() : flags.peer;
  if (program.empty()) {
    messages.write(
        "gelato: note: llama-speculative-simple is not there to compare with; `make peers` builds "
        "it\n");
    return "";
  }
  const Entry entry = peer_entry(flags, program, session, clock, flags.gammas.front());
  const auto tried = entry.contender->generate(prompt);
  if (tried) {
    return program;
  }
  if (!flags.peer.empty() || interrupted()) {
    return fail(tried.error());
  }
  messages.write(fmt::format("gelato: note: no comparison with llama-speculative-simple: {}\n",
                             report::printable(tried.error().message)));
  return "";
}

Result<std::vector<Entry>> bench_entries(const BenchFlags& flags, device::LocalSession& session,
                                         const std::string& peer, const Clock& clock) {
  std::vector<Entry> entries;
  const auto add = [&](const std::string& policy,
                       std::optional<std::uint32_t> gamma) -> Result<void> {
    auto entry = our_entry(flags, session, policy, gamma);
    if (!entry) {
      return fail(entry.error());
    }
    entries.push_back(std::move(*entry));
    return {};
  };
  auto ok = add("", std::nullopt);
  for (const std::uint32_t gamma : flags.gammas) {
    ok = ok ? add(fmt::format("static:{}", gamma), gamma) : ok;
    if (!peer.empty()) {
      entries.push_back(peer_entry(flags, peer, session, clock, gamma));
    }
  }
  for (const std::string& policy : flags.policies) {
    ok = ok ? add(policy, std::nullopt) : ok;
  }
  if (!ok) {
    return fail(ok.error());
  }
  return entries;
}

bool Outcome::has_peer() const {
  return std::any_of(entries.begin(), entries.end(),
                     [](const Entry& entry) { return entry.engine == kPeer; });
}

report::Summary Outcome::relative_to_peer(std::size_t i) const {
  if (entries[i].engine != kOurs || !entries[i].gamma) {
    return {};
  }
  for (std::size_t j = 0; j < entries.size(); ++j) {
    if (entries[j].engine == kPeer && entries[j].gamma == entries[i].gamma) {
      return rows[i].speed_relative_to(rows[j]);
    }
  }
  return {};
}

}  // namespace gelato::cli
