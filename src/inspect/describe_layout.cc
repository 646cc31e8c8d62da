#include "inspect/describe_layout.h"

#include <cstddef>

#include "absl/strings/str_cat.h"

#include "index/hash/layout.h"
#include "index/tree/layout.h"
#include "namespaces/catalog.h"
#include "namespaces/object_layout.h"
#include "namespaces/sums.h"
#include "namespaces/types.h"
#include "region/layout.h"
#include "versions/record.h"
#include "versions/transaction_layout.h"

namespace commy::inspect {
namespace {

#define COMMY_FIELD(type, field)                                                                  \
  absl::StrAppend(text, #type "\t" #field "\t", offsetof(type, field), "\t", sizeof(type::field), \
                  "\n")
#define COMMY_WHOLE(type) absl::StrAppend(text, #type "\t\t0\t", sizeof(type), "\n")

void DescribeHeader(std::string* text) {
  using region::RegionHeader;
  COMMY_WHOLE(RegionHeader);
  COMMY_FIELD(RegionHeader, magic);
  COMMY_FIELD(RegionHeader, format_version);
  COMMY_FIELD(RegionHeader, header_bytes);
  COMMY_FIELD(RegionHeader, uuid);
  COMMY_FIELD(RegionHeader, hash_seed);
  COMMY_FIELD(RegionHeader, max_size_bytes);
  COMMY_FIELD(RegionHeader, chunk_bytes);
  COMMY_FIELD(RegionHeader, span_bytes);
  COMMY_FIELD(RegionHeader, participants_offset);
  COMMY_FIELD(RegionHeader, participant_count);
  COMMY_FIELD(RegionHeader, lane_count);
  COMMY_FIELD(RegionHeader, lanes_offset);
  COMMY_FIELD(RegionHeader, snapshots_offset);
  COMMY_FIELD(RegionHeader, snapshot_count);
  COMMY_FIELD(RegionHeader, segment_buckets);
  COMMY_FIELD(RegionHeader, span_words_offset);
  COMMY_FIELD(RegionHeader, data_offset);
  COMMY_FIELD(RegionHeader, stale_after_ns);
  COMMY_FIELD(RegionHeader, operation_timeout_ns);
  COMMY_FIELD(RegionHeader, heartbeat_interval_ns);
  COMMY_FIELD(RegionHeader, created_wall_ns);
  COMMY_FIELD(RegionHeader, checksum);
  COMMY_FIELD(RegionHeader, clean_word);
  COMMY_FIELD(RegionHeader, boot_id);
  COMMY_FIELD(RegionHeader, device);
  COMMY_FIELD(RegionHeader, inode);
  COMMY_FIELD(RegionHeader, birth_ns);
  COMMY_FIELD(RegionHeader, size_bytes);
  COMMY_FIELD(RegionHeader, lanes_ready);
  COMMY_FIELD(RegionHeader, epoch);
  COMMY_FIELD(RegionHeader, commit_clock);
  COMMY_FIELD(RegionHeader, catalog_root);
  COMMY_FIELD(RegionHeader, next_namespace_id);
  COMMY_FIELD(RegionHeader, path_quotas);
  COMMY_FIELD(RegionHeader, snapshots_held);
  COMMY_FIELD(RegionHeader, snapshots_ended);
  COMMY_FIELD(RegionHeader, snapshots_ready);
  COMMY_FIELD(RegionHeader, span_hint);
  COMMY_FIELD(RegionHeader, hole_spans);
  COMMY_FIELD(RegionHeader, shrinker);
  COMMY_FIELD(RegionHeader, clock_skew_ns);
  COMMY_FIELD(RegionHeader, clock_seen_ns);
  COMMY_FIELD(RegionHeader, due_claims);
  COMMY_FIELD(RegionHeader, epoch_moved_ns);
  COMMY_FIELD(RegionHeader, clock_boot);
  COMMY_FIELD(RegionHeader, clock_base_ns);
  COMMY_FIELD(RegionHeader, clock_seal);
  COMMY_FIELD(RegionHeader, replaced);
  COMMY_FIELD(RegionHeader, replaced_by);
}

void DescribeRegion(std::string* text) {
  using region::LaneLayout;
  using region::ParticipantEntry;
  using region::SnapshotEntry;
  using region::SpanHeader;
  COMMY_WHOLE(ParticipantEntry);
  COMMY_FIELD(ParticipantEntry, state);
  COMMY_FIELD(ParticipantEntry, pid);
  COMMY_FIELD(ParticipantEntry, start_wall_ns);
  COMMY_FIELD(ParticipantEntry, heartbeat);
  COMMY_FIELD(ParticipantEntry, heartbeat_wall_ns);
  COMMY_FIELD(ParticipantEntry, flags);
  COMMY_FIELD(ParticipantEntry, name);
  COMMY_WHOLE(LaneLayout);
  COMMY_FIELD(LaneLayout, owner);
  COMMY_FIELD(LaneLayout, pins);
  COMMY_FIELD(LaneLayout, op);
  COMMY_FIELD(LaneLayout, op_object);
  COMMY_FIELD(LaneLayout, operations);
  COMMY_FIELD(LaneLayout, op_counter);
  COMMY_FIELD(LaneLayout, progress);
  COMMY_FIELD(LaneLayout, notes);
  COMMY_WHOLE(SnapshotEntry);
  COMMY_FIELD(SnapshotEntry, word);
  COMMY_FIELD(SnapshotEntry, owner);
  COMMY_FIELD(SnapshotEntry, store_ns);
  COMMY_FIELD(SnapshotEntry, keeps);
  COMMY_WHOLE(SpanHeader);
  COMMY_FIELD(SpanHeader, size_class);
  COMMY_FIELD(SpanHeader, block_count);
  COMMY_FIELD(SpanHeader, data_start);
}

void DescribeIndex(std::string* text) {
  using index::CounterCell;
  using index::Directory;
  using index::IndexRoot;
  using index::ReshapeDescriptor;
  using index::Segment;
  using namespaces::NamespaceObject;
  using namespaces::SumRoot;
  using namespaces::TypeBlock;
  using versions::Record;
  COMMY_WHOLE(Record);
  COMMY_FIELD(Record, commit);
  COMMY_FIELD(Record, prev);
  COMMY_FIELD(Record, checksum);
  COMMY_FIELD(Record, value_size);
  COMMY_FIELD(Record, packed);
  COMMY_WHOLE(NamespaceObject);
  COMMY_FIELD(NamespaceObject, id);
  COMMY_FIELD(NamespaceObject, order);
  COMMY_FIELD(NamespaceObject, root);
  COMMY_FIELD(NamespaceObject, default_ttl_ns);
  COMMY_FIELD(NamespaceObject, quota_bytes);
  COMMY_FIELD(NamespaceObject, change_word);
  COMMY_FIELD(NamespaceObject, type);
  COMMY_FIELD(NamespaceObject, value_align);
  COMMY_FIELD(NamespaceObject, sums);
  COMMY_FIELD(NamespaceObject, element_word);
  COMMY_FIELD(NamespaceObject, room_word);
  COMMY_WHOLE(TypeBlock);
  COMMY_FIELD(TypeBlock, size);
  COMMY_FIELD(TypeBlock, checksum);
  COMMY_WHOLE(SumRoot);
  COMMY_FIELD(SumRoot, base);
  COMMY_FIELD(SumRoot, cells);
  COMMY_WHOLE(IndexRoot);
  COMMY_FIELD(IndexRoot, commit);
  COMMY_FIELD(IndexRoot, prev);
  COMMY_FIELD(IndexRoot, namespace_id);
  COMMY_FIELD(IndexRoot, successor);
  COMMY_FIELD(IndexRoot, directory);
  COMMY_FIELD(IndexRoot, pending_reshape);
  COMMY_FIELD(IndexRoot, marks);
  COMMY_FIELD(IndexRoot, due);
  COMMY_FIELD(IndexRoot, counters);
  COMMY_WHOLE(CounterCell);
  COMMY_FIELD(CounterCell, keys);
  COMMY_FIELD(CounterCell, units);
  COMMY_WHOLE(Directory);
  COMMY_FIELD(Directory, depth);
  COMMY_FIELD(Directory, bucket_count);
  COMMY_WHOLE(Segment);
  COMMY_FIELD(Segment, depth);
  COMMY_FIELD(Segment, prefix);
  COMMY_FIELD(Segment, bucket_count);
  COMMY_FIELD(Segment, mark);
  COMMY_FIELD(Segment, due);
  COMMY_WHOLE(ReshapeDescriptor);
  COMMY_FIELD(ReshapeDescriptor, kind);
  COMMY_FIELD(ReshapeDescriptor, old);
  COMMY_FIELD(ReshapeDescriptor, target_0);
  COMMY_FIELD(ReshapeDescriptor, target_1);
  COMMY_FIELD(ReshapeDescriptor, old_1);
  COMMY_FIELD(ReshapeDescriptor, target_2);
  COMMY_FIELD(ReshapeDescriptor, depth);
  COMMY_FIELD(ReshapeDescriptor, prefix);
}

void DescribeOrderedIndex(std::string* text) {
  using index::InnerNode;
  using index::Leaf;
  using index::NodeHead;
  using index::Separator;
  using index::TreeReshape;
  COMMY_WHOLE(NodeHead);
  COMMY_FIELD(NodeHead, level);
  COMMY_FIELD(NodeHead, capacity);
  COMMY_FIELD(NodeHead, low);
  COMMY_WHOLE(Leaf);
  COMMY_FIELD(Leaf, head);
  COMMY_FIELD(Leaf, append);
  COMMY_FIELD(Leaf, count);
  COMMY_FIELD(Leaf, prefix_size);
  COMMY_FIELD(Leaf, mark);
  COMMY_FIELD(Leaf, due);
  COMMY_WHOLE(InnerNode);
  COMMY_FIELD(InnerNode, head);
  COMMY_FIELD(InnerNode, prefix_size);
  COMMY_FIELD(InnerNode, prefix);
  COMMY_WHOLE(Separator);
  COMMY_FIELD(Separator, size);
  COMMY_FIELD(Separator, checksum);
  COMMY_WHOLE(TreeReshape);
  COMMY_FIELD(TreeReshape, kind);
  COMMY_FIELD(TreeReshape, fence);
  COMMY_FIELD(TreeReshape, holder);
  COMMY_FIELD(TreeReshape, holder_index);
  COMMY_FIELD(TreeReshape, parent);
  COMMY_FIELD(TreeReshape, index);
  COMMY_FIELD(TreeReshape, old_0);
  COMMY_FIELD(TreeReshape, old_1);
  COMMY_FIELD(TreeReshape, target_0);
  COMMY_FIELD(TreeReshape, target_1);
  COMMY_FIELD(TreeReshape, target_parent);
  COMMY_FIELD(TreeReshape, separator);
}

void DescribeTransactions(std::string* text) {
  using versions::TransactionEntry;
  using versions::TransactionHead;
  using versions::TransactionPage;
  using versions::TransactionTotal;
  COMMY_WHOLE(TransactionHead);
  COMMY_FIELD(TransactionHead, status);
  COMMY_FIELD(TransactionHead, list_sum);
  COMMY_FIELD(TransactionHead, isolation);
  COMMY_FIELD(TransactionHead, magic);
  COMMY_FIELD(TransactionHead, total_capacity);
  COMMY_FIELD(TransactionHead, total_count);
  COMMY_FIELD(TransactionHead, age);
  COMMY_FIELD(TransactionHead, lane);
  COMMY_FIELD(TransactionHead, attempt);
  COMMY_WHOLE(TransactionTotal);
  COMMY_FIELD(TransactionTotal, object);
  COMMY_FIELD(TransactionTotal, cell);
  COMMY_FIELD(TransactionTotal, keys);
  COMMY_FIELD(TransactionTotal, units);
  COMMY_WHOLE(TransactionPage);
  COMMY_FIELD(TransactionPage, next);
  COMMY_FIELD(TransactionPage, capacity);
  COMMY_FIELD(TransactionPage, count);
  COMMY_WHOLE(TransactionEntry);
  COMMY_FIELD(TransactionEntry, record);
  COMMY_FIELD(TransactionEntry, object);
}

void DescribeCatalog(std::string* text) {
  using namespaces::CatalogEntry;
  using namespaces::CatalogNode;
  using namespaces::CatalogRoot;
  COMMY_WHOLE(CatalogRoot);
  COMMY_FIELD(CatalogRoot, node);
  COMMY_FIELD(CatalogRoot, count);
  COMMY_FIELD(CatalogRoot, dropped_count);
  COMMY_FIELD(CatalogRoot, checksum);
  COMMY_WHOLE(CatalogNode);
  COMMY_FIELD(CatalogNode, level);
  COMMY_FIELD(CatalogNode, count);
  COMMY_FIELD(CatalogNode, bytes);
  COMMY_FIELD(CatalogNode, checksum);
  COMMY_WHOLE(CatalogEntry);
  COMMY_FIELD(CatalogEntry, path_start);
  COMMY_FIELD(CatalogEntry, path_size);
  COMMY_FIELD(CatalogEntry, value);
}

#undef COMMY_FIELD
#undef COMMY_WHOLE

}  // namespace

std::string DescribeLayout() {
  std::string text;
  DescribeHeader(&text);
  DescribeRegion(&text);
  DescribeIndex(&text);
  DescribeOrderedIndex(&text);
  DescribeTransactions(&text);
  DescribeCatalog(&text);
  return text;
}

}  // namespace commy::inspect
