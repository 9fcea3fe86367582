#include "device_agent.h"

#include <algorithm>
#include <cmath>

#include "gelato/energy/model_meter.h"

namespace gelato::sim {
namespace {

// A policy plans with the slope of the edge's curve over drafts up to this: the lengths in use.
constexpr std::uint32_t kUsualPass = 9;

// Weight of a new observation of the edge's queue; RemoteCosts takes the median of the last 32.
constexpr double kNewWait = 1.0 / 16.0;

// A place where the draft model writes nothing.
bool is_none(const TraceToken& token) { return token.top_p == 0; }

std::uint64_t whole_bytes(Bits bits) {
  return static_cast<std::uint64_t>(std::ceil(bits.value() / 8.0));
}

Bits mean_token_bits(const Setting& setting) {
  if (setting.wire.draft == WireFormat::Draft::kIds) {
    return setting.wire.index;
  }
  // The first row of each position is drafted most often, so it stands for all.
  const DraftTrace& trace = *setting.trace;
  double sizes = 0.0;
  for (std::size_t i = 0; i < trace.positions(); ++i) {
    sizes += trace.drafts(i).front().top_p;
  }
  return sizes / static_cast<double>(trace.positions()) * (setting.wire.prob + setting.wire.index);
}

}  // namespace

DeviceAgent::DeviceAgent(const Setting& setting, std::uint32_t number, control::Policy& policy,
                         TextCursor text, link::LinkEmulator& link, EventQueue& events,
                         Foresight* foresight)
    : setting_(&setting),
      number_(number),
      policy_(&policy),
      text_(std::move(text)),
      link_(&link),
      events_(&events),
      foresight_(foresight),
      mean_token_bits_(mean_token_bits(setting)),
      verify_slope_(setting.edge.slope(kUsualPass)) {}

void DeviceAgent::change(const Setting& setting, TextCursor text, link::LinkEmulator& link) {
  setting_ = &setting;
  text_ = std::move(text);
  link_ = &link;
  mean_token_bits_ = mean_token_bits(setting);
  verify_slope_ = setting.edge.slope(kUsualPass);
}

// What the policy is told: exact means, the uplink's rate as it is now.
control::CostEstimate DeviceAgent::cost(Seconds now) const {
  const energy::DeviceProfile& device = setting_->profile;
  control::CostEstimate cost;
  cost.draft_token = device.draft_time(text_.context(), 1);
  cost.draft_token_energy = device.draft_power * cost.draft_token;
  cost.uplink = link_->channel(link::Direction::kUp).rate_at(now) * (1.0 - setting_->link.loss);
  cost.uplink_bits_per_token = mean_token_bits_;
  cost.uplink_bits_per_round = bytes(static_cast<double>(setting_->wire.up_bytes));
  cost.queue = queue_;
  cost.verify_base = setting_->edge.time(1);
  cost.others = others_;
  cost.verify_token = verify_slope_;
  cost.devices = static_cast<double>(fleet_);
  cost.tx_power = device.tx_power();
  if (setting_->accounting == Accounting::kFull) {
    const BitsPerSecond down = link_->channel(link::Direction::kDown).rate_at(now);
    const Bits answer = bytes(static_cast<double>(setting_->wire.down_bytes));
    cost.round_trip = 2.0 * setting_->link.delay + setting_->link.jitter +
                      (down > BitsPerSecond(0.0) ? answer / down : Seconds());
    cost.wait_power = device.wait_power();
  }
  return cost;
}

void DeviceAgent::begin_round(Seconds now) {
  begin_ = now;
  outcome_ = {.passes = 0};
  activity_ = {};
  drafted_ = matching_ = sent_ = verified_ = outstanding_ = 0;
  written_ = verdict_at_ = 0;
  trying_until_ = now;
  closed_ = drafting_ = false;
  unsent_ = {};
  unread_ = 0;
  if (foresight_ != nullptr) {
    foresight_->text = &text_;
  }
  const std::uint32_t depth = setting_->trace->depth;
  const std::uint32_t longest =
      std::min(text_.room(), setting_->max_in_flight > 1 ? control::kMaxDraftLength : depth);
  plan_ = policy_->begin_round({.round = totals_.rounds,
                                .context_tokens = text_.context(),
                                .max_draft = longest,
                                .max_in_flight = setting_->max_in_flight,
                                .may_draft_alone = setting_->may_draft_alone,
                                .cost = cost(now)});
  if (plan_.mode == control::RoundMode::kTargetOnly) {
    closed_ = true;
    on_send(now);
  } else if (plan_.chunk == 0 || setting_->max_in_flight < 2 ||
             plan_.mode == control::RoundMode::kDraftOnly) {
    plan_.chunk = 0;
    bound_ = std::min({plan_.max_draft, longest, depth});
    draft_at_once(now);
  } else {
    window_ = std::clamp(plan_.window, 1U, depth);
    bound_ = std::min(plan_.max_draft, longest);
    pipeline_on(now);
  }
}

// Row `place` of the draft. Beyond the trace's depth it is found from the text verified so far.
const TraceToken& DeviceAgent::row(std::uint32_t place) const {
  const std::uint32_t behind = place < setting_->trace->depth ? 0 : verified_;
  return text_.row(behind, place - behind);
}

void DeviceAgent::take(const TraceToken& token) {
  matching_ += matching_ == drafted_ && token.match != 0 ? 1 : 0;
  ++drafted_;
  unsent_ += setting_->wire.token_bits(token, plan_.uplink);
}

// With its newest token the draft has ended its text, rightly or not.
bool DeviceAgent::ends_text() const {
  const bool right = text_.ends_itself() && matching_ == drafted_ && drafted_ == text_.left();
  const bool known = drafted_ < verified_ + setting_->trace->depth;
  return right || (known && is_none(row(drafted_)));
}

bool DeviceAgent::wants_more(const TraceToken& token) {
  if (drafted_ >= bound_ || ends_text()) {
    return false;
  }
  return keep_drafting(token);
}

bool DeviceAgent::keep_drafting(const TraceToken& token) {
  return policy_->keep_drafting(
      {.drafted = drafted_,
       .last = {.top1_prob = token.top1, .margin = token.margin, .entropy = token.entropy},
       .max_draft = bound_,
       .verified = verified_,
       .in_flight = sent_ - verified_});
}

void DeviceAgent::draft_for(Seconds begin, Seconds time) {
  activity_.draft += time;
  activity_.tx_while_drafting += std::clamp(sending_until_ - begin, Seconds(), time);
}

// Without pipelining nothing can happen to the device while it drafts.
void DeviceAgent::draft_at_once(Seconds now) {
  std::uint32_t rows = 0;
  const bool alone = plan_.mode == control::RoundMode::kDraftOnly;
  const std::uint32_t least = alone ? 1 : 0;  // a text that does not grow would not end
  bound_ = std::max(bound_, least);
  if (alone) {
    bound_ = std::min(bound_, text_.left());  // nothing is known of a text that is longer
  }
  for (bool more = bound_ > 0; more;) {
    const TraceToken& token = row(drafted_);
    if (is_none(token)) {
      break;
    }
    ++rows;
    if (token.top1 < plan_.min_top1 && drafted_ >= least) {
      break;
    }
    take(token);
    more = wants_more(token);
  }
  closed_ = true;
  text_.prefetch(matching_ + 1);  // where the next round will begin
  const Seconds time = setting_->profile.draft_time(text_.context(), rows);
  draft_for(now, time);
  const EventKind next = alone ? EventKind::kAlone : EventKind::kSend;
  if (!alone && !setting_->shared_cell) {
    on_send(now + time);  // nobody else's message can come in between
  } else {
    events_->schedule(now + time, next, {.device = number_});
  }
}

void DeviceAgent::on_alone(Seconds now) {
  totals_.unverified += drafted_;
  finish(now, std::min(drafted_, text_.left()));
}

// Drafts on after what the burst has brought so far, beside it. What the target has yet to write of
// it is the verdict.
void DeviceAgent::try_draft(Seconds now) {
  const std::uint32_t to_come = std::min(plan_.burst, text_.left()) - written_;
  bound_ = std::min({plan_.max_draft, to_come, setting_->trace->depth});
  for (bool more = bound_ > 0; more;) {
    const TraceToken& token = text_.row(written_, drafted_);
    if (is_none(token)) {
      break;
    }
    take(token);
    more = drafted_ < bound_ && keep_drafting(token);
  }
  if (drafted_ == 0) {
    plan_.trial_at = 0;
    return;
  }
  verdict_at_ = written_ + std::min(matching_ + 1, drafted_);
  const Seconds time = setting_->profile.draft_time(text_.context() + written_, drafted_);
  draft_for(now, time);
  trying_until_ = now + time;
}

// A token of the burst has come.
void DeviceAgent::go_on_trying(Seconds now) {
  if (verdict_at_ == 0 && written_ == plan_.trial_at) {
    try_draft(now);
  } else if (verdict_at_ > 0 && written_ >= verdict_at_ && now >= trying_until_) {
    end_trial();
  }
}

void DeviceAgent::end_trial() {
  const std::uint32_t next = policy_->end_trial(drafted_, matching_);
  plan_.trial_at = next > 0 ? written_ + next : 0;
  drafted_ = matching_ = verdict_at_ = 0;
}

void DeviceAgent::end_burst(Seconds now) {
  if (now < trying_until_) {
    events_->schedule(trying_until_, EventKind::kTried, {.device = number_});
  } else {
    on_tried(now);
  }
}

void DeviceAgent::on_tried(Seconds now) {
  if (verdict_at_ > 0) {
    end_trial();
  }
  finish(now, written_);
}

void DeviceAgent::on_send(Seconds now) { send_chunk(now, true); }

Seconds DeviceAgent::transmit(Seconds now, Bits payload) {
  const std::uint64_t size = whole_bytes(payload) + setting_->wire.up_bytes;
  totals_.up_bytes += size;
  const Seconds waiting = link_->backlog(link::Direction::kUp, now);
  const Seconds arrival = link_->send(link::Direction::kUp, now, size);
  const Seconds sent = link_->backlog(link::Direction::kUp, now);
  activity_.tx += sent - waiting;
  sending_until_ = now + sent;
  // The paper's T has no propagation; its scenarios have links without delay.
  return arrival;
}

void DeviceAgent::send_chunk(Seconds now, bool last) {
  const bool alone = plan_.mode == control::RoundMode::kTargetOnly;
  const std::uint32_t wanted = std::min(std::max(plan_.burst, 1U), text_.left());
  const Request request{.device = number_,
                        .round = totals_.rounds,
                        .first = sent_,
                        .count = drafted_ - sent_,
                        .burst = alone ? wanted : 0,
                        .last = last};
  events_->schedule(transmit(now, unsent_), EventKind::kArrival, request);
  sent_ = drafted_;
  unsent_ = {};
  ++outstanding_;
}

// Drafts the next token if window and chunks in flight allow it.
void DeviceAgent::pipeline_on(Seconds now) {
  if (bound_ == 0) {
    closed_ = true;
    send_chunk(now, true);
    return;
  }
  const bool full = drafted_ - verified_ >= window_ || outstanding_ >= setting_->max_in_flight;
  if (!full) {
    start_token(now);
  } else if (outstanding_ == 0) {
    send_chunk(now, false);  // a window smaller than a chunk: the answer must come from somewhere
  }
}

void DeviceAgent::start_token(Seconds now) {
  drafting_ = true;
  next_token_ = row(drafted_);
  const Seconds time = setting_->profile.draft_time(text_.context() + drafted_, 1);
  draft_for(now, time);
  events_->schedule(now + time, EventKind::kToken, {.device = number_});
}

void DeviceAgent::on_token(Seconds now) {
  drafting_ = false;
  const bool unsure = is_none(next_token_) || next_token_.top1 < plan_.min_top1;
  if (!unsure) {
    take(next_token_);
  }
  for (std::size_t i = 0; i < unread_; ++i) {
    if (read(now, inbox_[i], true)) {
      return;
    }
  }
  unread_ = 0;
  if (unsure || !wants_more(next_token_)) {
    closed_ = true;
    send_chunk(now, true);
    return;
  }
  if (drafted_ - sent_ >= plan_.chunk) {
    send_chunk(now, false);
  }
  pipeline_on(now);
}

// Sent beside whatever the device does, by its transport.
void DeviceAgent::acknowledge(Seconds now) {
  const std::uint64_t size = setting_->wire.up_ack_bytes;
  if (size == 0) {
    return;
  }
  totals_.up_bytes += size;
  const Seconds waiting = link_->backlog(link::Direction::kUp, now);
  link_->send(link::Direction::kUp, now, size);
  const Seconds airtime = link_->backlog(link::Direction::kUp, now) - waiting;
  activity_.tx += airtime;
  activity_.tx_while_drafting += airtime;
}

void DeviceAgent::on_answer(Seconds now, const Request& answer) {
  acknowledge(now);
  if (answer.round != totals_.rounds) {
    return;
  }
  if (drafting_) {
    inbox_[unread_++] = answer;
    return;
  }
  if (!read(now, answer, now < trying_until_) && !closed_) {
    pipeline_on(now);
  }
}

bool DeviceAgent::read(Seconds now, const Request& answer, bool while_drafting) {
  activity_.rx += answer.receiving;
  activity_.rx_while_drafting += while_drafting ? answer.receiving : Seconds();
  if (plan_.mode != control::RoundMode::kTargetOnly || written_ == 0) {
    queue_ += kNewWait * (answer.queued - queue_);
  }
  others_ += kNewWait * (answer.others - others_);
  fleet_ = answer.fleet;
  ++outcome_.passes;
  if (plan_.mode == control::RoundMode::kTargetOnly) {
    ++written_;
    if (answer.last) {
      end_burst(now);
    } else {
      go_on_trying(now);
    }
    return answer.last;
  }
  --outstanding_;
  verified_ += answer.accepted;
  const bool over = answer.last || answer.rejected();
  if (over) {
    outcome_.accepted = verified_;
    finish(now, std::min(verified_ + 1, text_.left()));
  }
  return over;
}

void DeviceAgent::on_stale(Seconds now, Seconds receiving) {
  ++totals_.stale;
  on_ack(receiving);
  acknowledge(now);
}

void DeviceAgent::on_ack(Seconds receiving) {
  activity_.rx += receiving;
  activity_.rx_while_drafting += receiving;
}

// Idle power all the time, and what each activity adds to it.
energy::PhaseJoules DeviceAgent::energy(Seconds elapsed) const {
  const energy::DeviceProfile& device = setting_->profile;
  const Activity& a = activity_;
  const Seconds busy = a.draft + (a.tx - a.tx_while_drafting) + (a.rx - a.rx_while_drafting);
  energy::PhaseJoules joules = energy::modelled_energy(
      device, {.draft = a.draft, .tx = a.tx, .rx = a.rx, .wait = elapsed - busy});
  joules.tx -= device.wait_power() * a.tx_while_drafting;
  joules.rx -= device.wait_power() * a.rx_while_drafting;
  return joules;
}

void DeviceAgent::finish(Seconds now, std::uint32_t committed) {
  const Seconds elapsed = now - begin_;
  const energy::PhaseJoules joules = energy(elapsed);
  outcome_.drafted = drafted_;
  outcome_.committed = committed;
  outcome_.elapsed = elapsed;
  outcome_.drafting = activity_.draft;
  outcome_.energy =
      setting_->accounting == Accounting::kPaper ? joules.paper_accounting() : joules.total();
  policy_->end_round(outcome_);
  ++totals_.rounds;
  totals_.tokens += committed;
  totals_.drafted += drafted_;
  totals_.accepted += outcome_.accepted;
  totals_.passes += outcome_.passes;
  totals_.elapsed += elapsed;
  totals_.drafting += activity_.draft;
  totals_.energy += joules;
  totals_.round_throughput += elapsed > Seconds() ? committed / elapsed.value() : 0.0;
  text_.advance(committed);
}

}  // namespace gelato::sim
