// The model of the kill and stop harness: the content of a store, in maps.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace commy::test {

// Keys and values. Copies share them until one of them is edited: the search for an order copies
// models all the time.
class ModelKeys {
 public:
  using Map = std::map<std::string, std::string>;

  Map& Edit();
  [[nodiscard]] std::size_t size() const { return node_->map.size(); }
  // " key=value" of each.
  [[nodiscard]] const std::string& Text() const;
  // 128 bits that stand for Text().
  [[nodiscard]] const std::string& Digest() const;

 private:
  struct Node {
    Map map;
    std::string text;    // Empty: not made since the last edit.
    std::string digest;  // The same.
  };
  std::shared_ptr<Node> node_ = std::make_shared<Node>();
};

struct Model {
  struct Content {
    std::uint64_t id = 0;
    ModelKeys keys;
    std::string type;
    std::int64_t sum = 0;                // Of a counter.
    std::vector<std::int64_t> elements;  // Of a vector; `keys` has not its nodes.
  };
  std::map<std::string, Content> names;
  std::uint64_t next_id = 1;
  std::map<int, std::map<std::string, Content>> snapshots;  // Each held by one participant.

  // Null: there is no such namespace.
  Content* ById(std::uint64_t id);
};

}  // namespace commy::test
