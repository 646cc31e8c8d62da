// Two bounds for allocators: memory of one process.
#include <cstdlib>
#include <gnu/libc-version.h>
#include <memory>
#include <string>

#include <dlfcn.h>

#include "absl/strings/str_cat.h"

#include "engine.h"
#include "support/scratch.h"

namespace commy::compare {
namespace {

class GlibcBlocks : public Heap {
 public:
  char* Allocate(std::uint64_t size_bytes) override {
    return static_cast<char*>(std::malloc(size_bytes));  // NOLINT(*-no-malloc)
  }
  void Free(char* block) override { std::free(block); }  // NOLINT(*-no-malloc)
};

}  // namespace

HeapInfo GlibcHeap() {
  HeapInfo info;
  info.name = "glibc";
  info.version = gnu_get_libc_version();
  info.setting = "bound: `malloc` and `free`, private memory";
  info.shared = false;
  info.open = [](const Place&) -> std::unique_ptr<Heap> { return std::make_unique<GlibcBlocks>(); };
  return info;
}

#ifdef COMPARE_MIMALLOC
namespace {

// Looks up a function of the library, which is loaded by hand: if it were linked, it would replace
// malloc() for every engine.
template <typename Function>
Function* Mimalloc(const char* name) {
  static void* const library = ::dlopen("libmimalloc.so.2", RTLD_NOW | RTLD_LOCAL);
  void* const found = library == nullptr ? nullptr : ::dlsym(library, name);
  if (found == nullptr) {
    bench::Die("libmimalloc.so.2", "is missing, or lacks a function");
  }
  return reinterpret_cast<Function*>(found);
}

class MimallocBlocks : public Heap {
 public:
  char* Allocate(std::uint64_t size_bytes) override {
    return static_cast<char*>(allocate_(size_bytes));
  }
  void Free(char* block) override { free_(block); }

 private:
  using AllocateFunction = void*(std::size_t);
  using FreeFunction = void(void*);

  AllocateFunction* const allocate_ = Mimalloc<AllocateFunction>("mi_malloc");
  FreeFunction* const free_ = Mimalloc<FreeFunction>("mi_free");
};

std::string MimallocVersion() {
  const int version = Mimalloc<int()>("mi_version")();  // 209 for version 2.0.9.
  return absl::StrCat(version / 100, ".", version / 10 % 10, ".", version % 10);
}

}  // namespace

HeapInfo MimallocHeap() {
  HeapInfo info;
  info.name = "mimalloc";
  info.version = MimallocVersion();
  info.setting = "bound: `mi_malloc` and `mi_free`, private memory";
  info.shared = false;
  info.open = [](const Place&) -> std::unique_ptr<Heap> {
    return std::make_unique<MimallocBlocks>();
  };
  return info;
}
#endif

}  // namespace commy::compare
