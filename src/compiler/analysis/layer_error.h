// How far two versions of a layer are apart, as sums that add up over samples.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>

#include "compiler/analysis/checkpoint.h"
#include "compiler/analysis/layer_stream.h"

namespace openrknn {

struct LayerError {
  double cosine = 1;  ///< 1 for two tensors of zeros
  double euclidean = 0;
  double sqnr_db = std::numeric_limits<double>::infinity();  ///< 10 log10(sum wanted² / sum (wanted − got)²)
  double max_absolute = 0;
};

/// Over several samples: the error of their elements as one long vector. NaN or infinity in both at the same place is
/// no error; in one only, the figures become what IEEE arithmetic makes of them.
class ErrorSums {
 public:
  /// Throws Error (InvalidShape) if the shapes differ.
  void add(const LayerValues& wanted, const LayerValues& got);
  void add(const ErrorSums&);
  LayerError error() const;
  int64_t elements() const { return elements_; }
  int64_t wanted_not_finite() const { return wanted_not_finite_; }
  int64_t got_not_finite() const { return got_not_finite_; }
  /// Share of the wanted elements that lie beyond what the other's type can hold: what saturates.
  double clipped() const;
  void write(StateWriter&) const;
  void read(StateReader&);

 private:
  template <class Wanted, class Got>
  bool add_finite(const Wanted&, const Got&, size_t count, double low, double high);
  template <class Wanted, class Got>
  void add_any(const Wanted&, const Got&, size_t count, double low, double high);
  int64_t elements_ = 0, wanted_not_finite_ = 0, got_not_finite_ = 0, clipped_ = 0;
  double wanted_squares_ = 0, got_squares_ = 0, products_ = 0, error_squares_ = 0, largest_ = 0;
};

}  // namespace openrknn
