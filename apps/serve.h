// `openrknn serve`, on a PC and on a board: models over HTTP (docs/server.md).
#pragma once

#include <memory>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace openrknn {

struct ServeArguments;

/// Adds the options of the verb. Their values live in what it returns.
std::shared_ptr<ServeArguments> add_serve_options(CLI::App&);
/// Serves until SIGINT or SIGTERM; a second one ends it at once. Returns an exit code. Throws Error, SessionError.
int serve(ServeArguments&);

}  // namespace openrknn
