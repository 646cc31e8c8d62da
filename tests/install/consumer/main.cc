// A program outside the tree: it uses what crosses the border of the library in every kind (status,
// strings, callbacks, options, scans, destructors), and prints Commy's version and what it read.
#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>

#include <commy/commy.h>

namespace {

absl::Status Use(const char* path, std::string& report) {
  absl::StatusOr<commy::Store> store = commy::Store::Open(path, {.process_name = "consumer"});
  if (!store.ok()) {
    return store.status();
  }
  const auto ns = store->OpenNamespace("acme/config", {.order = commy::Order::kHash});
  if (!ns.ok()) {
    return ns.status();
  }
  if (absl::Status put = ns->Put("greeting", "hello"); !put.ok()) {
    return put;
  }
  const auto changed = ns->Update("greeting", [](std::optional<std::string_view> value) {
    return commy::Change::Put(std::string(value.value_or("")) + " again");
  });
  const auto sum = ns->Add("runs", 41);
  if (!changed.ok() || !*changed || !sum.ok() || *sum != 41) {
    return absl::InternalError("Update or Add went wrong");
  }
  std::uint64_t keys = 0;
  auto scan = ns->Scan();
  for (const commy::Entry& entry : scan) {
    keys += entry.key().empty() ? 0 : 1;
  }
  const absl::Status read =
      ns->ReadWith("greeting", [&report](std::string_view value) { report = std::string(value); });
  const auto stats = store->Stats();
  if (!scan.status().ok() || !read.ok() || !stats.ok() || keys != stats->keys) {
    return absl::InternalError("Scan, ReadWith or Stats went wrong");
  }
  const absl::Status missing = ns->Get("no such key").status();
  if (!absl::IsNotFound(missing)) {
    return absl::InternalError("a missing key is not NotFound");
  }
  return store->Close();
}

}  // namespace

int main(int argc, char** argv) {
  std::string report;
  const absl::Status status = Use(argc > 1 ? argv[1] : "consumer.commy", report);
  if (!status.ok()) {
    return std::puts(status.ToString().c_str()), 1;
  }
  std::printf("commy %s: %s\n", std::string(commy::Version()).c_str(), report.c_str());
}
