#include "nybble/ops/contraction.h"

#include <gtest/gtest.h>

#include <vector>

#include "nybble/ops/complex_parts.h"
#include "nybble/ops/einsum.h"
#include "support/arrays.h"

namespace nybble {
namespace {

using test::counted;
using test::elements;
using test::integers;
using Floats = std::vector<float>;
using Ints = std::vector<int32_t>;

array floats(const Shape& shape) { return counted(shape, Dtype::kFloat32); }

TEST(Contraction, TensordotSumsOverPairsOfAxes) {
  EXPECT_EQ(elements<float>(tensordot(floats({2, 3}), floats({3, 2}), 1)),
            (Floats{10, 13, 28, 40}));
  EXPECT_EQ(elements<float>(tensordot(floats({2, 3}), floats({3, 2}), Dims{0, 1}, Dims{1, 0})),
            (Floats{0 * 0 + 1 * 2 + 2 * 4 + 3 * 1 + 4 * 3 + 5 * 5}));
  EXPECT_EQ(tensordot(floats({2, 3}), floats({4}), 0).shape(), (Shape{2, 3, 4}));
  EXPECT_THROW(tensordot(floats({2, 3}), floats({2, 3}), 1), std::invalid_argument);
  EXPECT_THROW(tensordot(floats({2}), floats({2}), 2), std::invalid_argument);
  EXPECT_THROW(tensordot(floats({2, 2}), floats({2, 2}), Dims{0, 0}, Dims{0, 1}),
               std::invalid_argument);
}

TEST(Contraction, ProductsOfAllDtypes) {
  EXPECT_EQ(elements(outer(integers({1, 2}), integers({3, 4}))), (Ints{3, 4, 6, 8}));
  EXPECT_EQ(elements(vecdot(counted({2, 2}), integers({1, 10}).view({1, 2}, {2, 1}))),
            (Ints{10, 32}));
  EXPECT_EQ(elements(kron(integers({1, 2}), integers({1, 10}))), (Ints{1, 10, 2, 20}));
  EXPECT_EQ(kron(counted({2, 1}), counted({3})).shape(), (Shape{2, 3}));
  EXPECT_EQ(elements<float>(inner(floats({3}), floats({3}))), (Floats{5}));
  EXPECT_THROW(kron(counted({0}), counted({2})), std::invalid_argument);
}

TEST(Contraction, EinsumReadsItsSubscripts) {
  const std::vector<array> pair = {floats({2, 3}), floats({3, 2})};
  EXPECT_EQ(elements<float>(einsum("ij,jk", pair)), (Floats{10, 13, 28, 40}));
  EXPECT_EQ(elements<float>(einsum("ij,jk->ki", pair)), (Floats{10, 28, 13, 40}));
  EXPECT_EQ(elements<float>(einsum("...j,j...->...", pair)), (Floats{10, 40}));
  EXPECT_EQ(elements<float>(einsum("ii", std::vector<array>{floats({3, 3})})), (Floats{12}));
  for (const char* wrong : {"ij", "ij,jk,kl", "ij,jk->im", "ij,jk->ii", "i1,1k", "ijk,jk"}) {
    EXPECT_THROW(einsum(wrong, pair), std::invalid_argument) << wrong;
  }
}

TEST(Contraction, EinsumContractsTheCheapestPairFirst) {
  const std::vector<array> chain = {floats({5, 8}), floats({8, 10}), floats({10, 7})};
  const EinsumPath path = einsum_path("ij,jk,kl", chain);
  EXPECT_EQ(path.places, (std::vector<std::vector<size_t>>{{1, 2}, {0, 1}}));
  EXPECT_NE(path.text.find("Optimized scaling:  3"), std::string::npos);
}

TEST(ComplexParts, AreViews) {
  array a({2}, Dtype::kComplex64);
  a.mutable_data<complex64>()[0] = {1, 2};
  a.mutable_data<complex64>()[1] = {3, -4};
  EXPECT_EQ(elements<float>(real(a)), (Floats{1, 3}));
  EXPECT_EQ(elements<float>(imag(a)), (Floats{2, -4}));
  EXPECT_EQ(imag(a).storage(), a.storage());
  EXPECT_EQ(elements<complex64>(conjugate(a))[1], complex64(3, 4));
}

}  // namespace
}  // namespace nybble
