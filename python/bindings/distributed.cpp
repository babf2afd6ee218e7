// mlx.core.distributed for one process: a group of size one, in which every collective operation is
// the identity.

#include <string>

#include "module.h"

namespace nybble::python {
namespace {

struct Group {};

constexpr std::string_view kBackends[] = {"any", "mpi", "ring", "nccl", "jaccl"};

void check_backend(std::string_view op, std::string_view backend) {
  for (const std::string_view known : kBackends) {
    if (backend == known) return;
  }
  fail(op, "got backend \"", backend, "\", expected any, mpi, ring, nccl or jaccl.");
}

Group init(bool strict, const std::string& backend, const py::object& all_gather_factory) {
  check_backend("distributed.init", backend);
  if (!all_gather_factory.is_none() && backend != "jaccl") {
    fail("distributed.init", "all_gather_factory is for the backend jaccl only.");
  }
  if (strict) {
    fail_runtime("distributed.init", "there is no communication backend \"", backend,
                 "\"; strict=False gives a group of this process alone.");
  }
  return {};
}

void init_collectives(py::module_& m) {
  constexpr std::pair<const char*, const char*> kCollectives[] = {
      {"all_sum", "The sum of ``x`` over all processes: ``x`` itself, as there is one."},
      {"all_max", "The maximum of ``x`` over all processes: ``x`` itself, as there is one."},
      {"all_min", "The minimum of ``x`` over all processes: ``x`` itself, as there is one."},
      {"all_gather",
       "``x`` of all processes joined along the first axis: ``x`` itself, as there "
       "is one."},
      {"sum_scatter",
       "This process's part of the sum of ``x`` over all processes: ``x`` itself, as "
       "there is one."},
  };
  for (const auto& [name, doc] : kCollectives) {
    m.def(
        name,
        [name = name](const py::object& x, const std::optional<Group>&, StreamArgument) {
          return to_array(name, x).alias();
        },
        "x"_a, py::kw_only(), "group"_a = py::none(), kStream, doc);
  }
}

[[noreturn]] void fail_alone(std::string_view op) {
  fail(op, "the group has this process only; there is no other to exchange arrays with.");
}

void init_messages(py::module_& m) {
  m.def(
      "send",
      [](const py::object&, int, const std::optional<Group>&, StreamArgument) -> array {
        fail_alone("send");
      },
      "x"_a, "dst"_a, py::kw_only(), "group"_a = py::none(), kStream,
      "Raises ValueError: there is no process to send to.");
  m.def(
      "recv",
      [](const py::object&, Dtype, int, const std::optional<Group>&, StreamArgument) -> array {
        fail_alone("recv");
      },
      "shape"_a, "dtype"_a, "src"_a, py::kw_only(), "group"_a = py::none(), kStream,
      "Raises ValueError: there is no process to receive from.");
  m.def(
      "recv_like",
      [](const py::object&, int, const std::optional<Group>&, StreamArgument) -> array {
        fail_alone("recv_like");
      },
      "x"_a, "src"_a, py::kw_only(), "group"_a = py::none(), kStream,
      "Raises ValueError: there is no process to receive from.");
}

}  // namespace

void init_distributed(py::module_& parent) {
  py::module_ m = parent.def_submodule("distributed",
                                       "MLX's interface to several processes, for a single one.");
  py::class_<Group>(m, "Group", "A group of processes that work together: this one alone.")
      .def(
          "rank", [](const Group&) { return 0; }, "The number of this process: 0.")
      .def(
          "size", [](const Group&) { return 1; }, "The number of processes: 1.")
      .def(
          "split",
          [](const Group&, int, int) -> Group {
            fail_runtime("Group.split", "a group of one process cannot be split.");
          },
          "color"_a, "key"_a = -1, "Raises RuntimeError: one process cannot be split.");
  m.def(
      "is_available", [](const std::string&) { return false; }, "backend"_a = "any",
      "False: there is no communication backend.");
  m.def("init", &init, "strict"_a = false, "backend"_a = "any", py::kw_only(),
        "all_gather_factory"_a = py::none(), R"doc(
The group of all processes: this one.

Args:
    strict: raise instead, as there is no communication backend.
    backend: accepted if MLX knows it.
Raises:
    ValueError: an unknown backend.
    RuntimeError: ``strict``.

Example:
    >>> import nybble.core as mx
    >>> mx.distributed.init().size()
    1
)doc");
  init_collectives(m);
  init_messages(m);
}

}  // namespace nybble::python
