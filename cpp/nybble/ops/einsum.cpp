#include "nybble/ops/einsum.h"

#include <algorithm>
#include <sstream>

#include "nybble/ops/einsum_plan.h"
#include "nybble/ops/elementwise.h"
#include "nybble/ops/matmul.h"
#include "nybble/ops/op.h"
#include "nybble/ops/rearrange.h"
#include "nybble/ops/reduce.h"
#include "nybble/ops/shape.h"

namespace nybble {
namespace {

/// An operand and the letters of its axes.
struct Operand {
  array value;
  EinsumTerm term;
};

/// Every letter once: the diagonal of axes that share one.
void take_diagonals(Operand& operand) {
  for (size_t i = 0; i < operand.term.size(); ++i) {
    for (size_t j = operand.term.size(); j-- > i + 1;) {
      if (operand.term[j] != operand.term[i]) continue;
      operand.value = diagonal(operand.value, 0, static_cast<int64_t>(i), static_cast<int64_t>(j));
      // The diagonal is the last axis now; back to where the first was.
      operand.value = moveaxis(operand.value, -1, static_cast<int64_t>(i));
      operand.term.erase(j, 1);
    }
  }
}

/// Sums over the letters that nobody else has.
void sum_lonely(Operand& operand, std::string_view others) {
  Dims axes;
  EinsumTerm kept;
  for (size_t i = 0; i < operand.term.size(); ++i) {
    if (has_letter(others, operand.term[i])) {
      kept += operand.term[i];
    } else {
      axes.push_back(static_cast<int64_t>(i));
    }
  }
  if (axes.empty()) return;
  operand.value = sum(operand.value, axes);
  operand.term = kept;
}

/// The operand with its axes in the given order, which names all of them, and axes of length 1 for
/// letters it lacks.
array in_order(const Operand& operand, std::string_view order) {
  Dims axes;
  Shape shape;
  for (const char letter : order) {
    const size_t axis = operand.term.find(letter);
    shape.push_back(axis == EinsumTerm::npos ? 1 : operand.value.shape()[axis]);
    if (axis != EinsumTerm::npos) axes.push_back(static_cast<int64_t>(axis));
  }
  return reshape(transpose(operand.value, axes), shape);
}

/// The operand as a stack of matrices, axes of length 1 repeated.
array as_matrices(const Operand& operand, const EinsumTerm& batch, const EinsumTerm& rows,
                  const EinsumTerm& columns, const EinsumSizes& sizes) {
  const array ordered = in_order(operand, batch + rows + columns);
  Shape full;
  for (const char letter : batch + rows + columns) {
    full.push_back(sizes[static_cast<size_t>(letter)]);
  }
  Shape shape(full.begin(), full.begin() + batch.size());
  int64_t height = 1;
  int64_t width = 1;
  for (const char letter : rows) height *= sizes[static_cast<size_t>(letter)];
  for (const char letter : columns) width *= sizes[static_cast<size_t>(letter)];
  shape.push_back(height);
  shape.push_back(width);
  return reshape(broadcast_to(ordered, full), shape);
}

/// Two operands that share letters the result lacks.
Operand contract_pair(const Operand& a, const Operand& b, std::string_view output,
                      const EinsumSizes& sizes) {
  EinsumTerm batch;
  EinsumTerm summed;
  EinsumTerm rows;
  EinsumTerm columns;
  for (const char letter : a.term) {
    const bool kept = has_letter(output, letter);
    (has_letter(b.term, letter) ? (kept ? batch : summed) : rows) += letter;
  }
  for (const char letter : b.term) {
    if (!has_letter(a.term, letter)) columns += letter;
  }
  const array product = matmul(as_matrices(a, batch, rows, summed, sizes),
                               as_matrices(b, batch, summed, columns, sizes));
  Shape shape;
  for (const char letter : batch + rows + columns) {
    shape.push_back(sizes[static_cast<size_t>(letter)]);
  }
  return {reshape(product, shape), batch + rows + columns};
}

/// Any operands: multiplied with all their axes beside each other, then summed.
Operand multiply_all(const std::vector<Operand>& operands, const EinsumTerm& output) {
  EinsumTerm letters = output;
  for (const Operand& operand : operands) {
    for (const char letter : operand.term) {
      if (!has_letter(letters, letter)) letters += letter;
    }
  }
  array product = in_order(operands[0], letters);
  for (size_t i = 1; i < operands.size(); ++i) {
    product = multiply(product, in_order(operands[i], letters));
  }
  Operand result{product, letters};
  sum_lonely(result, output);
  return result;
}

Operand contract(std::vector<Operand> operands, const EinsumTerm& output,
                 const EinsumSizes& sizes) {
  for (Operand& operand : operands) take_diagonals(operand);
  for (size_t i = 0; i < operands.size(); ++i) {
    std::string others = output;
    for (size_t j = 0; j < operands.size(); ++j) {
      if (j != i) others += operands[j].term;
    }
    sum_lonely(operands[i], others);
  }
  const auto summed = [&](char letter) { return !has_letter(output, letter); };
  const bool shares =
      operands.size() == 2 && std::any_of(operands[0].term.begin(), operands[0].term.end(), summed);
  const Operand result = shares ? contract_pair(operands[0], operands[1], output, sizes)
                                : multiply_all(operands, output);
  return {in_order(result, output), output};
}

}  // namespace

array einsum(std::string_view subscripts, std::span<const array> operands) {
  return apply_op({"einsum", {}, {{"subscripts", subscripts}}, operands}, [&] {
    const EinsumProblem problem = parse_einsum("einsum", subscripts, operands);
    std::vector<Operand> left;
    for (size_t i = 0; i < operands.size(); ++i) left.push_back({operands[i], problem.inputs[i]});
    for (const EinsumStep& step : plan_einsum(problem).steps) {
      std::vector<Operand> chosen;
      for (const size_t place : step.places) chosen.push_back(left[place]);
      for (size_t i = step.places.size(); i-- > 0;) {
        left.erase(left.begin() + static_cast<std::ptrdiff_t>(step.places[i]));
      }
      left.push_back(contract(std::move(chosen), step.output, problem.sizes));
    }
    return left[0].value.alias();
  });
}

EinsumPath einsum_path(std::string_view subscripts, std::span<const array> operands) {
  const EinsumPlan plan = plan_einsum(parse_einsum("einsum_path", subscripts, operands));
  EinsumPath path;
  for (const EinsumStep& step : plan.steps) path.places.push_back(step.places);
  std::ostringstream text;
  text.setf(std::ios::fixed, std::ios::floatfield);
  text.precision(0);
  text << "  Complete contraction:  " << subscripts
       << "\n         Naive scaling:  " << plan.naive_letters
       << "\n     Optimized scaling:  " << plan.letters
       << "\n      Naive FLOP count:  " << plan.naive_cost
       << "\n  Optimized FLOP count:  " << plan.cost << '\n';
  path.text = text.str();
  return path;
}

}  // namespace nybble
