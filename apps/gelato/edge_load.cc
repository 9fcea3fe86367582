#include "gelato/edge_load.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

#include "gelato/cli.h"
#include "gelato/control/policy.h"
#include "gelato/device/link_relay.h"
#include "gelato/device/remote_verifier.h"
#include "gelato/device/round_loop.h"
#include "gelato/engine/context.h"
#include "gelato/engine/model_drafter.h"
#include "gelato/measured_transport.h"

namespace gelato::cli {
namespace {

constexpr Seconds kContact{10.0};
constexpr Seconds kStart{120.0};  // until every device has written its first text
constexpr auto kSlice = std::chrono::milliseconds(20);

// Takes everything, until told to stop.
class LoadSink final : public device::TokenSink {
 public:
  explicit LoadSink(const std::atomic<bool>& stop) : stop_(&stop) {}
  bool on_commit(std::span<const device::CommittedToken> /*tokens*/) override {
    return !stop_->load(std::memory_order_relaxed);
  }

 private:
  const std::atomic<bool>* stop_;
};

}  // namespace

// One device. Made on the main thread, works on its own.
class EdgeLoad::Device {
 public:
  // To learn drafts: on the real link, drafting, whatever the plan says.
  static Result<std::unique_ptr<Device>> create_to_learn(EdgeLoad& load);
  static Result<std::unique_ptr<Device>> create(EdgeLoad& load, std::uint32_t number);

  // Texts one after the other until `stop`, or, with `texts`, so many.
  Result<void> work(const std::atomic<bool>& stop, std::optional<std::size_t> texts);

  std::atomic<bool> under_way{false};
  [[nodiscard]] const std::vector<AnsweredDraft>& answers() const { return measured_->answers(); }
  [[nodiscard]] std::uint64_t losses() const { return verifier_->stats().losses; }

 private:
  Device(EdgeLoad& load, std::uint32_t number) : load_(&load), number_(number) {}
  Result<void> connect(bool emulate_link);
  Result<void> make_drafter();
  Result<void> write_text(const std::vector<spec::Token>& prompt, const std::atomic<bool>& stop);

  EdgeLoad* load_;
  std::uint32_t number_;
  std::unique_ptr<device::LinkRelay> relay_;  // null without an emulated link
  std::unique_ptr<device::GrpcTransport> transport_;
  std::unique_ptr<MeasuredTransport> measured_;
  std::unique_ptr<device::RemoteVerifier> verifier_;
  std::unique_ptr<engine::Context> context_;
  std::unique_ptr<engine::ModelDrafter> model_drafter_;
  std::unique_ptr<ReplayDrafter> replay_;
  std::unique_ptr<RecordingDrafter> recorder_;
  spec::Drafter* drafter_ = nullptr;
  std::unique_ptr<control::Policy> policy_;
};

Result<std::unique_ptr<EdgeLoad::Device>> EdgeLoad::Device::create(EdgeLoad& load,
                                                                   std::uint32_t number) {
  std::unique_ptr<Device> device(new Device(load, number));
  if (auto ok = device->connect(true); !ok) {
    return fail(ok.error());
  }
  if (load.plan_.replay) {
    device->replay_ = std::make_unique<ReplayDrafter>(load.script_);
    device->drafter_ = device->replay_.get();
  } else if (auto ok = device->make_drafter(); !ok) {
    return fail(ok.error());
  }
  return device;
}

Result<std::unique_ptr<EdgeLoad::Device>> EdgeLoad::Device::create_to_learn(EdgeLoad& load) {
  std::unique_ptr<Device> device(new Device(load, load.plan_.first));
  if (auto ok = device->connect(false); !ok) {
    return fail(ok.error());
  }
  if (auto ok = device->make_drafter(); !ok) {
    return fail(ok.error());
  }
  device->recorder_ = std::make_unique<RecordingDrafter>(*device->model_drafter_, load.script_);
  device->drafter_ = device->recorder_.get();
  return device;
}

Result<void> EdgeLoad::Device::connect(bool emulate_link) {
  const LoadPlan& plan = load_->plan_;
  device::EdgeAddress address = plan.edge;
  if (emulate_link && !plan.link.link.empty()) {
    auto link = plan.link.make(number_, *load_->clock_);
    if (!link) {
      return fail(link.error());
    }
    auto relay = device::LinkRelay::start({.edge = address.endpoint, .link = *std::move(link)},
                                          *load_->clock_);
    if (!relay) {
      return fail(relay.error());
    }
    relay_ = std::move(*relay);
    address.authority = std::exchange(address.endpoint, relay_->endpoint());
  }
  auto transport = device::GrpcTransport::create(address, interrupted);
  auto policy = control::make_policy(plan.policy);
  if (!transport || !policy) {
    return fail(transport ? policy.error() : transport.error());
  }
  transport_ = std::move(*transport);
  policy_ = std::move(*policy);
  measured_ = std::make_unique<MeasuredTransport>(*transport_, *load_->clock_);
  verifier_ = std::make_unique<device::RemoteVerifier>(
      *measured_, *load_->clock_, *load_->log_, Rng(number_, "reconnect"), load_->terms_,
      device::RemoteOptions{
          .name = plan.edge.endpoint, .reconnect = {}, .interrupted = interrupted});
  return {};
}

Result<void> EdgeLoad::Device::make_drafter() {
  const engine::ModelInfo& info = load_->draft_->info();
  auto context = engine::Context::create(*load_->draft_, {.tokens = info.context_length,
                                                          .max_rows = 1,
                                                          .threads = engine::default_threads(info),
                                                          .pool = {}});
  if (!context) {
    return fail(context.error());
  }
  context_ = std::move(*context);
  model_drafter_ = std::make_unique<engine::ModelDrafter>(*context_, engine::SamplerParams{},
                                                          load_->terms_.common_vocab, 0);
  drafter_ = model_drafter_.get();
  return {};
}

Result<void> EdgeLoad::Device::write_text(const std::vector<spec::Token>& prompt,
                                          const std::atomic<bool>& stop) {
  const proto::ServerInfo& info = load_->info_;
  device::RoundLoop loop(*verifier_, *load_->clock_,
                         {.max_tokens = load_->plan_.tokens,
                          .context_tokens = info.limits.context_tokens - 1,
                          .max_draft = std::min(info.limits.max_draft, control::kMaxDraftLength),
                          .end_of_generation = info.model.end_of_generation,
                          .greedy = true});
  loop.speculate(*drafter_, *policy_);
  LoadSink sink(stop);
  const auto stats = loop.run(prompt, sink);
  under_way = true;
  return stats ? Result<void>{} : fail(stats.error());
}

Result<void> EdgeLoad::Device::work(const std::atomic<bool>& stop,
                                    std::optional<std::size_t> texts) {
  const auto& prompts = load_->plan_.prompts;
  for (std::size_t i = 0; !stop && (!texts || i < *texts); ++i) {
    if (auto ok = write_text(prompts[(number_ + i) % prompts.size()], stop); !ok) {
      return ok;
    }
  }
  verifier_->close();
  return {};
}

EdgeLoad::EdgeLoad(LoadPlan plan, const engine::LanguageModel& draft, const Clock& clock, Log& log)
    : plan_(std::move(plan)), draft_(&draft), clock_(&clock), log_(&log) {}

EdgeLoad::~EdgeLoad() { (void)stop(); }

Result<std::unique_ptr<EdgeLoad>> EdgeLoad::create(LoadPlan plan,
                                                   const engine::LanguageModel& draft,
                                                   const Clock& clock, Log& log) {
  std::unique_ptr<EdgeLoad> load(new EdgeLoad(std::move(plan), draft, clock, log));
  if (auto ok = load->contact(); !ok) {
    return fail(ok.error());
  }
  if (load->plan_.replay) {
    if (auto ok = load->learn_drafts(); !ok) {
      return fail(ok.error());
    }
  }
  return load;
}

Result<void> EdgeLoad::contact() {
  const auto transport = device::GrpcTransport::create(plan_.edge, interrupted);
  if (!transport) {
    return fail(transport.error());
  }
  auto info = (*transport)->info(kContact);
  if (!info) {
    return fail(info.error().code,
                fmt::format("edge {}: {}", plan_.edge.endpoint, info.error().message));
  }
  info_ = std::move(*info);
  const spec::Token ours = draft_->info().vocabulary_size;
  if (ours != info_.model.n_vocab) {
    return fail(ErrorCode::kUnsupported,
                fmt::format("the draft model has {} tokens and {} at edge {} has {}; name a draft "
                            "model of its family with --model-draft",
                            ours, info_.model.name, plan_.edge.endpoint, info_.model.n_vocab));
  }
  terms_ = {.model_fingerprint = info_.model.fingerprint,
            .n_vocab = ours,
            .common_vocab = ours,
            .vocabulary_fingerprint = spec::fingerprint(draft_->vocabulary()),
            .mode = proto::WireMode::kIds,
            .sampling = {},
            .rows = {}};
  return {};
}

Result<void> EdgeLoad::learn_drafts() {
  const auto device = Device::create_to_learn(*this);
  if (!device) {
    return fail(device.error());
  }
  const std::atomic<bool> stop{false};
  return (*device)->work(stop, plan_.prompts.size());
}

Result<void> EdgeLoad::begin() {
  devices_.clear();
  for (std::uint32_t i = 0; i < plan_.devices; ++i) {
    auto device = Device::create(*this, plan_.first + i);
    if (!device) {
      return fail(device.error());
    }
    devices_.push_back(std::move(*device));
  }
  stop_ = false;
  ended_ = 0;
  outcomes_.assign(devices_.size(), {});
  for (std::size_t i = 0; i < devices_.size(); ++i) {
    threads_.emplace_back([this, i] {
      outcomes_[i] = devices_[i]->work(stop_, std::nullopt);
      ++ended_;
    });
  }
  const auto started = [this] {
    return std::ranges::all_of(devices_, [](const auto& d) { return d->under_way.load(); });
  };
  const Seconds until = clock_->now() + kStart;
  while (!started() && ended_ == 0 && !interrupted() && clock_->now() < until) {
    std::this_thread::sleep_for(kSlice);
  }
  if (started()) {
    return {};
  }
  if (auto ok = stop(); !ok) {
    return ok;
  }
  return fail(ErrorCode::kDeadlineExceeded,
              fmt::format("not every device has written a text after {:.0f} s", kStart.value()));
}

Result<void> EdgeLoad::stop() {
  stop_ = true;
  for (std::thread& thread : threads_) {
    thread.join();
  }
  threads_.clear();
  if (interrupted()) {
    return fail(ErrorCode::kCancelled, "interrupted");
  }
  for (const auto& outcome : outcomes_) {
    if (!outcome) {
      return outcome;
    }
  }
  return {};
}

Result<LoadResult> EdgeLoad::end() {
  if (auto ok = stop(); !ok) {
    return fail(ok.error());
  }
  LoadResult result;
  for (const auto& device : devices_) {
    result.answers.push_back(device->answers());
    result.losses += device->losses();
  }
  return result;
}

}  // namespace gelato::cli
