// What devices do, on its way to the model thread.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <variant>
#include <vector>

#include "gelato/base/units.h"
#include "gelato/edge/outbox.h"
#include "gelato/proto/messages.h"

namespace gelato::edge {

struct Attached {
  std::string client;
};
struct Lost {};

struct Event {
  std::shared_ptr<Outbox> out;
  Seconds arrived;
  std::variant<Attached, proto::DeviceMessage, Lost> what;
};

// Unbounded by itself: each stream stops reading while it has too many events in here
// (Outbox::consumed()).
class Mailbox {
 public:
  void put(Event event) {
    const std::lock_guard lock(mutex_);
    events_.push_back(std::move(event));
    changed_.notify_one();
  }
  void wake() {
    const std::lock_guard lock(mutex_);
    woken_ = true;
    changed_.notify_one();
  }
  void drain() {
    const std::lock_guard lock(mutex_);
    draining_ = true;
    changed_.notify_one();
  }
  void stop() {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    changed_.notify_one();
  }

  // Swaps the waiting events into `events`, which is empty.
  void take(std::vector<Event>& events) {
    const std::lock_guard lock(mutex_);
    events.swap(events_);
    woken_ = false;
  }
  [[nodiscard]] bool draining() const {
    const std::lock_guard lock(mutex_);
    return draining_;
  }
  [[nodiscard]] bool stopped() const {
    const std::lock_guard lock(mutex_);
    return stopped_;
  }
  // Until something happens, at most for `at_most`.
  void wait(Seconds at_most) {
    std::unique_lock lock(mutex_);
    const bool was_draining = draining_;
    changed_.wait_for(lock, std::chrono::duration<double>(at_most.value()), [&] {
      return !events_.empty() || woken_ || stopped_ || draining_ != was_draining;
    });
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Event> events_;
  bool woken_ = false;
  bool draining_ = false;
  bool stopped_ = false;
};

}  // namespace gelato::edge
