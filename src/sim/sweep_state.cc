#include "gelato/sim/sweep_state.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

namespace gelato::sim {
namespace {

// Calls `field` with every number of a run, in the order of the file.
template <class Run, class Field>
void each_number(Run& run, Field field) {
  auto& t = run.total;
  for (auto* count : {&t.rounds, &t.tokens, &t.unverified, &t.drafted, &t.accepted, &t.passes,
                      &t.stale, &t.up_bytes, &t.down_bytes, &run.edge_passes}) {
    field(*count);
  }
  for (auto* time : {&t.elapsed, &t.drafting, &run.edge_busy, &run.elapsed}) {
    field(*time);
  }
  for (auto* joules : {&t.energy.draft, &t.energy.tx, &t.energy.rx, &t.energy.wait}) {
    field(*joules);
  }
  for (auto* plain : {&t.round_throughput, &run.rate, &run.slowest, &run.fairness}) {
    field(*plain);
  }
}

void each_number(TheoremCheck& check, const auto& field) {
  field(check.overshoot);
  field(check.overshoot_bound);
  field(check.gap);
  field(check.gap_bound);
  field(check.gap_noise);
  field(check.shortfall);
  field(check.shortfall_noise);
}

void each_number(RoundSample& round, const auto& field) {
  field(round.planned);
  field(round.drafted);
  field(round.committed);
  field(round.elapsed);
  field(round.energy);
}

class Writer {
 public:
  void operator()(std::uint64_t count) { out += fmt::format(" {}", count); }
  void operator()(double number) { out += fmt::format(" {:a}", number); }
  template <class Tag>
  void operator()(Quantity<Tag> quantity) {
    (*this)(quantity.value());
  }
  std::string out;
};

class Reader {
 public:
  explicit Reader(std::string_view line) : rest_(line) {}

  std::string_view word() {
    const std::size_t begin = std::min(rest_.find_first_not_of(' '), rest_.size());
    const std::size_t end = std::min(rest_.find(' ', begin), rest_.size());
    const std::string_view found = rest_.substr(begin, end - begin);
    rest_.remove_prefix(end);
    good = good && !found.empty();
    return found;
  }
  void operator()(std::uint64_t& count) {
    const std::string_view text = word();
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
    good = good && error == std::errc() && end == text.data() + text.size();
  }
  void operator()(double& number) {
    std::string_view text = word();
    const bool negative = text.starts_with('-');
    text.remove_prefix(negative ? 1 : 0);
    text.remove_prefix(text.starts_with("0x") ? 2 : 0);  // from_chars wants none
    const auto [end, error] =
        std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::hex);
    good = good && error == std::errc() && end == text.data() + text.size();
    number = negative ? -number : number;
  }
  template <class Tag>
  void operator()(Quantity<Tag>& quantity) {
    double number = 0.0;
    (*this)(number);
    quantity = Quantity<Tag>(number);
  }
  [[nodiscard]] bool at_end() const { return rest_.empty(); }
  bool good = true;

 private:
  std::string_view rest_;
};

std::optional<Row> parse_row(std::string_view line, const Scenario& scenario) {
  Reader reader(line);
  std::uint64_t cell = 0;
  std::uint64_t entry = 0;
  std::uint64_t has_check = 0;
  reader(cell);
  reader(entry);
  Row row;
  row.policy = reader.word();
  reader(has_check);
  if (!reader.good || cell >= scenario.cells.size() || entry >= scenario.entries.size()) {
    return std::nullopt;
  }
  row.cell = cell;
  row.entry = entry;
  if (has_check == 1) {
    each_number(row.theorem.emplace(), [&](auto& number) { reader(number); });
  }
  for (std::uint32_t i = 0; i < scenario.seeds; ++i) {
    each_number(row.runs.emplace_back(), [&](auto& number) { reader(number); });
  }
  std::uint64_t rounds = 0;
  reader(rounds);
  for (std::uint64_t i = 0; reader.good && i < std::min<std::uint64_t>(rounds, kMaxRecordedRounds);
       ++i) {
    each_number(row.rounds.emplace_back(), [&](auto& number) { reader(number); });
  }
  return reader.good && reader.at_end() ? std::optional(row) : std::nullopt;
}

}  // namespace

std::string state_head(const Scenario& scenario, std::string_view program) {
  return fmt::format("gelato-sim-state 2 {:016x} {}\n", scenario.fingerprint, program);
}

std::string state_line(const Row& row) {
  Writer writer;
  writer(std::uint64_t{row.cell});
  writer(std::uint64_t{row.entry});
  writer.out += " " + row.policy;
  writer(std::uint64_t{row.theorem ? 1U : 0U});
  if (row.theorem) {
    TheoremCheck check = *row.theorem;
    each_number(check, [&](auto& number) { writer(number); });
  }
  for (const RunSummary& run : row.runs) {
    each_number(run, [&](auto& number) { writer(number); });
  }
  writer(std::uint64_t{row.rounds.size()});
  for (RoundSample round : row.rounds) {
    each_number(round, [&](auto& number) { writer(number); });
  }
  return writer.out.substr(1) + "\n";
}

Result<std::vector<Row>> parse_state(std::string_view text, const Scenario& scenario,
                                     std::string_view program) {
  if (text.size() > kMaxStateBytes) {
    return fail(ErrorCode::kLimitExceeded,
                fmt::format("the state has more than {} bytes", kMaxStateBytes));
  }
  const std::string head = state_head(scenario, program);
  if (!text.starts_with(head)) {
    return fail(ErrorCode::kInvalidArgument,
                "the state is of another scenario, seed or version; remove it to begin anew");
  }
  std::vector<Row> rows;
  std::size_t number = 1;
  for (std::size_t begin = head.size(); begin < text.size();) {
    const std::size_t end = text.find('\n', begin);
    if (end == std::string_view::npos) {
      break;  // the interrupt came while it was written
    }
    ++number;
    auto row = parse_row(text.substr(begin, end - begin), scenario);
    if (!row) {
      return fail(ErrorCode::kCorrupt,
                  fmt::format("line {} of the state is damaged; remove it to begin anew", number));
    }
    rows.push_back(*std::move(row));
    begin = end + 1;
  }
  return rows;
}

}  // namespace gelato::sim
