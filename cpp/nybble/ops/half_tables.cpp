#include "nybble/ops/half_tables.h"

#include <array>
#include <atomic>
#include <memory>
#include <numeric>

#include "nybble/kernels/elementwise/lookup.h"

namespace nybble {
namespace {

using Halves = std::array<uint16_t, kernels::kHalfValues>;

struct Table {
  kernels::UnaryKernel kernel;
  const Table* next;
  Halves results;
};

std::unique_ptr<Table> make_table(kernels::UnaryKernel kernel) {
  auto numbers = std::make_unique<Halves>();
  std::iota(numbers->begin(), numbers->end(), uint16_t{0});
  auto table = std::make_unique<Table>();
  table->kernel = kernel;
  kernel(numbers->data(), 1, table->results.data(), static_cast<int64_t>(numbers->size()));
  return table;
}

}  // namespace

const uint16_t* half_table(kernels::UnaryKernel kernel) {
  // A list that only grows, at its head, so that no lock can be left behind in a forked child. Two
  // threads may make the same table: nobody minds.
  static std::atomic<const Table*> head{nullptr};
  for (const Table* t = head.load(std::memory_order_acquire); t != nullptr; t = t->next) {
    if (t->kernel == kernel) return t->results.data();
  }
  Table* table = make_table(kernel).release();
  const Table* next = head.load(std::memory_order_relaxed);
  do {
    table->next = next;
  } while (!head.compare_exchange_weak(next, table, std::memory_order_release));
  return table->results.data();
}

}  // namespace nybble
