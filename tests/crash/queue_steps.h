// Steps of the kill and stop harness on a queue of texts, which differ from each other. In a model
// all that are not done are there, leased or not: what the dead have leased comes back.
#pragma once

#include <cstdint>
#include <string>

#include "commy/shared_deque.h"
#include "crash/steps.h"

namespace commy::test {

// The same of a store: from its records in a snapshot. An error is part of the text.
std::string QueueText(const ModelKeys::Map& records, const SnapshotDeque<std::string>& at);
std::string QueueText(const Model::Queue& queue);

inline constexpr char kJobs[] = "c/jobs";
inline constexpr char kDeadJobs[] = "c/dead";

Step OpenQueue(const std::string& path);
Step QueuePush(const std::string& element);
// Those that nobody has leased; perhaps the first that the dead have leased.
Step QueuePop();
Step QueuePopBack();
// The participant keeps the lease.
Step QueueLease();
Step QueueReturn();
Step QueueAcknowledge();
// With a put of the key into "a".
Step QueueAcknowledgeIn(const std::string& key);
Step QueuePushIn(const std::string& key, const std::string& element);
Step QueuePopIn(const std::string& key);
// The first element was leased too often: it goes to the dead letters, and the next one is leased.
Step QueueLeaseAfterDead();
Step QueueClear();
Step QueueLimit(std::uint64_t capacity, std::uint32_t max_deliveries);

}  // namespace commy::test
