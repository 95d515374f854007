// What the journal keeps in memory: for each key the place of its live records, never a document.
//
// A key has a slot for its newest content and one for its clocks; a matching erase has one per
// dataset and glob. A record is live while its slot holds it; the slot is emptied once the record's
// file is synced and the store has settled it. The index counts what is live per segment, so that
// its owner knows which segments may go.
//
// A guarded record does not stand for an older unsettled one that it has not seen (two processes
// wrote, one of them died). The older one then has the slot below and is sent first; the store
// judges the guarded one against it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/hash.h"
#include "journal/record.h"
#include "journal/unsettled_write.h"

namespace tiercache {

// Where a frame lies. `segment` is the number the open journal gave it when it made or met it.
struct Place {
  std::uint64_t segment = 0;
  std::uint64_t offset = 0;
  std::uint32_t size = 0;

  friend bool operator==(const Place&, const Place&) = default;
};

// One write to be sent. A key's clocks travel with its content.
struct SlotPlaces {
  SlotName slot;
  Version version;
  std::vector<Place> places;         // of the slot's record; several for clocks that must be merged
  std::vector<Place> clocks_places;  // with content: of the clocks that travel along
};

// Where a write stands among those listed: by version, and within one by what it is.
struct SlotPosition {
  Version version;
  RecordKind kind = RecordKind::content;
  EntryId id;
};

// A record in its slot.
struct LiveRecord {
  struct Parked {
    std::optional<Place> marker;  // of the record that says so, once it is written
    std::string why;
    std::uint64_t bytes = 0;
  };
  Place place;
  Version version;
  std::optional<Version> guard;        // of content: `Record::not_newer_than`
  std::unique_ptr<Lineage> made_from;  // of content; null: empty
  std::uint64_t file_mark = 0;         // 0: its file was not written, or is synced
  bool file_synced = false;
  bool settled = false;
  bool held = false;       // attempted; waits for `resume`
  bool tombstone = false;  // of content
  std::unique_ptr<Parked> parked;
};

// Not thread-safe.
class LiveIndex {
 public:
  // Without a store every record counts as settled.
  explicit LiveIndex(bool has_store) : has_store_(has_store) {}

  // --- Segments ---
  // Segments are numbered in the order they are added.
  void add_segment(std::uint64_t segment);
  // Told once the file is gone for good. Nothing live may be in it.
  void remove_segment(std::uint64_t segment);
  // Forgets the segment and what is live in it, which stays on disk for somebody else.
  void forget_segment(std::uint64_t segment);
  // Those without live records that nobody reads.
  const std::set<std::uint64_t>& dead_segments() const { return dead_; }
  std::uint64_t live_in(std::uint64_t segment) const;
  // A segment that is being read does not count as dead.
  void pin(std::uint64_t segment);
  void unpin(std::uint64_t segment);

  // --- Records ---
  // Takes in a content, clocks or erase_matching record unless a newer one makes it dead on
  // arrival. Order does not matter: the newest version stays, clocks merge by maximum; below a
  // guarded one also what that has not seen.
  void add(const Record& record, const Place& place);
  // The live record at `from` was copied to `to`.
  void move(const Record& record, const Place& from, const Place& to);
  bool is_live_at(const Record& record, const Place& place) const;
  // From now on no segment up to `segment` may outlive a matching erase, since it may hold what the
  // erase hides.
  void guard_erasures(std::uint64_t segment);
  // Where the key's content record lies; false without one.
  bool find_content(const EntryId& id, Place* out) const;
  // The clocks of the key's clocks record; false without one.
  bool find_clocks(const EntryId& id, SlotPlaces* out, Clocks* clocks) const;
  // Bytes that would no longer be live once this record is.
  std::uint64_t replaced_bytes(const Record& record) const;
  // The slots whose newest record lies in one of these, oldest version first.
  std::vector<SlotPlaces> live_in_any(const std::set<std::uint64_t>& segments) const;
  struct SlotVersion {
    SlotName slot;
    Version version;
  };
  // Slots with a record in `segment` at an offset that is not among `known`.
  std::vector<SlotVersion> others_in(std::uint64_t segment,
                                     const std::set<std::uint64_t>& known) const;

  // What is known of the records of `segment` that lie at other offsets than these: all but the
  // document and the metadata.
  struct KnownRecord {
    Record record;
    std::optional<Place> place;  // nullopt: clocks, to be added anew in the place of all before
    bool confirmed = false;      // the store has it
  };
  std::vector<KnownRecord> known_in(std::uint64_t segment,
                                    const std::set<std::uint64_t>& except) const;
  // Gives up what is live in the segment.
  void give_up(std::uint64_t segment);

  // --- Files ---
  // True when the key's live content is of this version; it then stays live until a `file_written`
  // told from now on was synced.
  bool cover_file_write(const EntryId& id, Version version);
  void file_written(const EntryId& id, Version version, const Clocks& clocks);
  void files_erased(const EntryId& glob, Version version);
  std::uint64_t files_mark() const { return files_mark_; }
  void files_synced(std::uint64_t mark);

  // --- Store ---
  // Chooses unsettled writes, oldest version first, marks their keys in flight and pins their
  // segments. A matching erase comes alone. Those for which `apart` says so are passed over.
  using Apart = std::function<bool(const SlotName&)>;
  std::vector<SlotPlaces> take(std::size_t limit, std::size_t max_bytes, const Apart& apart = {});
  bool has_unsettled(const Apart& apart) const;
  // Of these, the ones that may be sent now.
  std::vector<SlotPlaces> take_named(std::span<const SlotName> slots);
  // The key is in flight no more. With `hold` what was taken waits for `resume`; what was added
  // since does not.
  void release(const SlotName& slot, Version version, bool hold);
  void resume();
  // Settles the slot up to `version`. `clocks` are those that were sent; with `with_clocks` they
  // settle the key's clocks record too, unless it moved since it was taken. What is below is
  // settled by its own version, or when the store took what is above (`with_clocks`). False when
  // nothing was unsettled.
  bool settle(const SlotName& slot, Version version, const Clocks& clocks, bool with_clocks);
  // Takes the slot's record out of the queue if it is still this version and unsettled, else false.
  bool park(const SlotName& slot, Version version, const std::string& why);
  // The record that says so was written. Dead on arrival unless the slot is parked at this version.
  void add_parked_marker(const Record& record, const Place& place);
  // Queues it again, or empties the slot, whatever file it has. Nullopt when it is not parked, else
  // its version.
  std::optional<Version> retry_parked(const SlotName& slot);
  std::optional<Version> discard_parked(const SlotName& slot);
  // A write that the store has not settled, as it is listed.
  struct ListedSlot {
    SlotName slot;
    Version version;
    bool tombstone = false;
    std::uint64_t bytes = 0;
    Clocks clocks = {};    // with clocks
    std::string why = {};  // of parked ones
  };
  enum class Listing : std::uint8_t { waiting, parked };
  // Up to `limit`, oldest version first, after the one that stands at `after`. Of one dataset, or
  // of all when that is empty.
  std::vector<ListedSlot> list(Listing which, const std::string& dataset, const SlotPosition* after,
                               std::size_t limit) const;
  std::vector<ListedSlot> parked() const { return list(Listing::parked, {}, nullptr, SIZE_MAX); }
  std::vector<Place> places(const SlotName& slot) const {
    return places_of(slot.kind, *find(slot));
  }
  // The parked ones of this key, or matching erases of this glob; of one version unless it is zero.
  std::vector<ListedSlot> parked_of(const EntryId& id, Version version) const;
  bool is_unsettled(const EntryId& id, Version* version) const;
  bool holds(const EntryId& id) const { return keys_.contains(id); }
  std::optional<Guard> guard_of(const EntryId& id, Version version) const;
  bool awaits_store(const SlotName& slot) const;
  std::optional<Version> erased_below(const EntryId& id) const;

  // --- Figures ---
  std::uint64_t live_records() const { return live_records_; }
  std::uint64_t live_bytes() const { return live_bytes_; }
  std::uint64_t parked_count() const { return parked_.size(); }
  std::uint64_t parked_bytes() const { return parked_bytes_; }
  std::uint64_t unsettled() const { return sendable_.size() + held_.size(); }

 private:
  using Live = LiveRecord;
  struct LiveClocks : Live {
    Clocks clocks;
    std::vector<Place> more_places;  // of clocks records that this one does not cover
    std::uint64_t change = 0;        // distinguishes what was taken from what came after
    bool described = false;          // a record of this version has metadata
  };
  struct Key {
    std::optional<Live> content;
    std::unique_ptr<Live> below;  // only with content, which has not seen it; has no file
    std::unique_ptr<LiveClocks> clocks;
    bool in_flight = false;
    std::uint64_t clocks_taken = 0;  // `change` of the clocks in flight; 0: none
  };
  struct Erasure : Live {
    std::uint64_t guards = 0;  // segments up to this number may hold what it hides
    bool in_flight = false;
  };
  struct IdHash {
    std::size_t operator()(const EntryId& id) const { return hash64(id.key, hash64(id.dataset)); }
  };
  struct Listed {
    Version version;
    RecordKind kind;
    const EntryId* id;  // the key in its map, whose nodes do not move

    friend bool operator<(const Listed& a, const Listed& b) {
      if (auto order = a.version <=> b.version; order != 0) return order < 0;
      if (a.kind != b.kind) return a.kind < b.kind;
      return *a.id < *b.id;
    }
  };
  struct SegmentUse {
    std::uint64_t records = 0;
    std::uint64_t pins = 0;
  };
  using Keys = std::unordered_map<EntryId, Key, IdHash>;
  using Erasures = std::map<EntryId, Erasure>;

  void add_content(const Record& record, const Place& place);
  void add_below(const Record& record, const Place& place, const EntryId& id, Key& key);
  void sink(Key& key);     // the content becomes what is below
  void surface(Key& key);  // what is below becomes the content
  void add_clocks(const Record& record, const Place& place);
  static bool says_all_of(const Record& newer, const LiveClocks& old);
  void add_erasure(const Record& record, const Place& place);
  void bury_erased(const EntryId& glob, Version below);
  // True when a matching erase, settled or not, is above this version; such an erase then guards
  // `segment` too.
  bool hidden(const EntryId& id, Version version, std::uint64_t segment);

  Live* find(const SlotName& slot);
  const Live* find(const SlotName& slot) const;
  const EntryId& stored_id(const SlotName& slot) const;
  // The slot of this kind and key that holds `version`, where that is the one below.
  SlotName with_version(SlotName slot, Version version) const;
  std::optional<SlotName> slot_at(const Record& record, const Place& place) const;
  static std::vector<Place> places_of(RecordKind kind, const Live& live);
  struct SlotRef {
    RecordKind kind;
    const EntryId& id;
    bool below;

    SlotName name() const { return {kind, id, below}; }
  };
  // What is below comes before what is above.
  template <class Visit>
  void for_each(Visit visit) const;

  // Every change of what makes a record sendable lies between these two.
  void unlist(RecordKind kind, const EntryId& id, Live& live);
  void list(RecordKind kind, const EntryId& id, Live& live);
  void count(const Place& place);
  void uncount(const Place& place);
  void start(RecordKind kind, const EntryId& id, Live& live, Version version, const Place& place);
  void unpark(RecordKind kind, const EntryId& id, Live& live);
  // The record gives up its place in the slot, the key stays.
  void retire(RecordKind kind, const EntryId& id, Live& live);
  void unwrite(Live& live);
  void wrote(const SlotName& slot, Live& live);
  void mark_settled(const SlotName& slot, Live& live);
  // Empties the slot if nothing keeps its record.
  void reconsider(const SlotName& slot);
  void empty(const SlotName& slot);
  void forget_places_in(const SlotName& slot, std::uint64_t segment);
  void forget_idle_key(const EntryId& id);
  bool guarding(const Erasure& erasure) const;
  void set_in_flight(const SlotName& slot, bool in_flight);
  bool is_in_flight(const SlotName& slot) const;
  ListedSlot describe(const SlotName& slot, const Live& live) const;
  std::optional<SlotName> to_send(const Listed& next) const;
  SlotPlaces taken(const SlotName& slot);

  const bool has_store_;
  Keys keys_;
  Erasures erasures_;
  std::set<Listed> sendable_;  // unsettled and neither parked nor held; may be in flight
  std::set<Listed> held_;      // unsettled, not parked
  std::set<Listed> parked_;
  std::uint64_t parked_bytes_ = 0;
  std::map<std::uint64_t, SegmentUse> segments_;
  std::set<std::uint64_t> dead_;
  std::uint64_t live_records_ = 0;
  std::uint64_t live_bytes_ = 0;
  std::uint64_t files_mark_ = 0;
  std::map<std::uint64_t, SlotName> written_;  // by `Live::file_mark`: written and not yet synced
  std::uint64_t changes_ = 0;
};

template <class Visit>
void LiveIndex::for_each(Visit visit) const {
  for (const auto& [id, key] : keys_) {
    if (key.below) visit(SlotRef{RecordKind::content, id, true}, *key.below);
    if (key.content) visit(SlotRef{RecordKind::content, id, false}, *key.content);
    if (key.clocks) {
      visit(SlotRef{RecordKind::clocks, id, false}, static_cast<const Live&>(*key.clocks));
    }
  }
  for (const auto& [id, erasure] : erasures_) {
    visit(SlotRef{RecordKind::erase_matching, id, false}, static_cast<const Live&>(erasure));
  }
}

}  // namespace tiercache
