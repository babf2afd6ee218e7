#pragma once

// Inside ops: functions of 16-bit floats as tables of all their values.

#include <cstdint>

#include "nybble/base/dtype.h"
#include "nybble/kernels/elementwise/loops.h"

namespace nybble {

/// From so many elements on, a table is faster than the function, even if it is made for them.
inline constexpr int64_t kTabledElements = 65536;

/// kernel of each of the 65536 numbers, by their bits: made by the kernel itself at the first call,
/// and kept (128 KiB). The kernel is that of a function from a 16-bit floating dtype to itself.
/// Safe from several threads.
const uint16_t* half_table(kernels::UnaryKernel kernel);

}  // namespace nybble
