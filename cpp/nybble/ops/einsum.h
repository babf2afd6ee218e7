#pragma once

// Einstein's sum convention: axes are named by letters, "ij,jk->ik". Letters that the result does
// not name are summed over; a letter twice in one operand takes its diagonal; "..." stands for axes
// that broadcast. Without "->" the result has the letters that occur once, in alphabetical order,
// behind those of "...". Axes of length 1 broadcast.

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "nybble/array/array.h"

namespace nybble {

/// The result, contracted pair by pair along einsum_path(), by matmul() where letters are summed
/// over that both operands have. std::invalid_argument if subscripts and operands do not fit.
array einsum(std::string_view subscripts, std::span<const array> operands);

/// The order of the contractions: of each, the places of its operands among those left, to which
/// its result is appended. The text says what that saves.
struct EinsumPath {
  std::vector<std::vector<size_t>> places;
  std::string text;
};
EinsumPath einsum_path(std::string_view subscripts, std::span<const array> operands);

}  // namespace nybble
