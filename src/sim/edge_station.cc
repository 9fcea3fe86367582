#include "edge_station.h"

#include <algorithm>

namespace gelato::sim {
namespace {

// A device that had an answer, or opened its session, so recently uses the edge: as live
// (SessionTable::others_active).
constexpr Seconds kActive(2.0);

// Tokens of a request in a pass: the target reads the last committed token and the draft. A chunk
// that another follows leaves its last token to that one.
std::uint32_t pass_tokens(const Request& request) {
  return request.burst > 0 || request.last ? request.count + 1 : request.count;
}

}  // namespace

EdgeStation::EdgeStation(const Setting& setting, std::span<DeviceAgent> devices, EventQueue& events)
    : setting_(&setting),
      devices_(devices),
      events_(&events),
      next_round_(devices.size(), 0),
      decided_(devices.size()) {
  queue_.reserve(devices.size() * (control::kMaxDraftLength + 1));
  batch_.reserve(devices.size());
}

void EdgeStation::on_arrival(Seconds now, const Request& request) {
  queue_.push_back({request, now});
  if (const std::uint64_t size = setting_->wire.down_ack_bytes; size > 0) {
    DeviceAgent& device = devices_[request.device];
    Seconds airtime;
    download(now, device, size, airtime);
    device.on_ack(airtime);
  }
  if (!running_) {
    start_pass(now);
  }
}

bool EdgeStation::in_batch(std::uint32_t device) const {
  return std::any_of(batch_.begin(), batch_.end(),
                     [device](const Request& r) { return r.device == device; });
}

void EdgeStation::drop_stale(Seconds now) {
  const auto is_stale = [&](const Waiting& w) {
    if (w.request.round >= next_round_[w.request.device]) {
      return false;
    }
    Seconds airtime;
    download(now, devices_[w.request.device], setting_->wire.down_bytes, airtime);
    devices_[w.request.device].on_stale(now, airtime);
    return true;
  };
  queue_.erase(std::remove_if(queue_.begin(), queue_.end(), is_stale), queue_.end());
}

// The oldest request of each device goes into the pass.
void EdgeStation::start_pass(Seconds now) {
  drop_stale(now);
  batch_.clear();
  std::uint64_t tokens = 0;
  const auto joins = [&](const Waiting& w) {
    if (in_batch(w.request.device)) {
      return false;
    }
    batch_.push_back(w.request);
    // Waiting for the device's own chunk before it is no queue.
    batch_.back().queued = now - std::max(w.since, decided_[w.request.device]);
    tokens += pass_tokens(w.request);
    return true;
  };
  queue_.erase(std::remove_if(queue_.begin(), queue_.end(), joins), queue_.end());
  running_ = !batch_.empty();
  if (!running_) {
    return;
  }
  const Seconds time = setting_->edge.time(tokens);
  const std::size_t fleet = count_active(now);
  for (Request& request : batch_) {
    request.fleet = fleet;
    request.others = time - setting_->edge.time(pass_tokens(request));
  }
  pass_time_ = time;
  events_->schedule(now + time, EventKind::kPass, {});
}

std::size_t EdgeStation::count_active(Seconds now) const {
  std::size_t active = 0;
  for (std::uint32_t device = 0; device < decided_.size(); ++device) {
    active += now - decided_[device] < kActive || in_batch(device) ? 1 : 0;
  }
  return active;
}

void EdgeStation::on_pass(Seconds now) {
  ++passes_;
  busy_ += pass_time_;
  for (const Request& request : batch_) {
    decide(now, request);
  }
  start_pass(now);
}

void EdgeStation::decide(Seconds now, Request request) {
  const DeviceAgent& device = devices_[request.device];
  decided_[request.device] = now;
  // In the paper's T a verdict takes no time; a row that DSSD sends down does.
  std::uint64_t bytes = setting_->accounting == Accounting::kPaper ? 0 : setting_->wire.down_bytes;
  if (request.burst > 0) {
    --request.burst;
    request.last = request.burst == 0;
    if (!request.last) {
      queue_.push_back({request, now});
    }
  } else {
    const std::uint32_t matching = device.matching();
    request.accepted =
        std::min(matching > request.first ? matching - request.first : 0, request.count);
    if (request.rejected() && device.uplink() == control::UplinkFormat::kDssd) {
      bytes += setting_->wire.row_bytes;
    }
  }
  if (request.last || request.rejected()) {
    next_round_[request.device] = request.round + 1;
  }
  answer(now, request, bytes);
}

Seconds EdgeStation::download(Seconds now, DeviceAgent& device, std::uint64_t bytes,
                              Seconds& airtime) const {
  device.count_download(bytes);
  if (bytes == 0 && setting_->accounting == Accounting::kPaper) {
    return now;
  }
  link::LinkEmulator& link = device.link();
  const Seconds waiting = link.backlog(link::Direction::kDown, now);
  const Seconds arrival = link.send(link::Direction::kDown, now, bytes);
  airtime = link.backlog(link::Direction::kDown, now) - waiting;
  return arrival;
}

void EdgeStation::answer(Seconds now, Request request, std::uint64_t bytes) {
  const Seconds arrival = download(now, devices_[request.device], bytes, request.receiving);
  events_->schedule(arrival, EventKind::kAnswer, request);
}

}  // namespace gelato::sim
