// Bytes that a careless program might leave where a record is.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "commy/namespace.h"

namespace commy::test {

// Puts each shorter form of the record at `key` there, a longer one, and one with another first
// byte; `fails` is called for each, and expects DataLoss. Then the record is as it was.
inline void WithSpoiledRecords(const Namespace& ns, std::string_view key,
                               const std::function<absl::Status()>& call) {
  const std::string whole = ns.Get(key).value();
  const auto expect_loss = [&](const std::string& spoiled) {
    ASSERT_TRUE(ns.Put(key, spoiled).ok());
    const absl::Status status = call();
    EXPECT_TRUE(absl::IsDataLoss(status)) << status << " of " << spoiled.size() << " bytes";
    EXPECT_NE(std::string(status.message()).find(ns.path()), std::string::npos) << status;
    EXPECT_EQ(*ns.Get(key), spoiled) << "it was changed";
  };
  for (std::size_t size = 0; size < whole.size(); ++size) {
    expect_loss(whole.substr(0, size));
  }
  std::string other = whole;
  other[0] = '\x7f';
  expect_loss(other);
  ASSERT_TRUE(ns.Put(key, whole).ok());
}

}  // namespace commy::test
