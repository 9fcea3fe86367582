// What happens when, on the virtual clock of one run.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "gelato/base/units.h"

namespace gelato::sim {

// What a device asks of the edge: one chunk of a draft, or tokens of the target's own.
struct Request {
  std::uint32_t device = 0;
  std::uint64_t round = 0;
  std::uint32_t first = 0;  // place of its first token in the round's draft
  std::uint32_t count = 0;  // drafted tokens
  std::uint32_t burst = 0;  // tokens that the target is still to write alone; 0: a chunk
  bool last = true;         // of its round: accepted whole, it brings the bonus token
  // The answer.
  std::uint32_t accepted = 0;
  Seconds queued{};       // before its pass
  Seconds others{};       // by how much the other devices' tokens lengthened the pass
  Seconds receiving{};    // airtime of the answer
  std::size_t fleet = 1;  // devices that use the edge these seconds

  // The device's assumption, that all of it stands, was wrong.
  [[nodiscard]] bool rejected() const { return accepted < count; }
};

enum class EventKind : std::uint8_t {
  kBegin,    // device: its first round
  kToken,    // device: a token is drafted
  kSend,     // device: the draft is complete and goes up
  kAlone,    // device: a draft that nobody verifies is complete
  kArrival,  // edge: a request is there
  kPass,     // edge: the pass has ended
  kAnswer,   // device: an answer is there
  kTried,    // device: the draft beside a burst that is over is complete
};

struct Event {
  Seconds at;
  std::uint64_t order = 0;  // of events at the same instant: as they were scheduled
  EventKind kind = EventKind::kBegin;
  Request request;
};

class EventQueue {
 public:
  explicit EventQueue(std::size_t room) { heap_.reserve(room); }

  void schedule(Seconds at, EventKind kind, const Request& request) {
    heap_.push_back({at, next_++, kind, request});
    if (heap_.size() > 1) {  // a lone device has one event at a time
      std::push_heap(heap_.begin(), heap_.end(), Later{});
    }
  }
  [[nodiscard]] bool empty() const { return heap_.empty(); }
  Event pop() {
    if (heap_.size() > 1) {
      std::pop_heap(heap_.begin(), heap_.end(), Later{});
    }
    const Event event = heap_.back();
    heap_.pop_back();
    return event;
  }

 private:
  struct Later {
    bool operator()(const Event& a, const Event& b) const {
      return a.at > b.at || (a.at == b.at && a.order > b.order);
    }
  };
  std::vector<Event> heap_;
  std::uint64_t next_ = 0;
};

}  // namespace gelato::sim
