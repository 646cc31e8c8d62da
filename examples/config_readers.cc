// A configuration that many processes read: one value, so that a reader sees one version of it,
// never a mixture. Readers read it with each request. That costs a fraction of a microsecond, no
// system call and no copy, and the next request sees a change.
#include <chrono>
#include <iostream>
#include <string>
#include <string_view>

#include <sys/wait.h>
#include <unistd.h>

#include <commy/commy.h>

namespace {

constexpr int kVersions = 1000;
constexpr int kReaders = 3;

std::string ConfigText(int version) {
  const auto text = std::to_string(version);
  return "limit=" + text + "\ntimeout=" + text + "\n";
}

// Serves requests until it has seen the last version. Each process opens the store itself.
int Serve(const char* path) {
  const auto store = commy::Store::Open(
      path, {.create_if_missing = false, .read_only = true, .process_name = "reader"});
  if (!store.ok()) return std::cerr << store.status() << "\n", 1;
  const auto config = store->OpenNamespace("acme/config");
  if (!config.ok()) return std::cerr << config.status() << "\n", 1;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  for (int version = 0; version < kVersions;) {
    bool whole = false;
    const auto read = config->ReadWith("service", [&](std::string_view text) {
      const int seen = std::stoi(std::string(text.substr(text.find('=') + 1)));
      whole = text == ConfigText(seen) && seen >= version;  // Versions never go back.
      version = seen;
    });
    if (!read.ok()) return std::cerr << read << "\n", 1;
    if (!whole) return std::cerr << "a configuration of two versions, or an old one\n", 1;
    if (std::chrono::steady_clock::now() > deadline) return std::cerr << "no news\n", 1;
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const char* const path = argc > 1 ? argv[1] : "config.commy";
  const auto publish = [](const commy::Store& store, int version) {
    const auto config = store.OpenNamespace("acme/config");
    return config.ok() ? config->Put("service", ConfigText(version)) : config.status();
  };
  {
    // Closed again before the forks: an open store has a thread, and a forked child would keep the
    // work of other threads half done.
    const auto store = commy::Store::Open(path, {.process_name = "publisher"});
    if (!store.ok()) return std::cerr << store.status() << "\n", 1;
    if (const auto done = publish(*store, 0); !done.ok()) return std::cerr << done << "\n", 1;
  }
  for (int i = 0; i < kReaders; ++i) {
    if (fork() == 0) _exit(Serve(path));
  }
  const auto store = commy::Store::Open(path, {.process_name = "publisher"});
  if (!store.ok()) return std::cerr << store.status() << "\n", 1;
  for (int version = 1; version <= kVersions; ++version) {
    // Replaces the value at one moment. A reader of the old one is unaffected.
    const auto done = publish(*store, version);
    if (!done.ok()) return std::cerr << done << "\n", 1;
  }
  int failed = 0;
  for (int status = 0; wait(&status) > 0;) failed |= status;
  if (failed != 0) return 1;
  std::cout << kReaders << " readers have seen " << kVersions << " versions, each whole\n";
}
