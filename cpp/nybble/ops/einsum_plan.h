#pragma once

// Inside ops: einsum's subscripts, and the order of its contractions. No arithmetic.

#include <array>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "nybble/array/array.h"

namespace nybble {

/// The axes of an operand, one letter each.
using EinsumTerm = std::string;

/// Lengths by letter.
using EinsumSizes = std::array<int64_t, 128>;

/// Subscripts read against the shapes of their operands; ellipses are replaced by letters.
struct EinsumProblem {
  std::vector<EinsumTerm> inputs;
  EinsumTerm output;
  EinsumSizes sizes{};
};
EinsumProblem parse_einsum(std::string_view op, std::string_view subscripts,
                           std::span<const array> operands);

/// One contraction: the places of its operands, ascending, and the term of its result.
struct EinsumStep {
  std::vector<size_t> places;
  EinsumTerm output;
};

struct EinsumPlan {
  std::vector<EinsumStep> steps;
  // Multiplications and additions, and the letters of the largest contraction; of one contraction
  // of all operands, and of the steps.
  double naive_cost, cost;
  size_t naive_letters, letters;
};

/// Greedy: of all pairs that share a letter, the one first whose result is smallest beside its
/// operands, unless that costs more than all at once or needs more room than operands and result.
EinsumPlan plan_einsum(const EinsumProblem& problem);

/// True if the term has the letter.
inline bool has_letter(std::string_view term, char letter) {
  return term.find(letter) != std::string_view::npos;
}

}  // namespace nybble
