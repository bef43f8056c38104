#include "toolkit/options.h"

#include <fmt/format.h>

#include <array>

#include "core/base/error.h"

namespace openrknn {
namespace {

constexpr OptionStatus kIgnored = OptionStatus::Ignored, kWarned = OptionStatus::Warned;

// Facts: the RKNN-Toolkit2 API reference 2.3.0; arguments added by 2.3.2 are marked in their note.
constexpr Option kOptions[] = {
    {"RKNN", "verbose", "False", "bool", "detailed logs"},
    {"RKNN", "verbose_file", "None", "path", "also write the log to this file; needs verbose=True"},

    {"config", "mean_values", "None", "list per input of one number a channel, or a flat list for one input",
     "subtracted from every input channel"},
    {"config", "std_values", "None", "list per input of one number a channel, or a flat list for one input",
     "divides every input channel after the mean"},
    {"config", "quantized_dtype", "'w8a8'", "w8a8, w8a16, w4a16, w16a16i or w16a16i_dfp",
     "integer type of weights and activations", OptionStatus::Works,
     "w8a8: every platform but RK2118; w8a16: RK3562; w4a16: RK3576, RV1126B; w16a16i, w16a16i_dfp: RV1103, RV1106"},
    {"config", "quantized_algorithm", "'normal'", "normal, kl_divergence, mmse or gdq; native: percentile, auto",
     "how activation ranges are found; mmse and auto choose those of weights too", OptionStatus::Works,
     "w8a16 and w4a16, whose activations are float16: normal, mmse, auto and gdq (error feedback over a dataset, 200 "
     "samples or more are recommended)"},
    {"config", "quantized_method", "'channel'", "channel, layer or group{SIZE}",
     "one scale per output channel, per layer or per group of input channels", OptionStatus::Works,
     "group32, group64, … group256 with w4a16"},
    {"config", "quant_img_RGB2BGR", "False", "bool, or a list of bool per input",
     "swap the channels of dataset images (jpg, png, bmp) during build"},
    {"config", "inputs_yuv_fmt", "None",
     "nv12 nv21 i420 yv12 nv12_full nv21_full i420_full yv12_full; a list has one an input, None where it stays",
     "the model takes YUV 4:2:0 frames in place of pictures", OptionStatus::Works,
     "undocumented in the toolkit; docs/frames.md. Images of a dataset become frames"},
    {"config", "float_dtype", "'float16'", "float16", "type of layers that are not quantized"},
    {"config", "optimization_level", "3", "0 to 3",
     "3: all graph rules; lower levels leave out rules that may change accuracy"},
    {"config", "target_platform", "None",
     "rk2118 rk3562 rk3566 rk3568 rk3576 rk3588 rk3588s rv1103 rv1103b rv1106 rv1106b rv1126b, any case",
     "the SoC; None means rk3566 with a warning"},
    {"config", "custom_string", "None", "text under 1024 bytes",
     "stored in the model, read by RKNN_QUERY_CUSTOM_STRING"},
    {"config", "remove_weight", "False", "bool",
     "write the model without its layers' weights; it runs with RKNN_FLAG_SHARE_WEIGHT_MEM"},
    {"config", "compress_weight", "False", "bool", "pack the file's weights, without loss", OptionStatus::Works,
     "docs/rknn_file.md; such a file is unpacked into memory at load, by the system's zlib"},
    {"config", "single_core_mode", "False", "bool", "the model runs on one core at a time", OptionStatus::Works,
     "RK3588, RK3576; core masks of several cores are refused. The file holds no per-core programs: it is always the "
     "small one"},
    {"config", "model_pruning", "False", "bool", "remove channels that are always zero, or that nothing reads"},
    {"config", "op_target", "None", "dict of output tensor name or operator type to cpu, npu, gpu or auto",
     "where a layer runs on a device", OptionStatus::Works,
     "numbers do not depend on it; unknown names warn, 'gpu' warns and means cpu"},
    {"config", "dynamic_input", "None", "list of shape sets, each one shape per input",
     "several input shapes in one model", OptionStatus::Works, "RK3562, RK3566, RK3568, RK3576, RK3588"},
    {"config", "quantize_weight", "False", "bool", "shrink a float16 model: large layers keep their weights in int8",
     OptionStatus::Works, "with do_quantization=False; 4096 weights or more that int8 keeps to 36 dB"},
    {"config", "remove_reshape", "False", "bool", "drop Reshape at the model's ends", OptionStatus::Works,
     "inputs and outputs then have other shapes, each is told; the dataset has to fit them"},
    {"config", "sparse_infer", "False", "bool", "compute layers of 4:2 sparse weights as such", OptionStatus::Works,
     "RK3576, RV1126B; docs/sparsity.md. Numbers stay, estimates halve such layers' steps"},
    {"config", "enable_flash_attention", "False", "bool", "compute attention as one layer, in float16",
     OptionStatus::Works, "RK3562, RK3576; docs/passes.md. Its scores never leave the NPU"},
    {"config", "equalize", "False", "bool",
     "scale the channels between layers so that the weights of both use their range alike", OptionStatus::Works,
     "not in the toolkit; the float function stays"},
    {"config", "absorb_bias", "False", "bool",
     "move what channels never fall below in front of a Relu into the next layer's bias", OptionStatus::Works,
     "not in the toolkit; the float function stays for the dataset's samples"},
    {"config", "migrate_scales", "False", "bool",
     "move large channels of activations into the weights that read them (SmoothQuant)", OptionStatus::Works,
     "not in the toolkit; the float function stays"},
    {"config", "split_concat", "False", "bool",
     "keep parts of very different ranges apart: a joined output becomes float16", OptionStatus::Works,
     "not in the toolkit, whose joined YOLO heads lose their scores"},
    {"config", "rescue_float16", "False", "bool",
     "move powers of two between layers where tensors or weights exceed float16", OptionStatus::Works,
     "not in the toolkit; float16, w8a16 and w4a16 builds; tensors are looked at with a dataset"},
    {"config", "skip_unreadable", "False", "bool", "go on without samples of the dataset that cannot be read",
     OptionStatus::Works, "not in the toolkit; a warning names and counts them. False: the first one ends the build"},
    {"config", "precision", "None",
     "list of KEY=DTYPE; KEY a layer, glob:…, re:… or op:…; DTYPE int8, int16 or float16",
     "what single layers compute in; later rules win", OptionStatus::Works,
     "not in the toolkit; docs/hybrid.md. On the command line: --precision KEY=DTYPE, repeated"},
    {"config", "quantized_hybrid_level", "0", "0 to 3",
     "leave the first and last layers (1), depthwise ones (2), all without weights (3) out of int8",
     OptionStatus::Works,
     "undocumented in the toolkit; w8a8; docs/hybrid.md. They compute in float16, in int16 where the SoC has none"},
    {"config", "auto_hybrid_cos_thresh", "0.98", "number", "build(auto_hybrid=True) lifts layers with a smaller cosine",
     OptionStatus::Works, "since 2.3.2"},
    {"config", "auto_hybrid_euc_thresh", "None", "number",
     "build(auto_hybrid=True) lifts layers with a larger euclidean distance", OptionStatus::Works, "since 2.3.2"},
    {"config", "bias_correction", "False", "bool",
     "take the mean error of every channel over the dataset out of the layers' biases", OptionStatus::Works,
     "not in the toolkit"},
    {"config", "rounding", "'nearest'", "nearest or adaptive",
     "adaptive: weights are rounded up or down, whichever makes the layer's error over the dataset least",
     OptionStatus::Works, "not in the toolkit; int8 and int4 weights"},
    {"config", "disable_rules", "None", "list of names of passes, or of the vendor's rules",
     "graph rules that do not run", OptionStatus::Works,
     "undocumented in the toolkit; docs/passes.md; unknown names warn"},
    {"config", "npu_do_output_nhwc", "None", "", "", kWarned},
    {"config", "target_sub_class", "None", "", "", kWarned},
    {"config", "batch_size", "None", "", "", kWarned},
    {"config", "core_num", "None", "", "", kWarned},
    {"config", "input_attrs", "None", "", "", kWarned},
    {"config", "output_attrs", "None", "", "", kWarned},

    {"reg_custom_op", "custom_op", "", "class or instance with op_type, shape_infer and compute",
     "an operator that the user's own code computes; before load_onnx"},

    {"load_onnx", "model", "", "path", "the .onnx file"},
    {"load_onnx", "inputs", "None", "list of tensor names", "crop: begin the model at these tensors"},
    {"load_onnx", "input_size_list", "None", "list of shapes", "shapes of the inputs, in order"},
    {"load_onnx", "input_initial_val", "None", "list of arrays or None", "freeze an input to a constant"},
    {"load_onnx", "outputs", "None", "list of tensor names", "crop: end the model at these tensors"},

    {"load_darknet", "model", "", "path", "the .cfg file"},
    {"load_darknet", "weight", "", "path", "the .weights file"},
    {"load_caffe", "model", "", "path", "the .prototxt file"},
    {"load_caffe", "blobs", "None", "path", "the .caffemodel file; None: beside the .prototxt, under its name"},
    {"load_caffe", "input_name", "None", "list of names", "the order of the inputs"},
    {"load_tensorflow", "tf_pb", "", "path", "the .pb file, a frozen graph"},
    {"load_tensorflow", "inputs", "None", "list of tensor names",
     "begin the model at these tensors; ':0' may be left out"},
    {"load_tensorflow", "input_size_list", "None", "list of shapes",
     "shapes of the inputs; of images three numbers will do"},
    {"load_tensorflow", "outputs", "None", "list of tensor names", "end the model at these tensors"},
    {"load_tensorflow", "input_is_nchw", "False", "bool",
     "inputs of four dimensions are [N, C, H, W] in the graph already"},
    {"load_pytorch", "model", "", "path", "the TorchScript file, of torch.jit.save"},
    {"load_pytorch", "input_size_list", "", "list of shapes", "shapes of the inputs, in order, with the batch"},
    {"load_tflite", "model", "", "path", "the .tflite file"},
    {"load_tflite", "input_is_nchw", "False", "bool", "inputs of four dimensions are [N, C, H, W] in the file already"},

    {"build", "do_quantization", "True", "bool", "quantize, or build in float16"},
    {"build", "dataset", "None", "path of a dataset file", "samples for calibration"},
    {"build", "rknn_batch_size", "None", "int, 1 or more", "batch of the built model", OptionStatus::Works,
     "1 (and -1, an older spelling of None) mean no batch"},
    {"build", "auto_hybrid", "False", "bool",
     "lift bad layers to float16 automatically; in a float16 build those that overflow to int16", OptionStatus::Works,
     "since 2.3.2"},

    {"hybrid_quantization_step1", "dataset", "None", "path of a dataset file", "samples for calibration"},
    {"hybrid_quantization_step1", "rknn_batch_size", "None", "int, 1 or more", "batch of the model step 2 builds"},
    {"hybrid_quantization_step1", "proposal", "False", "bool",
     "write the layers that lose most in int8 into custom_quantize_layers"},
    {"hybrid_quantization_step1", "proposal_dataset_size", "1", "int, 1 or more", "samples the proposal looks at"},
    {"hybrid_quantization_step1", "custom_hybrid", "None", "list of [from tensor, to tensor]",
     "every layer on paths between the two computes in float16"},
    {"hybrid_quantization_step2", "model_input", "", "path", "the .model file of step 1"},
    {"hybrid_quantization_step2", "data_input", "", "path", "the .data file of step 1"},
    {"hybrid_quantization_step2", "model_quantization_cfg", "", "path", "the .quantization.cfg file, edited"},

    {"export_rknn", "export_path", "", "path", "where the .rknn file goes"},
    {"export_rknn", "cpp_gen_cfg", "None", "", "accepted and ignored: removed from the toolkit in favour of codegen",
     kIgnored},

    {"codegen", "output_path", "", "path", "the folder of the C++ project, after export_rknn"},
    {"codegen", "inputs", "None", "list of paths, one image or .npy file per model input",
     "kept in the project with the outputs the simulator gives for them; None: neither"},
    {"codegen", "overwrite", "False", "bool",
     "replace a project that is there; False: a folder that exists is refused"},

    {"load_rknn", "path", "", "path", "the .rknn file"},
    {"load_rknn", "key_file", "None", "path", "the key of an encrypted file; None: what the environment names",
     OptionStatus::Works, "not in the toolkit; docs/encryption.md"},

    {"export_encrypted_rknn_model", "input_model", "", "path", "the .rknn file, written by OpenRKNN",
     OptionStatus::Works, "models for RK3562, RK3566, RK3568, RK3576, RK3588"},
    {"export_encrypted_rknn_model", "output_model", "None", "path",
     "where the encrypted file goes; None: beside the model, {stem}.crypt.rknn"},
    {"export_encrypted_rknn_model", "crypt_level", "1", "1 to 3",
     "1: viewers still show graph, names and shapes; 2: target and framework; 3: nothing"},
    {"export_encrypted_rknn_model", "key_file", "None", "path",
     "a key of your own, 32 bytes or 64 hexadecimal digits; None: the key that every OpenRKNN has", OptionStatus::Works,
     "not in the toolkit; docs/encryption.md"},

    {"init_runtime", "target", "None", "None: the simulator, or the SoC of a device", "where inference runs",
     OptionStatus::Works, "docs/devices.md: a machine that runs `openrknn serve`"},
    {"init_runtime", "device_id", "None", "host[:port], or a serial of adb", "which device"},
    {"init_runtime", "perf_debug", "False", "bool", "per-layer times in eval_perf", OptionStatus::Works,
     "not on RV1103, RV1106 and their B forms"},
    {"init_runtime", "eval_mem", "False", "bool", "memory evaluation"},
    {"init_runtime", "async_mode", "False", "bool", "documented but never implemented by the toolkit",
     OptionStatus::Works, "True warns and stays synchronous, as the toolkit's manual says"},
    {"init_runtime", "core_mask", "0", "RKNN.NPU_CORE_*", "which cores", OptionStatus::Works, "RK3588 and RK3576"},
    {"init_runtime", "fallback_prior_device", "'cpu'", "cpu or gpu", "device for layers the NPU cannot run",
     OptionStatus::Works, "'gpu' warns: there are no GPU kernels, the CPU is used"},

    {"inference", "inputs", "", "list of arrays", "one array per model input"},
    {"inference", "data_format", "None", "'nhwc' or 'nchw', or a list of them",
     "layout of 4-D inputs; None means nhwc"},
    {"inference", "inputs_pass_through", "None", "list of 0 or 1", "1: the array is fed as it is"},
    {"inference", "get_frame_id", "False", "bool", "of async_mode, which the toolkit does not support",
     OptionStatus::Ignored},

    {"eval_perf", "is_print", "True", "bool", "print the text as well as give it"},
    {"eval_perf", "fix_freq", "True", "bool", "fix the clocks of a device while it is timed", kIgnored,
     "clocks are the affair of the device's own system"},
    {"eval_memory", "is_print", "True", "bool", "print the text as well as give the numbers"},

    {"accuracy_analysis", "inputs", "", "list of paths, one image or .npy file per model input",
     "the sample whose layers are compared"},
    {"accuracy_analysis", "output_dir", "'./snapshot'", "path, or None: write nothing",
     "where the table and every layer's numbers go"},
    {"accuracy_analysis", "target", "None", "None: the simulator alone, or the SoC of a device",
     "whose layers are compared too"},
    {"accuracy_analysis", "device_id", "None", "host[:port], or a serial of adb", "which device"},

    {"get_sdk_version", "", "", "", "versions of the toolkit, and of server and runtime of the device"},
    {"list_devices", "", "", "", "devices of adb and servers of $OPENRKNN_DEVICES"},
    {"release", "", "", "", "frees everything"},

    {"rknn.utils.onnx_edit", "model", "", "path", "the .onnx file"},
    {"rknn.utils.onnx_edit", "export_path", "", "path", "where the edited .onnx file goes"},
    {"rknn.utils.onnx_edit", "inputs_transform", "{}", "dict of input name to equation",
     "new dimensions of inputs, 'a,b,c,d->1,ad,b,c'", OptionStatus::Works, "docs/onnx_edit.md"},
    {"rknn.utils.onnx_edit", "outputs_transform", "{}", "dict of output name to equation", "new dimensions of outputs"},
    {"rknn.utils.onnx_edit", "dataset", "None", "path of a dataset file", "written anew for the edited model"},
};

std::string accepted_names(std::string_view method) {
  std::string names;
  for (const Option& option : kOptions) {
    if (option.method == method && option.status != OptionStatus::Warned) {
      names += fmt::format("{}{}", names.empty() ? "" : ", ", option.name);
    }
  }
  return names;
}

std::string_view status_text(OptionStatus status) {
  constexpr std::string_view kTexts[] = {"works", "accepted, no effect", "undocumented: accepted with one warning"};
  return kTexts[static_cast<size_t>(status)];
}

}  // namespace

std::span<const Option> option_table() { return kOptions; }

const Option* find_option(std::string_view method, std::string_view name) {
  for (const Option& option : kOptions) {
    if (option.method == method && option.name == name) return &option;
  }
  return nullptr;
}

ArgumentValue default_value(const Option& option) { return parse_argument_value(option.default_text); }

ArgumentValues check_options(std::string_view method, const ArgumentValues& given, std::vector<std::string>& warnings) {
  Diagnostics problems;
  ArgumentValues values = check_options(method, given, warnings, problems);
  problems.throw_if_any();
  return values;
}

ArgumentValues check_options(std::string_view method, const ArgumentValues& given, std::vector<std::string>& warnings,
                             Diagnostics& problems) {
  ArgumentValues values;
  for (const Option& option : kOptions) {
    if (option.method == method && option.status != OptionStatus::Warned)
      values[std::string(option.name)] = default_value(option);
  }
  for (const auto& [key, value] : given) {
    const Option* option = find_option(method, key);
    if (option == nullptr) {
      problems.add(Code::ConfigBadValue, {}, fmt::format("{}: unknown argument '{}'", method, key),
                   "accepted: " + accepted_names(method));
    } else if (option->status == OptionStatus::Warned) {
      warnings.push_back(fmt::format("'{}' is not a documented argument and has no effect!", key));
    } else {
      values[key] = value;
    }
  }
  return values;
}

std::string compatibility_markdown() {
  std::string text =
      "# Compatibility with RKNN-Toolkit2\n\n"
      "Generated from the option table (`openrknn doctor --compatibility`). Nothing is ignored silently: a value or a\n"
      "platform that an argument does not accept is refused by name.\n\n"
      "| method | argument | default | accepts | state |\n|---|---|---|---|---|\n";
  for (const Option& option : kOptions) {
    if (option.name.empty()) {
      text += fmt::format("| {} | | | {} | works |\n", option.method, option.sentence);
      continue;
    }
    text += fmt::format("| {} | {} | {} | {} | {}{}{} |\n", option.method, option.name,
                        option.default_text.empty() ? "required" : fmt::format("`{}`", option.default_text),
                        option.accepts, status_text(option.status), option.note.empty() ? "" : "; ", option.note);
  }
  text +=
      "\n## Python versions\n\n"
      "3.10 and newer. Older ones are left out because the extension is built with nanobind 3, whose floor is Python\n"
      "3.10; from it come calls of tens of nanoseconds and modules without a C++ library of their own. Boards whose\n"
      "system brings an older Python (Debian 11: 3.9, Ubuntu 20.04: 3.8) are served all the same, because nothing of "
      "the\n"
      "board half but the Python modules needs it:\n\n"
      "* install a newer Python beside the system's (conda, uv and pyenv have them for these systems): the wheel for\n"
      "  boards needs glibc 2.31, no more;\n"
      "* keep the Python program and its runtime package, and replace the system's `librknnrt.so` by the one of\n"
      "  `script/board`: the C ABI is the same;\n"
      "* or use the session from C++, or the board's `openrknn` command. `docs/install.md` has all three.\n";
  return text;
}

}  // namespace openrknn
