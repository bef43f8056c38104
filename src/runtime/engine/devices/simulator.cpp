#include "runtime/engine/devices/simulator.h"

namespace openrknn {
namespace {

class Simulator : public Device {
 public:
  Simulator(const Target& target, int threads) : target_(target), cores_(target.cores, threads) {}

  const Target& target() const override { return target_; }
  std::string_view driver_version() const override { return "0.9.8 (simulator)"; }
  std::unique_ptr<Memory> allocate(int64_t bytes) override { return Memory::allocate(bytes); }
  Cores& cores() override { return cores_; }

 private:
  const Target& target_;
  Cores cores_;
};

}  // namespace

std::shared_ptr<Device> make_simulator(const Target& target, int threads) {
  return std::make_shared<Simulator>(target, threads);
}

}  // namespace openrknn
