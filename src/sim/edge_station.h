// The edge of a run: one queue, one pass at a time.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "device_agent.h"
#include "event_queue.h"
#include "gelato/sim/setting.h"

namespace gelato::sim {

class EdgeStation {
 public:
  // All outlive the station.
  EdgeStation(const Setting& setting, std::span<DeviceAgent> devices, EventQueue& events);

  // From the next pass on.
  void change(const Setting& setting) { setting_ = &setting; }
  void on_arrival(Seconds now, const Request& request);
  void on_pass(Seconds now);

  [[nodiscard]] std::uint64_t passes() const { return passes_; }
  [[nodiscard]] Seconds busy() const { return busy_; }

 private:
  struct Waiting {
    Request request;
    Seconds since;
  };
  void start_pass(Seconds now);
  void drop_stale(Seconds now);
  [[nodiscard]] bool in_batch(std::uint32_t device) const;
  [[nodiscard]] std::size_t count_active(Seconds now) const;
  void decide(Seconds now, Request request);
  void answer(Seconds now, Request request, std::uint64_t bytes);
  // Sends an answer; returns when it arrives and notes its airtime.
  Seconds download(Seconds now, DeviceAgent& device, std::uint64_t bytes, Seconds& airtime) const;

  const Setting* setting_;
  std::span<DeviceAgent> devices_;
  EventQueue* events_;
  std::vector<Waiting> queue_;
  std::vector<Request> batch_;
  std::vector<std::uint64_t> next_round_;  // per device: requests of earlier rounds are stale
  std::vector<Seconds> decided_;           // per device: when its last request was
  bool running_ = false;
  Seconds pass_time_;
  std::uint64_t passes_ = 0;
  Seconds busy_;
};

}  // namespace gelato::sim
