// How many bytes of bodies the server may hold at once, whoever sends them.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

namespace openrknn::server {

/// Thread-safe.
class ByteBudget : public std::enable_shared_from_this<ByteBudget> {
 public:
  /// Gives its bytes back when it goes. Movable; keeps the budget alive.
  class Share {
   public:
    Share() = default;
    Share(std::shared_ptr<ByteBudget> budget, int64_t bytes) : budget_(std::move(budget)), bytes_(bytes) {}
    Share(Share&& other) noexcept : budget_(std::move(other.budget_)), bytes_(other.bytes_) {}
    Share& operator=(Share&& other) noexcept {
      const Share former(std::move(*this));
      budget_ = std::move(other.budget_);
      bytes_ = other.bytes_;
      return *this;
    }
    ~Share() {
      if (budget_) budget_->used_ -= bytes_;
    }

   private:
    std::shared_ptr<ByteBudget> budget_;
    int64_t bytes_ = 0;
  };

  explicit ByteBudget(int64_t limit) : limit_(limit) {}
  /// Nothing if that were too many.
  std::optional<Share> take(int64_t bytes) {
    if (used_.fetch_add(bytes) + bytes > limit_) {
      used_ -= bytes;
      return std::nullopt;
    }
    return Share(shared_from_this(), bytes);
  }
  int64_t used() const { return used_; }
  int64_t limit() const { return limit_; }

 private:
  const int64_t limit_;
  std::atomic<int64_t> used_ = 0;
};

}  // namespace openrknn::server
