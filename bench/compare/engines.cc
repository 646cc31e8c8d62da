#include <vector>

#include "engine.h"

namespace commy::compare {

// meson.build defines COMPARE_... for each library that it found.
const std::vector<EngineInfo>& Engines() {
  static const std::vector<EngineInfo> engines = {
      CommyEngine(),       CommyOrderedEngine(),
#ifdef COMPARE_TDB
      TdbEngine(),
#endif
#ifdef COMPARE_BOOST
      BoostEngine(),
#endif
#ifdef COMPARE_LMDB
      LmdbEngine(),
#endif
#ifdef COMPARE_BDB
      BerkeleyDbEngine(),
#endif
#ifdef COMPARE_SQLITE
      SqliteEngine(),
#endif
#ifdef COMPARE_REDIS
      RedisEngine(),
#endif
#ifdef COMPARE_TKRZW
      TkrzwEngine(),
#endif
#ifdef COMPARE_ROCKSDB
      RocksdbEngine(),
#endif
#ifdef COMPARE_LEVELDB
      LeveldbEngine(),
#endif
      FlatHashMapEngine(), BtreeMapEngine(),
  };
  return engines;
}

const std::vector<HeapInfo>& Heaps() {
  static const std::vector<HeapInfo> heaps = {
      CommyHeap(),
#ifdef COMPARE_BOOST
      BoostHeap(),
#endif
      GlibcHeap(),
#ifdef COMPARE_MIMALLOC
      MimallocHeap(),
#endif
  };
  return heaps;
}

}  // namespace commy::compare
