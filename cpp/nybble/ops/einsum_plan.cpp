#include "nybble/ops/einsum_plan.h"

#include <algorithm>
#include <numeric>
#include <optional>
#include <tuple>

namespace nybble {
namespace {

constexpr std::string_view kLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
constexpr std::string_view kEllipsis = "...";

std::vector<EinsumTerm> split_terms(std::string_view text) {
  std::vector<EinsumTerm> terms(1);
  for (const char c : text) {
    if (c == ',') {
      terms.emplace_back();
    } else {
      terms.back() += c;
    }
  }
  return terms;
}

/// The letters that occur once in all operands, behind an ellipsis if there is one.
EinsumTerm implied_output(const std::vector<EinsumTerm>& inputs) {
  EinsumTerm result;
  const std::string all = std::accumulate(inputs.begin(), inputs.end(), std::string());
  if (has_letter(all, '.')) result = kEllipsis;
  for (const char letter : kLetters) {
    if (std::count(all.begin(), all.end(), letter) == 1) result += letter;
  }
  return result;
}

/// Where the ellipsis of a term is; fails for anything but letters and one ellipsis.
std::optional<size_t> find_ellipsis(std::string_view op, std::string_view term) {
  std::optional<size_t> place;
  for (size_t i = 0; i < term.size(); ++i) {
    if (has_letter(kLetters, term[i])) continue;
    if (term.substr(i, kEllipsis.size()) != kEllipsis) {
      fail(op, "got '", term[i], "' in \"", term, "\", expected letters, or one \"...\".");
    }
    if (place) fail(op, "got \"", term, "\", expected no more than one ellipsis (...).");
    place = i;
    i += kEllipsis.size() - 1;
  }
  return place;
}

/// Reads one set of subscripts.
class Parser {
 public:
  Parser(std::string_view op, std::string_view subscripts, std::span<const array> operands)
      : op_(op), operands_(operands) {
    std::string text;
    std::copy_if(subscripts.begin(), subscripts.end(), std::back_inserter(text),
                 [](char c) { return c != ' '; });
    const size_t arrow = text.find("->");
    problem_.inputs = split_terms(text.substr(0, arrow));
    problem_.output =
        arrow == std::string::npos ? implied_output(problem_.inputs) : text.substr(arrow + 2);
    for (const char letter : kLetters) {
      if (!has_letter(text, letter)) unused_ += letter;
    }
  }

  EinsumProblem parse() {
    if (problem_.inputs.size() != operands_.size()) {
      fail(op_, "got subscripts for ", problem_.inputs.size(), " operands and ", operands_.size(),
           " operands, expected as many.");
    }
    size_t longest = 0;
    for (size_t i = 0; i < operands_.size(); ++i) longest = std::max(longest, expand_input(i));
    if (const auto place = find_ellipsis(op_, problem_.output)) {
      problem_.output.replace(*place, kEllipsis.size(), unused_.substr(unused_.size() - longest));
    }
    for (size_t i = 0; i < operands_.size(); ++i) measure(i);
    check_output();
    return std::move(problem_);
  }

 private:
  /// Letters for the ellipsis of an operand, from the end, so that axes count from the last.
  size_t expand_input(size_t i) {
    EinsumTerm& term = problem_.inputs[i];
    const size_t ndim = operands_[i].ndim();
    const auto place = find_ellipsis(op_, term);
    const size_t named = term.size() - (place ? kEllipsis.size() : 0);
    if (place ? named > ndim : named != ndim) {
      fail(op_, "got ", named, " letters in \"", term, "\" for operand ", i, " of shape ",
           operands_[i].shape(), ".");
    }
    if (!place) return 0;
    const size_t length = ndim - named;
    if (length > unused_.size()) fail(op_, "there are not enough letters for so many axes.");
    term.replace(*place, kEllipsis.size(), unused_.substr(unused_.size() - length));
    return length;
  }

  void measure(size_t i) {
    const EinsumTerm& term = problem_.inputs[i];
    for (size_t axis = 0; axis < term.size(); ++axis) {
      const int64_t length = operands_[i].shape()[axis];
      const size_t first = term.find(term[axis]);
      if (operands_[i].shape()[first] != length) {
        fail(op_, "axes ", first, " and ", axis, " of shape ", operands_[i].shape(),
             " have one letter, but not one length.");
      }
      int64_t& size = problem_.sizes[static_cast<size_t>(term[axis])];
      if (known_.find(term[axis]) == std::string::npos) {
        known_ += term[axis];
        size = length;
      } else if (size == 1) {
        size = length;
      } else if (length != 1 && length != size) {
        fail(op_, "axis ", axis, " of operand ", i, " of shape ", operands_[i].shape(),
             " does not broadcast to length ", size, ".");
      }
    }
  }

  void check_output() const {
    const EinsumTerm& output = problem_.output;
    for (size_t i = 0; i < output.size(); ++i) {
      if (output.find(output[i]) != i) {
        fail(op_, "the result names the letter '", output[i], "' twice.");
      }
      if (!has_letter(known_, output[i])) {
        fail(op_, "the result names the letter '", output[i], "', which no operand has.");
      }
    }
  }

  std::string_view op_;
  std::span<const array> operands_;
  std::string unused_;  // letters for ellipses
  std::string known_;   // letters that have a size
  EinsumProblem problem_;
};

/// The letters of all terms, each once.
EinsumTerm union_of(std::initializer_list<std::string_view> terms) {
  EinsumTerm result;
  for (const std::string_view term : terms) {
    for (const char letter : term) {
      if (!has_letter(result, letter)) result += letter;
    }
  }
  return result;
}

double size_of(std::string_view letters, const EinsumSizes& sizes) {
  double size = 1;
  for (const char letter : union_of({letters})) {
    size *= static_cast<double>(sizes[static_cast<size_t>(letter)]);
  }
  return size;
}

/// Multiplications and additions to contract so many operands over these letters.
double cost_of(std::string_view letters, bool sums, size_t operands, const EinsumSizes& sizes) {
  const size_t products = std::max<size_t>(operands, 2) - 1;
  return size_of(letters, sizes) * static_cast<double>(products + (sums ? 1 : 0));
}

struct Pair {
  double saved;  // room of the operands less that of the result
  double cost;
  size_t letters;
  size_t first, second;
  EinsumTerm output;
};

/// The search for pairs among the terms that are left.
class GreedySearch {
 public:
  GreedySearch(const EinsumProblem& problem, double cost_limit)
      : terms_(problem.inputs), problem_(problem), cost_limit_(cost_limit) {
    room_limit_ = size_of(problem.output, problem.sizes);
    for (const EinsumTerm& term : terms_) {
      room_limit_ = std::max(room_limit_, size_of(term, problem.sizes));
    }
  }

  void run(EinsumPlan& plan) {
    std::vector<std::pair<size_t, size_t>> places;
    for (size_t i = 0; i < terms_.size(); ++i) {
      for (size_t j = i + 1; j < terms_.size(); ++j) places.emplace_back(i, j);
    }
    while (terms_.size() > 1) {
      for (const auto& [i, j] : places) consider(i, j, /*disjoint=*/false, plan.cost);
      if (pairs_.empty()) {
        for (const auto& [i, j] : places) consider(i, j, /*disjoint=*/true, plan.cost);
      }
      if (pairs_.empty()) return take_rest(plan);
      take_best(plan);
      places.clear();
      for (size_t i = 0; i + 1 < terms_.size(); ++i) places.emplace_back(i, terms_.size() - 1);
    }
  }

 private:
  bool needed(char letter, size_t i, size_t j) const {
    if (has_letter(problem_.output, letter)) return true;
    for (size_t k = 0; k < terms_.size(); ++k) {
      if (k != i && k != j && has_letter(terms_[k], letter)) return true;
    }
    return false;
  }

  void consider(size_t i, size_t j, bool disjoint, double cost_before) {
    const EinsumTerm letters = union_of({terms_[i], terms_[j]});
    const size_t apart = union_of({terms_[i]}).size() + union_of({terms_[j]}).size();
    if (!disjoint && letters.size() == apart) return;
    EinsumTerm output;
    for (const char letter : letters) {
      if (needed(letter, i, j)) output += letter;
    }
    const double room = size_of(output, problem_.sizes);
    const double cost = cost_of(letters, output.size() < letters.size(), 2, problem_.sizes);
    if (room > room_limit_ || cost_before + cost > cost_limit_) return;
    const double saved =
        size_of(terms_[i], problem_.sizes) + size_of(terms_[j], problem_.sizes) - room;
    pairs_.push_back({saved, cost, letters.size(), i, j, output});
  }

  void take_best(EinsumPlan& plan) {
    const Pair best = *std::min_element(pairs_.begin(), pairs_.end(), [](auto& a, auto& b) {
      return std::tuple(-a.saved, a.cost) < std::tuple(-b.saved, b.cost);
    });
    plan.steps.push_back({{best.first, best.second}, best.output});
    plan.cost += best.cost;
    plan.letters = std::max(plan.letters, best.letters);
    terms_.erase(terms_.begin() + static_cast<std::ptrdiff_t>(best.second));
    terms_.erase(terms_.begin() + static_cast<std::ptrdiff_t>(best.first));
    terms_.push_back(best.output);
    const auto gone = [&](size_t place) { return place == best.first || place == best.second; };
    std::erase_if(pairs_, [&](const Pair& p) { return gone(p.first) || gone(p.second); });
    const auto moved = [&](size_t place) {
      return place - (place > best.first ? 1 : 0) - (place > best.second ? 1 : 0);
    };
    for (Pair& pair : pairs_) {
      pair.first = moved(pair.first);
      pair.second = moved(pair.second);
    }
  }

  /// All that is left at once.
  void take_rest(EinsumPlan& plan) {
    EinsumTerm letters;
    std::vector<size_t> places;
    for (size_t i = 0; i < terms_.size(); ++i) {
      letters = union_of({letters, terms_[i]});
      places.push_back(i);
    }
    plan.cost +=
        cost_of(letters, letters.size() > problem_.output.size(), terms_.size(), problem_.sizes);
    plan.letters = std::max(plan.letters, letters.size());
    plan.steps.push_back({places, problem_.output});
    terms_ = {problem_.output};
  }

  std::vector<EinsumTerm> terms_;
  std::vector<Pair> pairs_;
  const EinsumProblem& problem_;
  double cost_limit_;
  double room_limit_;
};

}  // namespace

EinsumProblem parse_einsum(std::string_view op, std::string_view subscripts,
                           std::span<const array> operands) {
  if (operands.empty()) fail(op, "got no operands, expected at least one.");
  return Parser(op, subscripts, operands).parse();
}

EinsumPlan plan_einsum(const EinsumProblem& problem) {
  EinsumTerm letters;
  for (const EinsumTerm& term : problem.inputs) letters = union_of({letters, term});
  EinsumPlan plan{};
  plan.naive_cost = cost_of(letters, letters.size() > problem.output.size(), problem.inputs.size(),
                            problem.sizes);
  plan.naive_letters = letters.size();
  if (problem.inputs.size() > 2) {
    GreedySearch(problem, plan.naive_cost).run(plan);
    plan.steps.back().output = problem.output;
    return plan;
  }
  plan.cost = plan.naive_cost;
  plan.letters = plan.naive_letters;
  plan.steps.push_back({{}, problem.output});
  for (size_t i = 0; i < problem.inputs.size(); ++i) plan.steps[0].places.push_back(i);
  return plan;
}

}  // namespace nybble
