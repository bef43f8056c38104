#include "toolkit/share_process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "core/base/byte_string.h"
#include "core/base/environment.h"
#include "core/base/npy.h"

extern char** environ;

namespace openrknn {
namespace {

std::string python_command() {
  if (std::string given = environment_variable("OPENRKNN_PYTHON"); !given.empty()) return given;
  std::error_code ignored;
  const std::filesystem::path beside =
      std::filesystem::read_symlink("/proc/self/exe", ignored).parent_path() / "python3";
  return std::filesystem::exists(beside, ignored) ? beside.string() : "python3";
}

/// A child whose standard input and output are ours. What is still running at the end is killed.
///
/// Messages go both ways as eight bytes of length, little endian, and the bytes
/// (python/openrknn/share_process.py).
class Process {
 public:
  explicit Process(std::vector<std::string> command);
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  void send(std::string_view);
  std::string receive();

 private:
  [[noreturn]] void ended();

  std::string name_;
  pid_t pid_ = -1;
  int to_ = -1, from_ = -1;
};

Process::Process(std::vector<std::string> command) : name_(command.front()) {
  int in[2], out[2];
  if (pipe2(in, O_CLOEXEC) != 0) fail(Code::ProcessFailed, fmt::format("no pipe: {}", std::strerror(errno)));
  if (pipe2(out, O_CLOEXEC) != 0) {
    const std::string reason = std::strerror(errno);
    close(in[0]);
    close(in[1]);
    fail(Code::ProcessFailed, fmt::format("no pipe: {}", reason));
  }
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in[0], STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
  std::vector<char*> arguments;
  for (std::string& argument : command) arguments.push_back(argument.data());
  arguments.push_back(nullptr);
  const int error = posix_spawnp(&pid_, arguments[0], &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  close(in[0]);
  close(out[1]);
  to_ = in[1];
  from_ = out[0];
  if (error != 0) {
    pid_ = -1;
    close(to_);
    close(from_);
    fail(Code::ProcessFailed, fmt::format("{} cannot be started: {}", name_, std::strerror(error)),
         "install Python 3 and `pip install 'openrknn[dask]'`, or name the interpreter in OPENRKNN_PYTHON");
  }
}

Process::~Process() {
  close(to_);
  close(from_);
  if (pid_ < 0) return;
  if (waitpid(pid_, nullptr, WNOHANG) == 0) {
    kill(pid_, SIGTERM);
    waitpid(pid_, nullptr, 0);
  }
}

void Process::ended() {
  int status = 0;
  waitpid(std::exchange(pid_, -1), &status, 0);
  const std::string how = WIFSIGNALED(status) ? fmt::format("was ended by signal {}", WTERMSIG(status))
                                              : fmt::format("ended with code {}", WEXITSTATUS(status));
  fail(Code::ProcessFailed, fmt::format("{} -m openrknn.share_process {} before it was done", name_, how),
       "its own words stand above; it needs `pip install 'openrknn[dask]'`, and OPENRKNN_PYTHON names another one");
}

void Process::send(std::string_view message) {
  std::string length;
  append_number(length, uint64_t{message.size()});
  for (std::string_view rest : {std::string_view(length), message}) {
    while (!rest.empty()) {
      const ssize_t written = ::write(to_, rest.data(), rest.size());
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) ended();
      rest.remove_prefix(static_cast<size_t>(written));
    }
  }
}

std::string Process::receive() {
  // Grows as bytes come: a length that is no length allocates nothing.
  const auto read_exactly = [&](uint64_t size) {
    constexpr uint64_t kPiece = 1 << 20;
    std::string bytes;
    while (bytes.size() < size) {
      const size_t had = bytes.size();
      bytes.resize(had + static_cast<size_t>(std::min(kPiece, size - had)));
      const ssize_t got = ::read(from_, bytes.data() + had, bytes.size() - had);
      bytes.resize(had + static_cast<size_t>(std::max<ssize_t>(got, 0)));
      if (got == 0 || (got < 0 && errno != EINTR)) ended();
    }
    return bytes;
  };
  const std::string length = read_exactly(sizeof(uint64_t));
  std::string_view bytes = length;
  return read_exactly(*take_number<uint64_t>(bytes));
}

/// A worker's Error, as it was.
[[noreturn]] void rethrow(const nlohmann::json& diagnostics) {
  std::vector<Diagnostic> list;
  for (const nlohmann::json& d : diagnostics) {
    list.push_back(
        {.code = static_cast<Code>(std::stoi(d.at("code").get<std::string>().substr(1))),
         .where = {.file = d.at("file"), .node = d.at("node"), .tensor = d.at("tensor"), .line = d.at("line")},
         .problem = d.at("problem"),
         .fix = d.at("fix")});
  }
  throw Error(list);
}

std::vector<std::string> converse(Process& process, const SharedWork& work, const Samples& samples,
                                  const Progress& progress) {
  process.send(
      nlohmann::json{{"stage", work.stage}, {"samples", samples.count()}, {"samples_per_share", work.samples_per_share}}
          .dump());
  process.send(work.task);
  std::vector<std::string> parts;
  int64_t finished = 0;
  while (true) {
    const nlohmann::json request = nlohmann::json::parse(process.receive());
    if (const auto sample = request.find("sample"); sample != request.end()) {
      const std::vector<Tensor> arrays = samples.get(sample->get<int64_t>());
      process.send(
          nlohmann::json{{"description", samples.describe(sample->get<int64_t>())}, {"arrays", arrays.size()}}.dump(
              -1, ' ', false, nlohmann::json::error_handler_t::replace));
      for (const Tensor& array : arrays) process.send(to_npy(array));
    } else if (const auto more = request.find("finished"); more != request.end()) {
      finished += more->get<int64_t>();
      if (progress) progress(work.stage, finished, samples.count());
    } else if (const auto error = request.find("diagnostics"); error != request.end()) {
      rethrow(*error);
    } else {
      for (int64_t i = request.at("parts").get<int64_t>(); i > 0; --i) parts.push_back(process.receive());
      return parts;
    }
  }
}

}  // namespace

ShareOut dask_share_out(std::string address) {
  const auto process = std::make_shared<std::unique_ptr<Process>>();  // one, for all copies of this function
  return [address = std::move(address), process](const SharedWork& work, const Samples& samples,
                                                 const Progress& progress) {
    // A child that is gone must show as an error of write(), not as the end of this process.
    struct sigaction ignore {
    }, before{};
    ignore.sa_handler = SIG_IGN;
    sigaction(SIGPIPE, &ignore, &before);
    const std::shared_ptr<void> restore(nullptr, [&](void*) { sigaction(SIGPIPE, &before, nullptr); });
    if (*process == nullptr) {
      *process = std::make_unique<Process>(
          std::vector<std::string>{python_command(), "-m", "openrknn.share_process", address});
    }
    try {
      return converse(**process, work, samples, progress);
    } catch (const nlohmann::json::exception& error) {
      fail(Code::ProcessFailed, fmt::format("openrknn.share_process does not answer as it should: {}", error.what()),
           "the command and the Python package must be of one version");
    }
  };
}

}  // namespace openrknn
