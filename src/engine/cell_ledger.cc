#include "gelato/engine/cell_ledger.h"

#include <cassert>
#include <limits>
#include <numeric>

namespace gelato::engine {
namespace {

constexpr std::uint32_t kNone = std::numeric_limits<std::uint32_t>::max();

}  // namespace

CellLedger::CellLedger(std::uint32_t cells, std::uint32_t sequences)
    : cells_(cells), free_(cells), sequences_(sequences, End{kNone}) {
  std::iota(free_.begin(), free_.end(), 0U);
}

void CellLedger::append(std::uint32_t sequence, std::uint32_t count) {
  assert(count <= free_cells());
  End& end = sequences_.at(sequence);
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::uint32_t cell = free_.back();
    free_.pop_back();
    cells_[cell] = {.before = end.cell, .holders = 1};  // what held `before` is now this cell
    end.cell = cell;
  }
  end.length += count;
}

void CellLedger::truncate(std::uint32_t sequence, std::uint32_t length) {
  End& end = sequences_.at(sequence);
  while (end.length > length) {
    const std::uint32_t last = end.cell;
    end.cell = cells_[last].before;
    --end.length;
    if (end.cell != kNone) {
      ++cells_[end.cell].holders;
    }
    release(last);
  }
}

void CellLedger::release(std::uint32_t cell) {
  if (--cells_[cell].holders > 0) {
    return;
  }
  free_.push_back(cell);
  const std::uint32_t before = cells_[cell].before;
  if (before != kNone) {
    --cells_[before].holders;  // never the last: the caller holds it
    assert(cells_[before].holders > 0);
  }
}

void CellLedger::share(std::uint32_t from, std::uint32_t to, std::uint32_t length) {
  assert(from != to && sequences_.at(to).length == 0 && length <= sequences_.at(from).length);
  if (length == 0) {
    return;
  }
  std::uint32_t cell = sequences_[from].cell;
  for (std::uint32_t at = sequences_[from].length; at > length; --at) {
    cell = cells_[cell].before;
  }
  ++cells_[cell].holders;
  sequences_[to] = {.cell = cell, .length = length};
}

void CellLedger::clear() {
  for (std::uint32_t sequence = 0; sequence < sequences(); ++sequence) {
    truncate(sequence, 0);
  }
}

}  // namespace gelato::engine
