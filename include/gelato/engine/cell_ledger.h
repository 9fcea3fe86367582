// Who holds which cell of a KV cache whose sequences share their prefixes.
#pragma once

#include <cstdint>
#include <vector>

namespace gelato::engine {

// Bookkeeping only: its cell numbers are its own, not llama.cpp's. A cell is one token after the
// cell before it, so the sequences form a tree; a copied prefix shares cells, and a cell is free
// again when nothing leads to it. Nothing allocates after construction.
class CellLedger {
 public:
  // `cells` < 2^32 - 1.
  CellLedger(std::uint32_t cells, std::uint32_t sequences);

  [[nodiscard]] std::uint32_t free_cells() const {
    return static_cast<std::uint32_t>(free_.size());
  }
  [[nodiscard]] std::uint32_t sequences() const {
    return static_cast<std::uint32_t>(sequences_.size());
  }
  [[nodiscard]] std::uint32_t length(std::uint32_t sequence) const {
    return sequences_.at(sequence).length;
  }

  // Precondition: count <= free_cells().
  void append(std::uint32_t sequence, std::uint32_t count);
  // Keeps the first `length` cells of the sequence; no effect if it has no more.
  void truncate(std::uint32_t sequence, std::uint32_t length);
  // `to`, which is empty, shares the first `length` <= length(from) cells of `from`.
  void share(std::uint32_t from, std::uint32_t to, std::uint32_t length);
  void clear();

 private:
  struct Cell {
    std::uint32_t before = 0;
    std::uint32_t holders = 0;  // cells right after it, and sequences that end with it
  };
  struct End {
    std::uint32_t cell = 0;
    std::uint32_t length = 0;
  };
  void release(std::uint32_t cell);

  std::vector<Cell> cells_;
  std::vector<std::uint32_t> free_;
  std::vector<End> sequences_;
};

}  // namespace gelato::engine
