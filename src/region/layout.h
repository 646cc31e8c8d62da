// The layout of the file. Format 1, little-endian.
//
//   0              RegionHeader
//   4096           4 bytes x kKeyWaitWordCount      see namespaces/notify.h
//   participants   ParticipantEntry x participant_count
//   lanes          LaneLayout x lane_count          (pages come into being with the lanes)
//   snapshots      SnapshotEntry x snapshot_count
//   span words     8 bytes a span, for max_size     (pages come into being with the spans)
//   data           spans
//
// Only fixed-width integers and offsets; an offset is a byte position in the file and 0 is null.
// The static_asserts at the end hold the tables in the comments to their word.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "base/shared_atomic.h"

namespace commy::region {

using base::Shared32;
using base::Shared64;
using base::Shared8;

// The bytes "COMMY", 0, 0x89, 0x1a: not valid text, on purpose.
inline constexpr std::uint64_t kMagic = 0x1a8900594d4d4f43;
inline constexpr std::uint32_t kFormatVersion = 1;
inline constexpr std::uint32_t kHeaderBytes = 4096;

// Words that waiters for keys sleep on; enough that those of different keys rarely meet.
inline constexpr std::uint64_t kKeyWaitWordsOffset = kHeaderBytes;
inline constexpr std::uint64_t kKeyWaitWordCount = 4096;

// Offsets are kept in 36 bits of 16-byte units inside index slots and notes.
inline constexpr std::uint64_t kBlockAlignBytes = 16;
inline constexpr std::uint64_t kMaxSizeLimitBytes = (std::uint64_t{1} << 36) * kBlockAlignBytes;
// Span numbers are kept in 24 bits.
inline constexpr std::uint64_t kSpanCountLimit = std::uint64_t{1} << 24;

// File locks, on single bytes far past any data. Byte kSlotLockBase + k is held by the participant
// in entry k; every participant holds kAttachLockByte shared.
inline constexpr std::uint64_t kAttachLockByte = std::uint64_t{1} << 61;
inline constexpr std::uint64_t kSlotLockBase = (std::uint64_t{1} << 61) + 0x10000;

// The first 4096 bytes. The part below 0x0a0 is written once, at creation.
//
//   offset  size  field                  notes
//   0x000      8  magic                  kMagic
//   0x008      4  format_version         a reader refuses a version that it does not know
//   0x00c      4  header_bytes           4096
//   0x010     16  uuid                   random
//   0x020      8  hash_seed              random; seeds the hash of every key
//   0x028      8  max_size_bytes         the file never grows past it
//   0x030      8  chunk_bytes            unit of growth; a multiple of span_bytes
//   0x038      8  span_bytes             a power of two
//   0x040      8  participants_offset
//   0x048      4  participant_count
//   0x04c      4  lane_count
//   0x050      8  lanes_offset
//   0x058      8  snapshots_offset
//   0x060      4  snapshot_count
//   0x064      4  segment_buckets        buckets of a hash segment
//   0x068      8  span_words_offset
//   0x070      8  data_offset            multiple of span_bytes; of 2 MiB if chunk_bytes is one
//   0x078      8  stale_after_ns
//   0x080      8  operation_timeout_ns
//   0x088      8  heartbeat_interval_ns
//   0x090      8  created_wall_ns
//   0x098      8  checksum               XXH3-64 of [0x000, 0x098)
//   0x100      8  clean_word             see region/clean_word.h
//   0x108     16  boot_id                of the session that made the store dirty; so to 0x128
//   0x118      8  device
//   0x120      8  inode
//   0x128      8  birth_ns
//   0x180      8  size_bytes             end of the usable spans; only grows
//   0x188      8  lanes_ready            lanes whose pages exist; only grows
//   0x1c0      8  epoch                  reclamation time; from 2
//   0x200      8  commit_clock           version time; from 1
//   0x240      8  catalog_root           offset of the catalog's root block; 0: no namespace yet
//   0x280      8  next_namespace_id      last number given out
//   0x288      8  path_quotas            goes up when quotas of paths change; 0: there was none
//   0x2c0      8  snapshots_held         {seq:63, some:1}; see versions/snapshots.h, so to 0x2d8
//   0x2c8      8  snapshots_ended        goes up when one is released for which something was kept
//   0x2d0      8  snapshots_ready        entries ever used are below this one; only grows
//   0x300      8  span_hint              where to look for a free span first; advice only
//   0x308      8  hole_spans             about how many spans are holes; advice only
//   0x310      8  shrinker               owner word of the one that shrinks it; advice only
//   0x340      8  clock_skew_ns          store time less wall clock, signed; process/store_clock.h
//   0x348      8  clock_seen_ns          a store time that was; only grows
//   0x350      8  due_claims             last number given to a claim of the expiry sweep
//   0x358      8  epoch_moved_ns         store time when `epoch` last moved; only grows, for people
//   0x360      8  clock_boot             names the boot that wrote the next one; 0: none yet
//   0x368      8  clock_base_ns          store time less clock since boot, signed, in that boot
//   0x370      8  clock_seal             XXH3-64 of that boot's id and clock_base_ns
//   0x3c0      8  replaced               0; 1 this file is being replaced, 2 it was; replaced.h
//   0x3c8     16  replaced_by            uuid of the file that takes its place
//   all other bytes are reserved: written as zero, ignored on read
// Of a span word, whose other fields are in alloc/span_word.h: a free span that may have no disk
// blocks.
constexpr bool IsHoleWord(std::uint64_t span_word) {
  return (span_word >> 60U) == 8 || (span_word >> 60U) == 9;
}
// Likewise: a free span, with disk blocks or without.
constexpr bool IsUnusedWord(std::uint64_t span_word) {
  return span_word == 0 || IsHoleWord(span_word) || (span_word >> 60U) == 10;
}

struct RegionHeader {
  std::uint64_t magic;
  std::uint32_t format_version;
  std::uint32_t header_bytes;
  std::uint8_t uuid[16];
  std::uint64_t hash_seed;
  std::uint64_t max_size_bytes;
  std::uint64_t chunk_bytes;
  std::uint64_t span_bytes;
  std::uint64_t participants_offset;
  std::uint32_t participant_count;
  std::uint32_t lane_count;
  std::uint64_t lanes_offset;
  std::uint64_t snapshots_offset;
  std::uint32_t snapshot_count;
  std::uint32_t segment_buckets;
  std::uint64_t span_words_offset;
  std::uint64_t data_offset;
  std::uint64_t stale_after_ns;
  std::uint64_t operation_timeout_ns;
  std::uint64_t heartbeat_interval_ns;
  std::uint64_t created_wall_ns;
  std::uint64_t checksum;
  std::uint8_t reserved_0[0x60];
  Shared64 clean_word;
  Shared64 boot_id[2];
  Shared64 device;
  Shared64 inode;
  Shared64 birth_ns;
  std::uint8_t reserved_1[0x50];
  Shared64 size_bytes;
  Shared64 lanes_ready;
  std::uint8_t reserved_2[0x30];
  Shared64 epoch;
  std::uint8_t reserved_3[0x38];
  Shared64 commit_clock;
  std::uint8_t reserved_4[0x38];
  Shared64 catalog_root;
  std::uint8_t reserved_5[0x38];
  Shared64 next_namespace_id;
  Shared64 path_quotas;
  std::uint8_t reserved_6[0x30];
  Shared64 snapshots_held;
  Shared64 snapshots_ended;
  Shared64 snapshots_ready;
  std::uint8_t reserved_7[0x28];
  Shared64 span_hint;
  Shared64 hole_spans;
  Shared64 shrinker;
  std::uint8_t reserved_8[0x28];
  Shared64 clock_skew_ns;
  Shared64 clock_seen_ns;
  Shared64 due_claims;
  Shared64 epoch_moved_ns;
  Shared64 clock_boot;
  Shared64 clock_base_ns;
  Shared64 clock_seal;
  std::uint8_t reserved_9[0x48];
  Shared64 replaced;
  Shared64 replaced_by[2];
  std::uint8_t reserved_10[0xc28];
};

inline constexpr std::size_t kConstantHeaderBytes = 0x098;  // The bytes that `checksum` covers.

// An attached process. The owner of the entry's lock byte writes it; every process reads it.
//
//   0x00   8  state         {generation:56, state:8}: 0 free, 1 attached
//   0x08   8  pid           for people; liveness is the lock
//   0x10   8  start_wall_ns
//   0x18   8  heartbeat     goes up by one each heartbeat interval
//   0x20   8  heartbeat_wall_ns
//   0x28   8  flags         kParticipant...
//   0x40  64  name          NUL-padded
struct ParticipantEntry {
  Shared64 state;
  Shared64 pid;
  Shared64 start_wall_ns;
  Shared64 heartbeat;
  Shared64 heartbeat_wall_ns;
  Shared64 flags;
  std::uint8_t reserved_0[16];
  Shared64 name[8];
  std::uint8_t reserved_1[128];
};

inline constexpr std::uint64_t kParticipantReadOnly = 1;   // Only reads.
inline constexpr std::uint64_t kParticipantExchanges = 2;  // Pins by exchange, see session.h.

inline constexpr std::size_t kPinsPerLane = 16;
inline constexpr std::size_t kNotesPerLane = 64;

// A thread's own area. Written by the thread that owns it, or by the recoverer of a dead owner.
//
//   0x000    8  owner        {participant generation:48, participant entry + 1:16}; 0: idle
//   0x040  128  pins         epoch of a pin, 0 none; [0] is the thread's own, others are views'
//   0x0c0    8  op           {armed:1, delta:2, kind:5, 0:32, seq:24}, see process/op_word.h
//   0x0c8    8  op_object    offset of the namespace object that the operation is about
//   0x0d0    8  operations   operations begun, for people
//   0x0d8    8  op_counter   offset of the counter cell that an armed op changes
//   0x0e0    8  progress     {decided:1, steps:63} of its transaction, see versions/intents.h
//   0x100  512  notes        see process/notes.h
struct LaneLayout {
  Shared64 owner;
  std::uint8_t reserved_0[0x38];
  Shared64 pins[kPinsPerLane];
  Shared64 op;
  Shared64 op_object;
  Shared64 operations;
  Shared64 op_counter;
  Shared64 progress;
  std::uint8_t reserved_1[0x18];
  Shared64 notes[kNotesPerLane];
  std::uint8_t reserved_2[0x100];
};

// A held snapshot; see versions/snapshots.h.
//
//   0x00   8  word     0: free or being taken; {1, seq:63}: being taken; {0, commit time:63}: taken
//   0x08   8  owner    as LaneLayout::owner
//   0x10   8  store_ns when it was taken, in store time
//   0x18   8  keeps    1: something was kept for it
struct SnapshotEntry {
  Shared64 word;
  Shared64 owner;
  Shared64 store_ns;
  Shared64 keeps;
};

// The first bytes of a span of small blocks; the state bytes of its blocks follow at once.
//
//   0x00   4  size_class
//   0x04   4  block_count
//   0x08   8  data_start     offset in the span of the first block
//   0x40   n  state bytes    see alloc/block_state.h
struct SpanHeader {
  std::uint32_t size_class;
  std::uint32_t block_count;
  std::uint64_t data_start;
  std::uint8_t reserved_0[0x30];
};

static_assert(sizeof(RegionHeader) == kHeaderBytes);
static_assert(std::is_standard_layout_v<RegionHeader> && std::is_aggregate_v<RegionHeader>);
static_assert(std::has_unique_object_representations_v<RegionHeader>, "no hidden padding");
static_assert(offsetof(RegionHeader, uuid) == 0x010);
static_assert(offsetof(RegionHeader, hash_seed) == 0x020);
static_assert(offsetof(RegionHeader, max_size_bytes) == 0x028);
static_assert(offsetof(RegionHeader, chunk_bytes) == 0x030);
static_assert(offsetof(RegionHeader, span_bytes) == 0x038);
static_assert(offsetof(RegionHeader, participants_offset) == 0x040);
static_assert(offsetof(RegionHeader, participant_count) == 0x048);
static_assert(offsetof(RegionHeader, lane_count) == 0x04c);
static_assert(offsetof(RegionHeader, lanes_offset) == 0x050);
static_assert(offsetof(RegionHeader, snapshots_offset) == 0x058);
static_assert(offsetof(RegionHeader, snapshot_count) == 0x060);
static_assert(offsetof(RegionHeader, segment_buckets) == 0x064);
static_assert(offsetof(RegionHeader, span_words_offset) == 0x068);
static_assert(offsetof(RegionHeader, data_offset) == 0x070);
static_assert(offsetof(RegionHeader, stale_after_ns) == 0x078);
static_assert(offsetof(RegionHeader, operation_timeout_ns) == 0x080);
static_assert(offsetof(RegionHeader, heartbeat_interval_ns) == 0x088);
static_assert(offsetof(RegionHeader, created_wall_ns) == 0x090);
static_assert(offsetof(RegionHeader, checksum) == kConstantHeaderBytes);
static_assert(offsetof(RegionHeader, clean_word) == 0x100);
static_assert(offsetof(RegionHeader, boot_id) == 0x108);
static_assert(offsetof(RegionHeader, birth_ns) == 0x128);
static_assert(offsetof(RegionHeader, size_bytes) == 0x180);
static_assert(offsetof(RegionHeader, epoch) == 0x1c0);
static_assert(offsetof(RegionHeader, commit_clock) == 0x200);
static_assert(offsetof(RegionHeader, catalog_root) == 0x240);
static_assert(offsetof(RegionHeader, next_namespace_id) == 0x280);
static_assert(offsetof(RegionHeader, path_quotas) == 0x288);
static_assert(offsetof(RegionHeader, snapshots_held) == 0x2c0);
static_assert(offsetof(RegionHeader, snapshots_ready) == 0x2d0);
static_assert(offsetof(RegionHeader, span_hint) == 0x300);
static_assert(offsetof(RegionHeader, clock_skew_ns) == 0x340);
static_assert(offsetof(RegionHeader, due_claims) == 0x350);
static_assert(offsetof(RegionHeader, epoch_moved_ns) == 0x358);
static_assert(offsetof(RegionHeader, clock_boot) == 0x360);
static_assert(offsetof(RegionHeader, clock_seal) == 0x370);
static_assert(offsetof(RegionHeader, replaced) == 0x3c0);
static_assert(offsetof(RegionHeader, replaced_by) == 0x3c8);
static_assert(sizeof(ParticipantEntry) == 256);
static_assert(offsetof(ParticipantEntry, name) == 0x40);
static_assert(std::has_unique_object_representations_v<ParticipantEntry>);
static_assert(sizeof(LaneLayout) == 1024);
static_assert(offsetof(LaneLayout, pins) == 0x040);
static_assert(offsetof(LaneLayout, op) == 0x0c0);
static_assert(offsetof(LaneLayout, progress) == 0x0e0);
static_assert(offsetof(LaneLayout, notes) == 0x100);
static_assert(std::has_unique_object_representations_v<LaneLayout>);
static_assert(sizeof(SnapshotEntry) == 32);
static_assert(sizeof(SpanHeader) == 64);

}  // namespace commy::region
