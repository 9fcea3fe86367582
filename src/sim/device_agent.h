// One device of a run: the round loop on the virtual clock.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "event_queue.h"
#include "gelato/base/rng.h"
#include "gelato/control/policy.h"
#include "gelato/link/link_emulator.h"
#include "gelato/sim/setting.h"
#include "gelato/sim/simulation.h"
#include "text_cursor.h"

namespace gelato::sim {

class DeviceAgent {
 public:
  // All references outlive the agent. `foresight` may be null.
  DeviceAgent(const Setting& setting, std::uint32_t number, control::Policy& policy,
              TextCursor text, link::LinkEmulator& link, EventQueue& events, Foresight* foresight);

  // So many devices use the edge as the session opens.
  void opened(std::size_t fleet) { fleet_ = fleet; }
  // Between rounds: goes on with another device, link and text. All outlive the agent.
  void change(const Setting& setting, TextCursor text, link::LinkEmulator& link);
  void begin_round(Seconds now);
  void on_token(Seconds now);
  void on_send(Seconds now);
  void on_alone(Seconds now);
  void on_tried(Seconds now);
  void on_answer(Seconds now, const Request& answer);
  // The edge dropped a chunk of an earlier round.
  void on_stale(Seconds now, Seconds receiving);
  // The edge's transport has acknowledged a message, with this airtime.
  void on_ack(Seconds receiving);
  // An answer of `bytes` is on its way.
  void count_download(std::uint64_t bytes) { totals_.down_bytes += bytes; }

  // Of the tokens drafted in this round, how many from the first on are the target's.
  [[nodiscard]] std::uint32_t matching() const { return matching_; }
  [[nodiscard]] link::LinkEmulator& link() { return *link_; }
  [[nodiscard]] control::UplinkFormat uplink() const { return plan_.uplink; }
  [[nodiscard]] const DeviceTotals& totals() const { return totals_; }
  // The round that ended last.
  [[nodiscard]] const control::RoundPlan& plan() const { return plan_; }
  [[nodiscard]] const control::RoundOutcome& outcome() const { return outcome_; }

 private:
  // Time per activity within a round. Activities overlap when the policy pipelines.
  struct Activity {
    Seconds draft;
    Seconds tx;
    Seconds rx;
    Seconds tx_while_drafting;
    Seconds rx_while_drafting;
  };
  static constexpr std::size_t kInbox = control::kMaxDraftLength + 1;

  [[nodiscard]] control::CostEstimate cost(Seconds now) const;
  [[nodiscard]] const TraceToken& row(std::uint32_t place) const;
  [[nodiscard]] bool ends_text() const;
  [[nodiscard]] bool wants_more(const TraceToken& token);
  [[nodiscard]] bool keep_drafting(const TraceToken& token);
  void take(const TraceToken& token);
  void draft_at_once(Seconds now);
  void try_draft(Seconds now);
  void go_on_trying(Seconds now);
  void end_trial();
  void end_burst(Seconds now);
  void start_token(Seconds now);
  void pipeline_on(Seconds now);
  void send_chunk(Seconds now, bool last);
  Seconds transmit(Seconds now, Bits payload);
  void acknowledge(Seconds now);
  void draft_for(Seconds begin, Seconds time);
  // True: the round has ended.
  bool read(Seconds now, const Request& answer, bool while_drafting);
  void finish(Seconds now, std::uint32_t committed);
  [[nodiscard]] energy::PhaseJoules energy(Seconds elapsed) const;

  const Setting* setting_;
  std::uint32_t number_;
  control::Policy* policy_;
  TextCursor text_;
  link::LinkEmulator* link_;
  EventQueue* events_;
  Foresight* foresight_;
  Bits mean_token_bits_;
  Seconds verify_slope_;
  Seconds queue_;          // expected wait for a pass
  Seconds others_;         // expected time of other devices' tokens in it
  std::size_t fleet_ = 1;  // devices at the edge, as it said last

  // Of the round that is running.
  control::RoundPlan plan_;
  control::RoundOutcome outcome_;
  Seconds begin_;
  Activity activity_;
  std::uint32_t bound_ = 0;
  std::uint32_t window_ = 0;
  std::uint32_t drafted_ = 0;
  std::uint32_t matching_ = 0;
  std::uint32_t sent_ = 0;
  std::uint32_t verified_ = 0;
  std::uint32_t written_ = 0;            // of a burst
  std::uint32_t outstanding_ = 0;        // chunks without an answer
  bool drafting_ = false;                // a token is being drafted
  bool closed_ = false;                  // the draft has its last token
  Bits unsent_;                          // payload of the tokens not sent yet
  TraceToken next_token_;                // being drafted
  std::array<Request, kInbox> inbox_{};  // answers that came while drafting
  std::size_t unread_ = 0;
  Seconds sending_until_;
  Seconds trying_until_;          // drafting beside a burst
  std::uint32_t verdict_at_ = 0;  // tokens of it that decide the trial; 0: there is none
  DeviceTotals totals_;
};

}  // namespace gelato::sim
