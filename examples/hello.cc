// The example of README.md: opens a store, creating it if needed, and counts its own runs.
#include <cstdio>

#include <commy/commy.h>

int main(int argc, char** argv) {
  const auto store = commy::Store::Open(argc > 1 ? argv[1] : "hello.commy");
  if (!store.ok()) return std::puts(store.status().ToString().c_str()), 1;
  const auto ns = store->OpenNamespace("acme/config");
  if (!ns.ok() || !ns->Put("greeting", "hello").ok()) return 1;
  const auto runs = ns->Add("runs", 1);  // Atomic among all processes.
  const auto greeting = ns->Get("greeting");
  if (!runs.ok() || *runs < 1 || !greeting.ok() || *greeting != "hello") return 1;
  std::printf("%s, run %lld\n", greeting->c_str(), static_cast<long long>(*runs));
}
