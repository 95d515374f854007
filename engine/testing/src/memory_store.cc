#include "tiercache/testing/memory_store.h"

#include <algorithm>
#include <charconv>
#include <mutex>
#include <utility>
#include <vector>

#include "tiercache/glob.h"
#include "tiercache/store_rules.h"

namespace tiercache::testing {

namespace {

struct Row {
  EntryPtr entry;
  std::uint64_t updated = 0;  // its place in the order of updates, the key of `Project::recent`
  std::shared_ptr<const std::string> corrupt = nullptr;  // what it holds instead of the entry
};

struct Project {
  std::map<EntryId, Row> rows;
  std::map<std::uint64_t, EntryId> recent;
  Version horizon;
  std::optional<WallTime> since;
  std::uint64_t purged_to = 0;  // the last update of a tombstone that was purged
};

std::uint64_t parse_cursor(const std::string& cursor) {
  std::uint64_t value = UINT64_MAX;
  std::from_chars(cursor.data(), cursor.data() + cursor.size(), value);
  return value;
}

}  // namespace

class MemoryStore::Watch final : public ChangeWatch {
 public:
  Watch(std::shared_ptr<State> store, std::string project, std::function<void()> hint)
      : store_(std::move(store)), project_(std::move(project)), hint_(std::move(hint)) {}
  HintState state() const override;

  const std::string& project() const { return project_; }
  void hint() const { hint_(); }

 private:
  const std::shared_ptr<State> store_;
  const std::string project_;
  const std::function<void()> hint_;
};

struct MemoryStore::State {
  explicit State(std::shared_ptr<Clock> store_clock) : clock(std::move(store_clock)) {}

  const std::shared_ptr<Clock> clock;
  mutable std::mutex mutex;
  // Everything below is guarded by `mutex`.
  std::function<StoreFault(const std::string&)> fault;
  std::function<void(const std::string&)> hook;
  std::function<std::optional<std::string>(const StoreWrite&)> refusal;
  StoreLimits limits;
  std::string name = "memory";
  bool values_only = false;
  std::uint64_t incarnation = 1;
  std::map<std::string, std::uint64_t> calls;
  std::map<std::string, Project> projects;
  std::uint64_t updates = 0;
  std::string held_up;
  bool hints = false;
  HintState hint_state{.kind = HintState::Kind::live, .why = {}};
  std::vector<std::weak_ptr<Watch>> watches;

  // Gives hints to those who watch. Not called under the lock.
  void hint(const std::string& project);
  void hint_all();
  std::vector<std::shared_ptr<Watch>> watching();

  // What every call does before and around its work: it counts, and asks the hook, the deadline and
  // the fault.
  template <class Reply, class Work>
  Reply serve(const std::string& operation, SteadyTime deadline, Work work);
  StoreFault next_fault(const std::string& operation);

  Row find(const std::string& project, const EntryId& id) const;
  EntryPtr put(Project& project, const EntryId& id, Entry entry);
  SaveResult apply(Project& project, const StoreWrite& write);
};

StoreFault MemoryStore::State::next_fault(const std::string& operation) {
  std::function<void(const std::string&)> call_hook;
  std::function<StoreFault(const std::string&)> call_fault;
  {
    std::lock_guard lock(mutex);
    ++calls[operation];
    call_hook = hook;
    call_fault = fault;
  }
  if (call_hook) call_hook(operation);
  return call_fault ? call_fault(operation) : StoreFault::none;
}

template <class Reply, class Work>
Reply MemoryStore::State::serve(const std::string& operation, SteadyTime deadline, Work work) {
  const StoreFault outcome = next_fault(operation);
  Reply reply;
  if (clock->steady_now() >= deadline) {
    reply.status = StoreStatus::unavailable;
    reply.message = "the deadline passed before the store was asked";
    return reply;
  }
  if (outcome == StoreFault::unavailable || outcome == StoreFault::unknown_undone) {
    reply.status =
        outcome == StoreFault::unavailable ? StoreStatus::unavailable : StoreStatus::unknown;
    reply.message = "fault asked for by the test";
    return reply;
  }
  work(reply);
  if (outcome == StoreFault::unknown_done) {
    reply = Reply{};
    reply.status = StoreStatus::unknown;
    reply.message = "fault asked for by the test";
    return reply;
  }
  reply.store_time = clock->wall_now();
  std::lock_guard lock(mutex);
  reply.incarnation = std::to_string(incarnation);
  return reply;
}

// Returns an empty row if there is none.
Row MemoryStore::State::find(const std::string& project, const EntryId& id) const {
  const auto found_project = projects.find(project);
  if (found_project == projects.end()) return {};
  const auto found = found_project->second.rows.find(id);
  return found == found_project->second.rows.end() ? Row{} : found->second;
}

EntryPtr MemoryStore::State::put(Project& project, const EntryId& id, Entry entry) {
  if (values_only && entry.document && !entry.text_checksum) {
    entry.document = std::make_shared<const std::string>(*entry.document + ' ');
    entry.text_checksum = Checksum::of(*entry.document);
  }
  if (!project.since) project.since = clock->wall_now();
  Row& row = project.rows[id];
  project.recent.erase(row.updated);
  row = {.entry = std::make_shared<const Entry>(std::move(entry)), .updated = ++updates};
  project.recent.emplace(row.updated, id);
  return row.entry;
}

SaveResult MemoryStore::State::apply(Project& project, const StoreWrite& write) {
  const auto found = project.rows.find(write.id);
  EntryPtr row = found == project.rows.end() ? nullptr : found->second.entry;
  if (row && found->second.corrupt && write.kind == StoreWrite::Kind::content &&
      write.entry.version >= row->version) {
    put(project, write.id, write.entry);
    return {SaveOutcome::saved, nullptr, {}};
  }
  if (std::string why = refused_as_purged(row.get(), write, project.horizon); !why.empty()) {
    return {SaveOutcome::refused, nullptr, std::move(why)};
  }
  AppliedWrite applied = apply_write(row.get(), write);
  if (applied.row) row = put(project, write.id, std::move(*applied.row));
  const bool superseded = applied.outcome == SaveOutcome::superseded;
  return {applied.outcome, superseded ? row : nullptr, {}};
}

HintState MemoryStore::Watch::state() const {
  std::lock_guard lock(store_->mutex);
  return store_->hint_state;
}

std::vector<std::shared_ptr<MemoryStore::Watch>> MemoryStore::State::watching() {
  std::lock_guard lock(mutex);
  std::vector<std::shared_ptr<Watch>> alive;
  std::erase_if(watches, [](const std::weak_ptr<Watch>& watch) { return watch.expired(); });
  for (const std::weak_ptr<Watch>& one : watches) {
    if (auto watch = one.lock()) alive.push_back(std::move(watch));
  }
  return alive;
}

void MemoryStore::State::hint(const std::string& project) {
  for (const auto& watch : watching()) {
    if (watch->project() == project && watch->state().kind == HintState::Kind::live) watch->hint();
  }
}

void MemoryStore::State::hint_all() {
  for (const auto& watch : watching()) watch->hint();
}

MemoryStore::MemoryStore(std::shared_ptr<Clock> clock)
    : state_(std::make_shared<State>(std::move(clock))) {}

MemoryStore::~MemoryStore() = default;

StoreLimits MemoryStore::limits() const {
  std::lock_guard lock(state_->mutex);
  return state_->limits;
}

LoadReply MemoryStore::load(const std::string& project, std::span<const EntryId> ids,
                            SteadyTime deadline) {
  return state_->serve<LoadReply>("load", deadline, [&](LoadReply& reply) {
    std::lock_guard lock(state_->mutex);
    for (const EntryId& id : ids) {
      const Row row = state_->find(project, id);
      reply.entries.push_back(row.corrupt ? nullptr : row.entry);
      reply.corrupt.push_back(row.corrupt != nullptr);
      reply.corrupt_text.push_back(row.corrupt);
    }
  });
}

SaveReply MemoryStore::save(const std::string& project, std::span<const StoreWrite> writes,
                            SteadyTime deadline) {
  SaveReply answer = state_->serve<SaveReply>("save", deadline, [&](SaveReply& reply) {
    std::function<std::optional<std::string>(const StoreWrite&)> refusal;
    {
      std::lock_guard lock(state_->mutex);
      refusal = state_->refusal;
    }
    for (const StoreWrite& write : writes) {
      std::optional<std::string> why = refusal ? refusal(write) : std::nullopt;
      std::lock_guard lock(state_->mutex);
      if (!why && write.entry.document &&
          write.entry.document->size() > state_->limits.max_document_bytes) {
        why = "the document is larger than the store's limit of " +
              std::to_string(state_->limits.max_document_bytes) + " bytes";
      }
      reply.results.push_back(why ? SaveResult{SaveOutcome::refused, nullptr, *why}
                                  : state_->apply(state_->projects[project], write));
    }
  });
  state_->hint(project);
  return answer;
}

ScanReply MemoryStore::scan(const std::string& project, const std::string& dataset,
                            const std::string& cursor, std::size_t limit, SteadyTime deadline) {
  return state_->serve<ScanReply>("scan", deadline, [&](ScanReply& reply) {
    std::lock_guard lock(state_->mutex);
    const Project& scanned = state_->projects[project];
    auto at = std::make_reverse_iterator(scanned.recent.lower_bound(parse_cursor(cursor)));
    std::uint64_t last = 0;
    for (; at != scanned.recent.rend(); ++at) {
      const auto& [updated, id] = *at;
      if (scanned.rows.at(id).corrupt) continue;
      const EntryPtr& entry = scanned.rows.at(id).entry;
      if (entry->kind == EntryKind::tombstone) continue;
      if (!dataset.empty() && id.dataset != dataset) continue;
      if (reply.entries.size() == std::max<std::size_t>(limit, 1)) {
        reply.next = std::to_string(last);
        return;
      }
      reply.entries.push_back({id, entry});
      last = updated;
    }
  });
}

EraseMatchingReply MemoryStore::erase_matching(const std::string& project,
                                               const MatchingErase& erase, SteadyTime deadline) {
  auto answer = state_->serve<EraseMatchingReply>("erase_matching", deadline, [&](auto& reply) {
    std::lock_guard lock(state_->mutex);
    Project& erased = state_->projects[project];
    auto next = erase.after ? erased.rows.upper_bound({erase.dataset, *erase.after})
                            : erased.rows.lower_bound({erase.dataset, {}});
    std::size_t looked_at = 0;
    for (; next != erased.rows.end() && next->first.dataset == erase.dataset; ++next) {
      if (looked_at++ == std::max<std::size_t>(erase.limit, 1)) {
        reply.next = std::prev(next)->first.key;
        break;
      }
      const auto& [id, row] = *next;
      if (row.entry->version >= erase.version || !glob_matches(erase.glob, id.key)) continue;
      if (row.entry->kind == EntryKind::document) ++reply.erased;
      state_->put(erased, id, tombstone_of(*row.entry, erase.version));
    }
  });
  state_->hint(project);
  return answer;
}

std::shared_ptr<ChangeWatch> MemoryStore::watch_changes(const std::string& project,
                                                        std::function<void()> hint) {
  std::lock_guard lock(state_->mutex);
  if (!state_->hints) return nullptr;
  auto watch = std::make_shared<Watch>(state_, project, std::move(hint));
  state_->watches.push_back(watch);
  return watch;
}

void MemoryStore::give_hints() {
  std::lock_guard lock(state_->mutex);
  state_->hints = true;
}

void MemoryStore::hold_up_changes(std::string why) {
  std::lock_guard lock(state_->mutex);
  state_->held_up = std::move(why);
}

void MemoryStore::set_hint_state(HintState state) {
  {
    std::lock_guard lock(state_->mutex);
    state_->hint_state = std::move(state);
  }
  state_->hint_all();
}

ChangesReply MemoryStore::changes(const std::string& project, const std::string& cursor,
                                  std::size_t limit, SteadyTime deadline) {
  return state_->serve<ChangesReply>("changes", deadline, [&](ChangesReply& reply) {
    std::lock_guard lock(state_->mutex);
    const std::string prefix = std::to_string(state_->incarnation) + '-';
    reply.next = prefix + std::to_string(state_->updates);
    if (cursor.empty()) return;
    reply.gap = !cursor.starts_with(prefix);
    if (reply.gap) return;
    reply.held_up = state_->held_up;
    if (!reply.held_up.empty()) {
      reply.next = cursor;
      return;
    }
    const Project& changed = state_->projects[project];
    const std::uint64_t after = std::stoull(cursor.substr(prefix.size()));
    reply.gap = after < changed.purged_to;
    if (reply.gap) return;
    auto at = changed.recent.upper_bound(after);
    for (; at != changed.recent.end(); ++at) {
      if (reply.changes.size() == std::max<std::size_t>(limit, 1)) {
        reply.more = true;
        return;
      }
      const Entry& entry = *changed.rows.at(at->second).entry;
      reply.changes.push_back({at->second, entry.version, entry.clocks.invalidated_at});
      reply.next = prefix + std::to_string(at->first);
    }
    reply.next = prefix + std::to_string(state_->updates);
  });
}

PurgeReply MemoryStore::purge(const std::string& project, const PurgeRequest& request,
                              SteadyTime deadline) {
  return state_->serve<PurgeReply>("purge", deadline, [&](PurgeReply& reply) {
    std::lock_guard lock(state_->mutex);
    Project& purged = state_->projects[project];
    std::vector<EntryId> expired, gone;
    for (const auto& [id, row] : purged.rows) {
      const Entry& entry = *row.entry;
      const bool is_expired = entry.kind == EntryKind::document &&
                              std::any_of(request.expired.begin(), request.expired.end(),
                                          [&, &of = id](const auto& one) {
                                            return one.dataset == of.dataset &&
                                                   entry.clocks.last_fetch &&
                                                   *entry.clocks.last_fetch < one.fetched_before;
                                          });
      const bool is_old =
          entry.kind == EntryKind::tombstone && entry.version < request.tombstones_below;
      if (!is_expired && !is_old) continue;
      const bool full = expired.size() + gone.size() == request.limit;
      reply.more = full && request.limit > 0;
      if (full) break;
      (is_old ? gone : expired).push_back(id);
    }
    for (const EntryId& id : expired) {
      const Entry& row = *purged.rows.at(id).entry;
      state_->put(purged, id, tombstone_of(row, expired_version(row.version)));
    }
    for (const EntryId& id : gone) {
      const Row& row = purged.rows.at(id);
      purged.horizon = std::max(purged.horizon, row.entry->version);
      purged.purged_to = std::max(purged.purged_to, row.updated);
      purged.recent.erase(row.updated);
      purged.rows.erase(id);
    }
    reply.documents = expired.size();
    reply.tombstones = gone.size();
    reply.horizon = purged.horizon;
    reply.project_since = purged.since;
  });
}

void MemoryStore::set_fault(std::function<StoreFault(const std::string&)> fault) {
  std::lock_guard lock(state_->mutex);
  state_->fault = std::move(fault);
}

void MemoryStore::on_call(std::function<void(const std::string&)> hook) {
  std::lock_guard lock(state_->mutex);
  state_->hook = std::move(hook);
}

void MemoryStore::set_refusal(
    std::function<std::optional<std::string>(const StoreWrite&)> refusal) {
  std::lock_guard lock(state_->mutex);
  state_->refusal = std::move(refusal);
}

void MemoryStore::set_limits(StoreLimits limits) {
  std::lock_guard lock(state_->mutex);
  state_->limits = limits;
}

void MemoryStore::set_name(const std::string& name) {
  std::lock_guard lock(state_->mutex);
  state_->name = name;
}

std::string MemoryStore::describe() const {
  std::lock_guard lock(state_->mutex);
  return state_->name;
}

void MemoryStore::keep_values_only() {
  std::lock_guard lock(state_->mutex);
  state_->values_only = true;
}

void MemoryStore::lose_change_cursors() {
  std::lock_guard lock(state_->mutex);
  ++state_->incarnation;
}

void MemoryStore::reset() {
  std::lock_guard lock(state_->mutex);
  state_->projects.clear();
  ++state_->incarnation;
}

EntryPtr MemoryStore::row(const std::string& project, const EntryId& id) const {
  std::lock_guard lock(state_->mutex);
  return state_->find(project, id).entry;
}

std::size_t MemoryStore::rows() const {
  std::lock_guard lock(state_->mutex);
  std::size_t total = 0;
  for (const auto& [name, project] : state_->projects) total += project.rows.size();
  return total;
}

void MemoryStore::put_row(const std::string& project, const EntryId& id, Entry entry) {
  {
    std::lock_guard lock(state_->mutex);
    state_->put(state_->projects[project], id, std::move(entry));
  }
  state_->hint(project);
}

void MemoryStore::corrupt_row(const std::string& project, const EntryId& id, std::string text) {
  std::lock_guard lock(state_->mutex);
  state_->projects[project].rows.at(id).corrupt =
      std::make_shared<const std::string>(std::move(text));
}

void MemoryStore::drop_row(const std::string& project, const EntryId& id) {
  std::lock_guard lock(state_->mutex);
  Project& of = state_->projects[project];
  const auto found = of.rows.find(id);
  if (found == of.rows.end()) return;
  of.recent.erase(found->second.updated);
  of.rows.erase(found);
}

std::uint64_t MemoryStore::calls(const std::string& operation) const {
  std::lock_guard lock(state_->mutex);
  const auto found = state_->calls.find(operation);
  return found == state_->calls.end() ? 0 : found->second;
}

}  // namespace tiercache::testing
