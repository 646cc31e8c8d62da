// The lines of a dump in jsonl that are no records: what the namespace of the records behind them
// is, the quotas of paths, and the end.
//
//   {"namespace":"acme/config","order":"hash","default_ttl":"30m"}
//   {"key":"greeting","value":"hello"}
//   {"namespace":"work/jobs","order":"hash","type":"deque<string>","capacity":100}
//   {"value":"resize"}
//   {"path_quota":"acme","quota_bytes":1073741824}
//   {"end_of_dump":true}
//
// No record has a member namespace, path_quota (or these with _base64) or end_of_dump. A file may
// have several dumps, one behind the other. A header of a former version has no path, and such a
// file no end:
//
//   {"namespace_type":"map<i64,string>","ordered":true}
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

#include "commy/info.h"

namespace commy::tools {

struct JsonlHeader {
  std::optional<std::string> path;  // nullopt: of a former version, which told only the type.
  std::string type;                 // Empty: it has none.
  bool ordered = false;
  // Of a namespace with a type: records are bytes as they are.
  bool raw_bytes = false;
  std::optional<std::int64_t> default_ttl_ns = std::nullopt;  // Unless it is infinite.
  std::uint64_t value_align = 16;
  // By how much the store's time, in which records say when they expire, was ahead of the wall
  // clock.
  std::int64_t clock_ahead_ns = 0;
  // The limits of a deque that are not as those of a new one.
  std::optional<std::uint64_t> capacity = std::nullopt;
  std::optional<std::uint32_t> max_deliveries = std::nullopt;
  std::optional<std::string> dead_letters = std::nullopt;
  std::uint64_t quota_bytes = 0;  // 0: none.
};

// Requires: header.path.
void AppendJsonlHeader(const JsonlHeader& header, std::string& out);
// A dump has only its path and the bytes of the quota.
void AppendJsonlPathQuota(const PathQuota& quota, std::string& out);
void AppendJsonlEnd(std::string& out);

// nullopt: the line is another one, or a fault. InvalidArgument describes what is wrong with it.
absl::StatusOr<std::optional<JsonlHeader>> ParseJsonlHeader(std::string_view line);
absl::StatusOr<std::optional<PathQuota>> ParseJsonlPathQuota(std::string_view line);
bool IsJsonlEnd(std::string_view line);

}  // namespace commy::tools
