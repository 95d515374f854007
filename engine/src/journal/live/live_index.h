// What the journal keeps in memory: for each key the places of its live records, never a document.
//
// A key has a slot for its newest content and one for its clocks; a matching erase has one for its
// dataset and glob. A record is live while it is in its slot. The slot is emptied once the record's
// file is synced and the store has settled it. The index counts the live records of each segment,
// so that the segment table knows which segments may go.
//
// A guarded record does not stand for an older unsettled record that it has not seen, which there
// is when two processes wrote and one of them died. The older one then stays in a second slot, the
// one below, and is sent first; the store judges the guarded one against it (decision 16).
//
// A matching erase is needed for longer than other records. It hides older records that may still
// lie, dead, in other segments, and a restart would meet those again. So it stays live until the
// segments that may have such records, which are those up to a number that it keeps, are gone.
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
#include "journal/format/record.h"
#include "journal/live/unsettled_write.h"

namespace tiercache {

// Where a frame lies. `segment` is the number that the open journal gave to the segment.
struct Place {
  std::uint64_t segment = 0;
  std::uint64_t offset = 0;
  std::uint32_t size = 0;
  std::uint64_t sequence = 0;  // the frame's, known while it is written or adopted; not compared

  friend bool operator==(const Place& a, const Place& b) {
    return a.segment == b.segment && a.offset == b.offset && a.size == b.size;
  }
};

// Where the record of a slot lies. When a key's content is taken to be sent, its clocks travel with
// it.
struct SlotPlaces {
  SlotName slot;
  Version version;
  std::vector<Place> places;         // several for clocks records that must be merged
  std::vector<Place> clocks_places;  // of the clocks that travel along with content
  bool filed = false;                // its file has been written and synced
};

// Where a write stands in a listing, which is ordered by version, then kind, then key.
struct SlotPosition {
  Version version;
  RecordKind kind = RecordKind::content;
  EntryId id;
};

// A record in its slot.
struct LiveRecord {
  struct Parked {
    std::optional<Place> marker;  // where the record that says so lies, once it is written
    std::string why;
    std::uint64_t bytes = 0;  // of the parked record, without the marker
  };
  Place place;
  Version version;
  std::optional<Version> guard;        // only content has one: `Record::not_newer_than`
  std::unique_ptr<Lineage> made_from;  // of content; null where it is empty
  std::uint64_t file_mark = 0;         // 0 if its file was not written since, or is synced
  bool file_synced = false;
  // While `file_synced` is false: the sequence number from which on the slot has waited for its
  // file. Lower than the record's own if it took the place of one that waited.
  std::uint64_t unfiled_since = 0;
  bool settled = false;
  bool held = false;       // an attempt to send it failed, and it waits for `resume`
  bool tombstone = false;  // only content can be one
  std::unique_ptr<Parked> parked;
};

// Owned by the segment table, whose lock guards it. It reads no files and calls nobody but `apart`.
class LiveIndex {
 public:
  // Without a store every record counts as settled.
  explicit LiveIndex(bool has_store) : has_store_(has_store) {}

  // --- Segments ---
  // Starts counting for the segment. Its number must be higher than those of all others.
  void add_segment(std::uint64_t segment);
  // To be called once the segment's file is gone for good. Nothing in it may be live.
  void remove_segment(std::uint64_t segment);
  // Forgets the segment and what is live in it, which stays on the disk for somebody else.
  void forget_segment(std::uint64_t segment);
  // The segments without live records that nobody has pinned.
  const std::set<std::uint64_t>& dead_segments() const { return dead_; }
  // How many live records the segment has, markers included.
  std::uint64_t live_in(std::uint64_t segment) const;
  // A pinned segment does not count as dead. Pins are counted.
  void pin(std::uint64_t segment);
  void unpin(std::uint64_t segment);
  // The same for the segments of these places, once for each place.
  void pin(const std::vector<Place>& places);
  void unpin(const std::vector<Place>& places);

  // --- Records ---
  // Takes in a content, clocks or erase_matching record, unless a newer one makes it dead on
  // arrival. The order in which records are added does not matter: the newest version stays, clocks
  // merge by maximum, and below a guarded record stays what that has not seen.
  void add(const Record& record, const Place& place);
  // The record at `from` was copied to `to`. If it is no longer live at `from`, the copy is dead.
  void move(const Record& record, const Place& from, const Place& to);
  // True if this record, or marker, is live at this place.
  bool is_live_at(const Record& record, const Place& place) const;
  // From now on no matching erase is let go of before all segments up to `segment`, since they may
  // have records that it hides.
  void guard_erasures(std::uint64_t segment);
  // Sets `*out` to where the key's content lies. False without content.
  bool find_content(const EntryId& id, Place* out) const;
  // Sets `*out` to where the key's clocks record lies and `*clocks` to what it says. False without
  // one.
  bool find_clocks(const EntryId& id, SlotPlaces* out, Clocks* clocks) const;
  // The bytes that would be dead once this record, which has no place yet, is live.
  std::uint64_t replaced_bytes(const Record& record) const;
  // The slots whose record lies in one of these segments, oldest version first.
  std::vector<SlotPlaces> live_in_any(const std::set<std::uint64_t>& segments) const;
  struct SlotVersion {
    SlotName slot;
    Version version;
  };
  // The slots with a record in `segment` at an offset that is not among `known`.
  std::vector<SlotVersion> others_in(std::uint64_t segment,
                                     const std::set<std::uint64_t>& known) const;

  // What the index knows of a record without reading it: all but the document and the metadata.
  struct KnownRecord {
    Record record;
    // Where it lies, to be moved from there. Nullopt for clocks, which are to be added anew, since
    // the index knows only what all their records say together.
    std::optional<Place> place;
    bool confirmed = false;  // the store has settled it
  };
  // Of the records and markers in `segment` at other offsets than these.
  std::vector<KnownRecord> known_in(std::uint64_t segment,
                                    const std::set<std::uint64_t>& except) const;
  // Forgets what is live in the segment, which is nowhere else.
  void drop_records_in(std::uint64_t segment);

  // --- Files ---
  // These are the calls of `Journal` of the same names.
  bool cover_file_write(const EntryId& id, Version version);
  void file_written(const EntryId& id, Version version, const Clocks& clocks);
  void files_erased(const EntryId& glob, Version version);
  std::uint64_t files_mark() const { return files_mark_; }
  void files_synced(std::uint64_t mark);
  // No record up to this sequence number waits for its file. It goes back when a file is written
  // anew.
  std::uint64_t filed_up_to() const;
  // A dead owner's note said so of its segments, which are these. If the file of such a record is
  // missing, somebody has removed it since. What the store has settled of that is dead.
  void drop_filed(const std::set<std::uint64_t>& segments, std::uint64_t up_to);

  // --- Store ---
  // Chooses unsettled writes, oldest version first, marks their keys in flight and pins their
  // segments. A matching erase comes alone. Those for which `apart` is true are passed over.
  using Apart = std::function<bool(const SlotName&)>;
  std::vector<SlotPlaces> take(std::size_t limit, std::size_t max_bytes, const Apart& apart = {});
  // True if some write is unsettled, and neither parked, in flight nor apart.
  bool has_unsettled(const Apart& apart) const;
  // Takes, in the same way, those of these slots that may be sent now.
  std::vector<SlotPlaces> take_named(std::span<const SlotName> slots);
  // The key is in flight no more. With `hold`, what was taken waits for `resume`; what was added
  // since does not.
  void release(const SlotName& slot, Version version, bool hold);
  // Nothing waits for this any more: what was held may be taken.
  void resume();
  // Settles the slot up to `version`; the key is in flight no more. `clocks` are those that were
  // sent. With `with_clocks`, which for content means that the store took it, they settle the key's
  // clocks record too, unless that has changed since it was taken. A record below is settled by its
  // own version, or when the store took what is above it. False if nothing was unsettled.
  bool settle(const SlotName& slot, Version version, const Clocks& clocks, bool with_clocks);
  // Parks the slot's record if it is still this version and unsettled; else false. The key is in
  // flight no more.
  bool park(const SlotName& slot, Version version, const std::string& why);
  // The marker that says so was written. It is dead on arrival unless the slot is parked at its
  // version.
  void add_parked_marker(const Record& record, const Place& place);
  // Queues a parked record for the store again. The answer is its version; nullopt if the slot is
  // not parked.
  std::optional<Version> retry_parked(const SlotName& slot);
  // Empties a parked slot, whether its file is written or not. The answer is as above.
  std::optional<Version> discard_parked(const SlotName& slot);

  // --- Listing ---
  // A write that the store has not settled, as it is listed.
  struct ListedSlot {
    SlotName slot;
    Version version;
    bool tombstone = false;
    std::uint64_t bytes = 0;
    Clocks clocks = {};    // only of a clocks record
    std::string why = {};  // only of a parked one
  };
  enum class Listing : std::uint8_t { waiting, parked };
  // Up to `limit` writes, oldest version first, that come after `after`, or from the beginning if
  // that is null. An empty `dataset` means all datasets.
  std::vector<ListedSlot> list(Listing which, const std::string& dataset, const SlotPosition* after,
                               std::size_t limit) const;
  std::vector<ListedSlot> parked() const { return list(Listing::parked, {}, nullptr, SIZE_MAX); }
  // Where the record of the slot, which must not be empty, lies.
  std::vector<Place> places(const SlotName& slot) const {
    return places_of(slot.kind, *find(slot));
  }
  // The parked writes of this key, or matching erases of this glob. A version of zero means all.
  std::vector<ListedSlot> parked_of(const EntryId& id, Version version) const;

  // --- What is known of a key ---
  // These are the calls of `Journal` of the same names.
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
    Clocks clocks;                   // what all its records say together
    std::vector<Place> more_places;  // of records that the one at `place` does not cover
    std::uint64_t change = 0;        // tells what was taken from what came after
    bool described = false;          // some record of this version has metadata
  };
  struct Key {
    std::optional<Live> content;
    std::unique_ptr<Live> below;  // only with content, which has not seen it; has no file
    std::unique_ptr<LiveClocks> clocks;
    bool in_flight = false;
    std::uint64_t clocks_taken = 0;  // `change` of the clocks that are in flight; 0: none are
  };
  struct Erasure : Live {
    std::uint64_t guards = 0;  // segments up to this number may have records that it hides
    bool in_flight = false;
  };
  struct IdHash {
    std::size_t operator()(const EntryId& id) const { return hash64(id.key, hash64(id.dataset)); }
  };
  // Where a record stands in the three sets below.
  struct Position {
    Version version;
    RecordKind kind;
    const EntryId* id;  // in its map, whose nodes do not move

    friend bool operator<(const Position& a, const Position& b) {
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
  // Takes in content that is older than the key's newest one, if that has not seen it.
  void add_below(const Record& record, const Place& place, const EntryId& id, Key& key);
  void sink(Key& key);     // makes the content the record below
  void surface(Key& key);  // makes the record below the content
  void add_clocks(const Record& record, const Place& place);
  static bool says_all_of(const Record& newer, const LiveClocks& old);
  void add_erasure(const Record& record, const Place& place);
  // Empties the slots that match the glob and are below the version.
  void bury_erased(const EntryId& glob, Version below);
  // True if a matching erase, settled or not, hides this version of the key. All erases that do
  // then guard `segment` too, in which the hidden record lies.
  bool guard_if_hidden(const EntryId& id, Version version, std::uint64_t segment);

  // The record in the slot; null if the slot is empty.
  Live* find(const SlotName& slot);
  const Live* find(const SlotName& slot) const;
  // The id as it is in the map. The slot's key must be there.
  const EntryId& stored_id(const SlotName& slot) const;
  // The slot below if that has content of `version`, else the one above, whatever that has.
  SlotName slot_holding(SlotName slot, Version version) const;
  std::optional<SlotName> slot_at(const Record& record, const Place& place) const;
  static std::vector<Place> places_of(RecordKind kind, const Live& live);
  struct SlotRef {
    RecordKind kind;
    const EntryId& id;
    bool below;

    SlotName name() const { return {kind, id, below}; }
  };
  // Visits each record; of a key the one below comes before the one above.
  template <class Visit>
  void for_each(Visit visit) const;

  // Takes the record out of `sendable_` or `held_`, and puts it back to where it belongs now.
  // Whatever decides that is changed between the two.
  void dequeue(RecordKind kind, const EntryId& id, Live& live);
  void enqueue(RecordKind kind, const EntryId& id, Live& live);
  // One live record more, or one fewer, in the place's segment.
  void count(const Place& place);
  void uncount(const Place& place);
  // Makes `live` the record of its slot: counted, unsettled and queued.
  void occupy(RecordKind kind, const EntryId& id, Live& live, Version version, const Place& place);
  void unpark(RecordKind kind, const EntryId& id, Live& live);
  // Takes the record out of all sets. It is still counted, and still in its slot.
  void retire(RecordKind kind, const EntryId& id, Live& live);
  // Its file was written and waits for a sync under the next mark.
  void mark_written(const SlotName& slot, Live& live);
  // It waits for no sync any more.
  void clear_written(Live& live);
  void set_file_synced(Live& live, bool synced);
  void mark_settled(const SlotName& slot, Live& live);
  // Empties the slot if its record is no longer needed: settled, synced, not parked, and not an
  // erase that guards.
  void empty_if_done(const SlotName& slot);
  void empty_slot(const SlotName& slot);
  // Forgets those of the record's places that lie in the segment, and the record with the last.
  void forget_places_in(const SlotName& slot, std::uint64_t segment);
  // Forgets the key if it has no record and is not in flight.
  void forget_idle_key(const EntryId& id);
  // True while another segment than its own is there in which it may hide records.
  bool is_guarding(const Erasure& erasure) const;
  void set_in_flight(const SlotName& slot, bool in_flight);
  bool is_in_flight(const SlotName& slot) const;
  ListedSlot describe(const SlotName& slot, const Live& live) const;
  // The slot that goes to the store when it is this one's turn. Nullopt if one that must go first
  // is held.
  std::optional<SlotName> slot_to_send(const Position& next) const;
  // Marks the slot's key in flight and pins its segments.
  SlotPlaces take_slot(const SlotName& slot);

  const bool has_store_;
  Keys keys_;
  Erasures erasures_;
  // A record that is unsettled is in exactly one of these; one in flight too.
  std::set<Position> sendable_;
  std::set<Position> held_;  // given to nobody before `resume`
  std::set<Position> parked_;
  std::uint64_t parked_bytes_ = 0;
  std::map<std::uint64_t, SegmentUse> segments_;
  std::set<std::uint64_t> dead_;
  std::uint64_t live_records_ = 0;
  std::uint64_t live_bytes_ = 0;
  std::uint64_t files_mark_ = 0;
  // The slots whose files were written and are not synced yet, by `Live::file_mark`.
  std::map<std::uint64_t, SlotName> written_;
  std::set<std::uint64_t> unfiled_;  // `LiveRecord::unfiled_since` of all
  std::uint64_t last_sequence_ = 0;
  std::uint64_t changes_ = 0;  // the last `LiveClocks::change`
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
