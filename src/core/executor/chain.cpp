#include "core/executor/chain.h"

#include <algorithm>
#include <utility>

namespace openrknn {
namespace {

// Elements that all followers visit one after another: they stay in the second-level cache of a small core, and there
// are few enough blocks for what each call has to prepare.
constexpr int64_t kBlockElements = 8192;
// Shorter stretches (a tile of few columns) cost more in calls than memory does in a step of its own.
constexpr int64_t kLeastStretch = 256;

void run_followers(const Chain& chain, std::span<const Buffer> buffers, const Stretches& block, std::byte* scratch) {
  for (const Follower& follower : chain.followers) {
    std::array<Buffer, kMostChainOperands> own;
    const size_t inputs = follower.inputs.size();
    for (size_t i = 0; i < inputs; ++i) own[i] = buffers[follower.inputs[i]];
    own[follower.element_input] = own[inputs] = buffers.back();
    follower.prepared.run_elements(follower.prepared, {own.data(), inputs + 1}, block, scratch);
  }
}

/// Calls work(block) for all of `whole`, kBlockElements elements or so at a time.
template <class Work>
void for_blocks(const Stretches& whole, Work work) {
  if (whole.length < kBlockElements) {
    const int64_t most = kBlockElements / std::max<int64_t>(1, whole.length);
    for (int64_t i = 0; i < whole.count; i += most) {
      work(Stretches{whole.first + i * whole.step, whole.length, whole.step, std::min(most, whole.count - i)});
    }
    return;
  }
  for (int64_t i = 0; i < whole.count; ++i) {
    const int64_t first = whole.first + i * whole.step, end = first + whole.length;
    for (int64_t at = first; at < end; at += kBlockElements)
      work(Stretches{at, std::min(kBlockElements, end - at), 0, 1});
  }
}

}  // namespace

bool starts_chain(const Prepared& prepared, size_t inputs) {
  if (prepared.written == nullptr || inputs >= kMostChainOperands) return false;
  const Stretches written = prepared.written(prepared, 0);
  return written.count == 1 || written.length >= kLeastStretch;
}

void append(Chain& chain, Follower follower) {
  Prepared& last = chain.followers.empty() ? chain.head : chain.followers.back().prepared;
  if (follower.prepared.table && last.then != nullptr)
    last = last.then(last, *follower.prepared.table);
  else
    chain.followers.push_back(std::move(follower));
}

Prepared prepare_chain(Chain chain) {
  Prepared prepared{.tiles = chain.head.tiles, .scratch = chain.head.scratch, .in_place = chain.head.in_place};
  for (const Follower& follower : chain.followers) {
    prepared.scratch = std::max(prepared.scratch, follower.prepared.scratch);
  }
  prepared.state = std::make_shared<const Chain>(std::move(chain));
  return prepared;
}

void run_chain(const Prepared& prepared, std::span<const Buffer> buffers, int64_t tile, std::byte* scratch) {
  const Chain& chain = *static_cast<const Chain*>(prepared.state.get());
  std::array<Buffer, kMostChainOperands> own;
  std::copy_n(buffers.begin(), chain.head_inputs, own.begin());
  own[chain.head_inputs] = buffers.back();
  chain.run(chain.head, {own.data(), chain.head_inputs + 1}, tile, scratch);
  if (chain.followers.empty()) return;
  for_blocks(chain.head.written(chain.head, tile),
             [&](const Stretches& block) { run_followers(chain, buffers, block, scratch); });
}

}  // namespace openrknn
