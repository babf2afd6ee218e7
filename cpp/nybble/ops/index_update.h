#pragma once

// a.at[items].add(value) and its like.

#include <span>

#include "nybble/ops/indexing.h"

namespace nybble {

enum class IndexUpdate { kAdd, kSubtract, kMultiply, kDivide, kMaximum, kMinimum };

/// A copy of a in which every selected element x is replaced by x op value, one after the other if
/// an element is named several times. The value is converted to a's dtype (but a quotient of
/// integers or bools is formed from real numbers and truncated), and broadcasts as for set_item.
/// Integers wrap; for bool, add is or, multiply is and. std::invalid_argument for the difference of
/// bools and for masks, else as for set_item.
array update_item(const array& a, std::span<const IndexItem> items, const array& value,
                  IndexUpdate update);

}  // namespace nybble
