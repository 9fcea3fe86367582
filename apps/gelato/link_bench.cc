#include "gelato/link_bench.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <thread>
#include <utility>

#include "gelato/cli.h"
#include "gelato/control/policy_kind.h"
#include "gelato/energy_options.h"
#include "gelato/trace_recorder.h"

namespace gelato::cli {
namespace {

// As deep as any draft, so that no policy is cut short in the simulation alone.
constexpr std::uint32_t kDepth = control::kMaxDraftLength;

}  // namespace

std::vector<std::string> default_link_policies() {
  std::vector<std::string> out = {"edge-only", "device-only"};
  for (const control::PolicyKind* kind : control::policy_kinds()) {
    const std::string name(kind->name);
    if (name == "static") {
      out.insert(out.end(), {"static:4", "static:8"});
    } else if (name != "dssd" && name != "edge-only" && name != "device-only") {
      out.push_back(name);  // greedy texts travel as ids, and dssd is then static
    }
  }
  return out;
}

RoundTotals LinkBenchRow::total() const {
  RoundTotals sum;
  for (const RoundTotals& repetition : repetitions) {
    sum += repetition;
  }
  return sum;
}

report::Summary LinkBenchRow::over(double (RoundTotals::*quantity)() const) const {
  std::vector<double> values;
  for (const RoundTotals& repetition : repetitions) {
    values.push_back((repetition.*quantity)());
  }
  return report::Summary(std::move(values));
}

report::Summary LinkBenchRow::ratio(double (RoundTotals::*quantity)() const) const {
  std::vector<double> values;
  for (const RoundTotals& repetition : repetitions) {
    values.push_back((repetition.*quantity)() / (simulated.*quantity)());
  }
  return report::Summary(std::move(values));
}

double LinkBenchOutcome::max_error(double (RoundTotals::*quantity)() const) const {
  double worst = 0.0;
  for (const LinkBenchRow& row : rows) {
    worst = std::max(worst, std::abs(row.ratio(quantity).median() - 1.0));
  }
  return worst;
}

LinkBench::LinkBench(LinkBenchFlags flags, const engine::Backend& backend, const Clock& clock,
                     Log& log)
    : flags_(std::move(flags)), backend_(&backend), clock_(&clock), log_(&log) {}

Result<std::unique_ptr<LinkBench>> LinkBench::create(LinkBenchFlags flags,
                                                     const engine::Backend& backend,
                                                     const Clock& clock, Log& log) {
  std::unique_ptr<LinkBench> bench(new LinkBench(std::move(flags), backend, clock, log));
  auto profile = open_profile(bench->flags_.pace);
  auto link = bench->flags_.link.read();
  if (!profile || !link) {
    return fail(profile ? link.error() : profile.error());
  }
  bench->prediction_.profile = *std::move(profile);
  bench->prediction_.link = std::move(link->spec);
  bench->prediction_.link_trace = std::move(link->trace);
  if (auto ok = bench->record_trace(); !ok) {
    return fail(ok.error());
  }
  if (auto ok = bench->start_edge(); !ok) {
    return fail(ok.error());
  }
  if (auto ok = bench->make_devices(); !ok) {
    return fail(ok.error());
  }
  return bench;
}

Result<void> LinkBench::record_trace() {
  for (const auto& [path, model] :
       {std::pair{&flags_.target, &target_}, std::pair{&flags_.draft, &draft_}}) {
    auto loaded = engine::LanguageModel::load(*backend_, *path, {.progress = {}});
    if (!loaded) {
      return fail(loaded.error());
    }
    *model = std::move(*loaded);
  }
  const auto match = spec::match_vocabularies(target_->vocabulary(), draft_->vocabulary());
  if (!match) {
    return fail(match.error());
  }
  std::vector<TracePromptTokens> prompts;
  for (const std::string& prompt : flags_.prompts) {
    auto tokens = target_->tokenize(prompt, true, false);
    if (!tokens) {
      return fail(tokens.error());
    }
    prompts_.push_back(std::move(*tokens));
    const std::string number = std::to_string(prompts.size());
    prompts.push_back({.id = number, .set = number, .tokens = prompts_.back()});
  }
  auto recorder = TraceRecorder::create(*target_, *draft_, std::move(prompts),
                                        {.depth = kDepth,
                                         .predict = flags_.tokens,
                                         .context_tokens = target_->info().context_length,
                                         .target_threads = engine::default_threads(target_->info()),
                                         .draft_threads = engine::default_threads(draft_->info()),
                                         .common = match->common});
  if (!recorder) {
    return fail(recorder.error());
  }
  auto trace = std::make_shared<sim::DraftTrace>();
  trace->vocabulary = static_cast<std::uint32_t>(target_->info().vocabulary_size);
  trace->depth = kDepth;
  while (trace->prompts.size() < recorder->prompts()) {
    if (auto ok = recorder->add_next(*trace, [] { return !interrupted(); }); !ok) {
      return ok;
    }
  }
  prediction_.trace = std::move(trace);
  return {};
}

device::EdgeAddress LinkBench::address() const {
  device::EdgeAddress edge;
  edge.endpoint = edge_->endpoint();
  edge.insecure = true;
  return edge;
}

Result<void> LinkBench::start_edge() {
  const std::size_t wanted = flags_.policies.size() * flags_.devices + 1;
  if (wanted >= engine::kMaxSequences) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("{} policies on {} devices each are more than the {} sessions that an "
                            "edge can hold; name fewer with --policy",
                            flags_.policies.size(), flags_.devices, engine::kMaxSequences - 2));
  }
  const std::string sessions = std::to_string(wanted);
  auto edge = EdgeProcess::start(
      "",
      {"--model", flags_.target, "--max-sessions", sessions, "--max-sessions-per-client", sessions,
       "--pace-pass", fmt::format("{}", flags_.edge_pass_s), "--pace-token",
       fmt::format("{}", flags_.edge_token_s), "--drain-timeout", "1"},
      *clock_);
  if (!edge) {
    return fail(edge.error());
  }
  edge_ = std::move(*edge);
  auto probe = probe_edge(address(), *draft_, prompts_.front(), *clock_, *log_);
  if (!probe) {
    return fail(probe.error());
  }
  prediction_.edge = *std::move(probe);
  return {};
}

Result<LinkBench::Seat> LinkBench::make_seat(const std::string& policy, std::uint32_t number) {
  auto link = flags_.link.make(number, *clock_);
  if (!link) {
    return fail(link.error());
  }
  device::RemoteSessionOptions options;
  options.edge = address();
  options.remote.interrupted = interrupted;
  options.link = *std::move(link);
  options.draft_path = flags_.draft;
  auto device =
      LiveDevice::create(*backend_, *clock_, *log_, std::move(options), prediction_.profile);
  auto made = control::make_policy(policy);
  if (!device || !made) {
    return fail(device ? made.error() : device.error());
  }
  return Seat{.device = *std::move(device), .policy = *std::move(made)};
}

Result<void> LinkBench::make_devices() {
  for (const std::string& policy : flags_.policies) {
    auto& row = seats_.emplace_back();
    for (std::uint32_t number = 0; number < flags_.devices; ++number) {
      auto seat = make_seat(policy, number);
      if (!seat) {
        return fail(seat.error());
      }
      row.push_back(std::move(*seat));
    }
  }
  return {};
}

std::uint64_t LinkBench::steps() const {
  return (flags_.repetitions * prompts_.size() + 1) * flags_.policies.size();
}

// Errors: kInternal for a text that is neither the target's nor parts from it at a near tie.
Result<Agreement> LinkBench::compare(std::size_t prompt,
                                     const std::vector<spec::Token>& text) const {
  const sim::DraftTrace& trace = *prediction_.trace;
  const std::span<const spec::Token> alone =
      std::span(trace.target_tokens)
          .subspan(trace.prompts[prompt].first, trace.prompts[prompt].positions);
  const auto match = match_greedy(*target_, prompts_[prompt], alone, text);
  return match ? Result<Agreement>(match->agreement) : fail(match.error());
}

Result<std::vector<LiveText>> LinkBench::write(std::vector<Seat>& row, std::size_t prompt) {
  std::vector<Result<LiveText>> written(row.size(), LiveText{});
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < row.size(); ++i) {
    threads.emplace_back([&, i] {
      written[i] = row[i].device->write(prompts_[prompt], *row[i].policy, flags_.tokens);
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  std::vector<LiveText> texts;
  for (auto& text : written) {
    if (!text) {
      return fail(text.error());
    }
    texts.push_back(std::move(*text));
  }
  return texts;
}

// Untimed: the simulator knows nothing of prompts.
Result<void> LinkBench::read_prompt(std::vector<Seat>& row, std::size_t prompt) {
  const auto edge_only = control::make_policy("edge-only");
  if (!edge_only) {
    return fail(edge_only.error());
  }
  for (const Seat& seat : row) {
    if (auto read = seat.device->write(prompts_[prompt], **edge_only, 1); !read) {
      return fail(read.error());
    }
  }
  return {};
}

// One prompt under every policy, once.
Result<void> LinkBench::measure(std::size_t prompt, LinkBenchOutcome& outcome) {
  for (std::size_t i = 0; i < seats_.size(); ++i) {
    LinkBenchRow& row = outcome.rows[i];
    if (auto ok = read_prompt(seats_[i], prompt); !ok) {
      return ok;
    }
    const auto texts = write(seats_[i], prompt);
    if (!texts) {
      return fail(texts.error().code, fmt::format("{}: {}", row.policy, texts.error().message));
    }
    for (const LiveText& text : *texts) {
      row.repetitions.back() += text.rounds;
      row.unverified += text.unverified;
      outcome.late += text.late;
      if (text.unverified > 0) {
        continue;
      }
      const auto agreement = compare(prompt, text.tokens);
      if (!agreement) {
        return fail(agreement.error());
      }
      row.agreement = std::max(row.agreement, *agreement);
      if (row.agreement == Agreement::kDifferent) {
        return fail(ErrorCode::kInternal,
                    fmt::format("{} wrote another text than the target alone", row.policy));
      }
    }
  }
  return {};
}

Result<LinkBenchOutcome> LinkBench::run(const std::function<void()>& step) {
  LinkBenchOutcome outcome;
  outcome.edge = prediction_.edge;
  outcome.profile = prediction_.profile.name;
  for (std::size_t i = 0; i < seats_.size(); ++i) {
    outcome.rows.emplace_back().policy = flags_.policies[i];
    // Untimed: session and policy learn what link, edge and drafts are like.
    if (auto text = write(seats_[i], 0); !text) {
      return fail(text.error());
    }
    step();
  }
  for (std::uint32_t turn = 0; turn < flags_.repetitions; ++turn) {
    for (LinkBenchRow& row : outcome.rows) {
      row.repetitions.emplace_back();
    }
    for (std::size_t prompt = 0; prompt < prompts_.size(); ++prompt) {
      if (auto ok = measure(prompt, outcome); !ok) {
        return fail(ok.error());
      }
      for (std::size_t i = 0; i < seats_.size(); ++i) {
        step();
      }
    }
  }
  for (LinkBenchRow& row : outcome.rows) {
    auto simulated = prediction_.predict(row.policy, flags_.devices, flags_.repetitions);
    if (!simulated) {
      return fail(simulated.error());
    }
    row.simulated = *std::move(simulated);
  }
  return outcome;
}

}  // namespace gelato::cli
