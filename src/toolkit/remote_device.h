// A built model on a device: the server's client in the toolkit's words. Stands where the simulator does.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "compiler/analysis/layer_stream.h"
#include "core/model/model.h"
#include "toolkit/device_address.h"
#include "toolkit/evaluation.h"
#include "toolkit/simulator.h"

namespace openrknn {

/// Not thread-safe. Every failure is an Error whose sentence says which side to change (docs/devices.md).
class RemoteDevice {
 public:
  /// Uploads the model, under a name of its own, and loads it. `core_mask` as in rknn_api.h, 0: all cores. The token of
  /// a server that wants one: $OPENRKNN_SERVER_TOKEN, or the file that $OPENRKNN_SERVER_TOKEN_FILE names.
  RemoteDevice(const std::string& target, const std::string& device_id, const Model& model, const std::string& file,
               uint32_t core_mask);
  ~RemoteDevice();  ///< unloads and deletes it there; what fails then is not told

  std::vector<Tensor> run(const std::vector<SimulatorInput>&);
  /// The runtime's own table of layers, or the mean of some runs.
  std::string performance(bool by_layer);
  MemoryReport memory(int64_t model_bytes);
  std::string versions();
  /// Values of the built graph after a run on these inputs (logical order, as the graph stores them).
  std::map<std::string, Tensor> layers(const std::vector<SimulatorInput>&, const std::vector<std::string>& names);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// The toolkit's text of versions where there is no device: of this installation.
std::string versions_here();

/// What `openrknn devices` and `openrknn doctor --device` say of one device.
struct DeviceFinding {
  std::string device;  ///< serial or address
  std::string text;    ///< what it is, or what is wrong
  bool good = false;
  std::string fix;  ///< one sentence
};
/// `device_id` as in find_device(). Never throws: what fails is the finding.
DeviceFinding examine_device(const std::string& device_id);
/// Devices of adb and servers of $OPENRKNN_DEVICES.
std::vector<DeviceFinding> examine_devices();

/// What a device makes of one sample, layer by layer: one run, whose values come at once.
class DeviceStream : public LayerStream {
 public:
  /// `built` is the model's graph; both must outlive the stream. `sample`: the arrays as the outside gives them, NCHW,
  /// without mean and std, which the device applies itself.
  DeviceStream(RemoteDevice&, const Graph& built, std::vector<std::string> layers, std::vector<Tensor> sample);
  /// Runs the sample it has; what it is given is the same one, normalised.
  void start(std::span<const Tensor> inputs) override;
  void advance(std::string_view layer) override;
  LayerValues values(std::string_view layer) const override;
  /// Throws Error (Internal): a device computes what it computes.
  void replace(std::string_view layer, const LayerValues& real) override;

 private:
  RemoteDevice& device_;
  const Graph& built_;
  std::vector<std::string> layers_;
  std::vector<Tensor> sample_;
  std::map<std::string, Tensor, std::less<>> values_;
};

}  // namespace openrknn
