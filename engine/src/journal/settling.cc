#include "journal/settling.h"

#include <utility>

namespace tiercache {
namespace {

Record settled_note(const SlotName& slot, const Entry& entry) {
  Record note = make_marker(RecordKind::done, slot, entry.version);
  note.entry.clocks = entry.clocks;
  return note;
}

// The store may have refused a guarded write for an older entry, which takes its place in the files
// only now. No note is written of that: if there is a crash before it is done, the write must be
// sent, and refused, once more.
bool refused_by_guard(const UnsettledWrite& write, Settlement how) {
  return how == Settlement::superseded && write.write.not_newer_than &&
         write.kind == RecordKind::content;
}

}  // namespace

void Settling::settled(const UnsettledWrite& write, Settlement how) {
  const Entry& entry = write.write.entry;
  const SlotName slot = slot_of(write);
  const bool with_clocks = how == Settlement::saved || write.kind == RecordKind::clocks;
  bool any = false;
  queue_.add_in_order([&](CommitQueue::Additions* added) {
    any = table_.with_index([&](LiveIndex& index) {
      return index.settle(slot, entry.version, entry.clocks, with_clocks);
    });
    if (!any) return;
    if (!refused_by_guard(write, how)) added->notes.push_back(settled_note(slot, entry));
    if (with_clocks && write.kind == RecordKind::content) {
      added->notes.push_back(settled_note({RecordKind::clocks, slot.id}, entry));
    }
  });
  if (any) table_.trim();
}

}  // namespace tiercache
