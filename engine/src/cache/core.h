// An open cache: owns the rooms and wires them together. What happens on a read is in read_op.h, on
// a write in write_path.h, behind them in file_writer.h, store_reader.h and refresh_path.h.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "base/annotations.h"
#include "base/backoff.h"
#include "base/breaker.h"
#include "base/guarded_call.h"
#include "base/health_mark.h"
#include "base/log.h"
#include "base/mutex.h"
#include "base/version_clock.h"
#include "base/write_order.h"
#include "cache/config_check.h"
#include "cache/counters.h"
#include "cache/dataset_state.h"
#include "cache/settlements.h"
#include "cache/signal.h"
#include "files/entry_files.h"
#include "journal/journal.h"
#include "journal/outbox_drain.h"
#include "json/document.h"
#include "memory/memory_tier.h"
#include "refresh/scheduler.h"
#include "refresh/single_flight.h"
#include "tiercache/detail/dataset_core.h"
#include "tiercache/options.h"
#include "tiercache/outbox.h"
#include "tiercache/stats.h"

namespace tiercache::detail {

class ChangeFeed;
class DirectoryKeeper;
class FileEviction;
class FileWriter;
class RefreshPath;
class Retention;
class StoreIdentity;
class StoreReader;
class WritePath;

// How the tiers are doing, each part where it can fail on its own: what works must not say that
// what does not does.
struct Marks {
  Marks(Log& log, const Clock& clock);

  HealthMark directory;  // deleted, and not made anew
  HealthMark file_reads, file_writes, file_syncs;
  HealthMark journal;
  HealthMark adoption;  // of the journals of caches that stopped
  HealthMark store;     // told by the breaker
  HealthMark saves;     // one write fails alone, while the store answers others
  HealthMark feed;      // held up by something in the store
  HealthMark hints;
};

// Made by `open`, shared by handles and by tasks on the executor. Thread-safe.
class Core : public std::enable_shared_from_this<Core> {
 public:
  // How many files are written with one sync, at most.
  static constexpr std::size_t kFilesAtOnce = 256;

  static std::shared_ptr<Core> open(CacheOptions options);
  ~Core();

  DatasetState& open_dataset(const std::string& name, DatasetPolicy policy);
  // Null when no dataset of that name is open.
  DatasetState* find_dataset(const std::string& name) const;
  std::vector<std::string> dataset_names() const;  // of those that are open

  bool flush(SteadyTime deadline);
  bool warm_up(SteadyTime deadline);
  bool accept_store();
  // Finishes what stopped caches left in the directory. False: another process is at it, or it
  // cannot be read.
  bool adopt_orphans();
  CloseReceipt close(std::chrono::milliseconds deadline);
  Stats stats() const;
  Health health() const;

  // Throws `Error` in a forked child.
  void check_process() const;
  // The same, and `Closed` once `close` has begun.
  void check_open() const;
  bool is_open() const { return open_.load(std::memory_order_acquire); }

  Now now() const;
  // `last_fetch` of what is fetched or put from now on: after the key's invalidation, also within
  // one millisecond.
  WallTime fetch_time(const EntryId& id) const;
  Ticks coarse_ticks() const;
  SteadyTime after(std::chrono::milliseconds delay) const;
  // Takes note of what a store said: its clock, and how long it took.
  void store_answered(const StoreReply& reply, std::chrono::nanoseconds took);
  // Makes a call into the store and counts it, or has it unavailable while the breaker is open.
  template <class Call>
  auto ask_store(Breaker::Urgency urgency, Counter& counter, Call call) -> decltype(call());
  template <class Call>
  auto ask_store(const Breaker::Permit& permit, Counter& counter, Call call) -> decltype(call());
  // Reports the rows that fail their checksum, and keeps what they hold in the quarantine, since
  // the next write replaces it (I9).
  void look_for_corrupt_rows(std::span<const EntryId> ids, const LoadReply& reply);
  // The key's file; a tombstone where a matching erase hides it.
  FileReadResult read_file(const EntryId& id) const;
  // What a read of the local tiers would find of the key, whatever its age, tombstones too; null:
  // nothing.
  EntryPtr newest_local(DatasetState& dataset, const EntryId& id) const;
  // Brings what a lower tier gave into the files, unless a matching erase came meanwhile (I4).
  // Where the disk will not take it, the older file goes. False when the disk refuses even that.
  bool keep_in_files(const EntryId& id, const Entry& entry);
  // A newer entry than ours was met in the store or in a file: the local tiers take it. Memory
  // alone does, and holds it, while the disk keeps something older.
  void take_newer(const EntryId& id, const EntryPtr& entry);
  // The same for many rows of the store; what the local tiers have or know better is passed over.
  // False when some could not be taken, and something older is served: the store is not the
  // directory's, or neither disk nor memory had room. To be tried again.
  bool take_rows(const std::vector<ScannedEntry>& rows);
  // Also where the store is another one than the directory belongs to: somebody has said that it is
  // meant.
  bool keep_rows(const std::vector<ScannedEntry>& rows);
  // The store refused our write of `ours` for `winner` (null: none): the local tiers take that
  // instead, also where a guarded write's version is above it, unless a later write is there
  // already.
  void take_winner(const EntryId& id, Version ours, const EntryPtr& winner);
  // What the key's file has goes to the store once more, as a write of the version that it is:
  // whatever came later still wins. `done` is called once that is journaled.
  void send_again(const EntryId& id, const Entry& entry, std::optional<Version> guard,
                  Journal::Done done);
  // True where the store has refused this version of the key: where somebody has just shown it, or
  // written it to its file, it has given way to the store's row again.
  bool withdraw_late(const EntryId& id, Version version);
  // Rows of the store; by `deadline`, at most the call timeout.
  LoadReply load_rows(std::span<const EntryId> ids, SteadyTime deadline, Breaker::Urgency urgency);
  // The calls of `Outbox` (outbox.cc).
  OutboxPage list_outbox(const OutboxQuery& query) const;
  bool retry_parked(const OutboxId& id);
  // What was retried is on its way.
  void send_retried();
  // The local tiers take what the store says, then the journal lets go; `forget_discarded` makes
  // that last.
  std::vector<OutboxOutcome> discard_parked(std::span<const OutboxId> ids, SteadyTime deadline);
  bool forget_discarded(SteadyTime deadline);
  // Puts tombstones in the place of every file of the dataset that matches and is older than
  // `version`: another process's journal may still hold what they hide, and later writes must be
  // stamped above them. Tells the journal. False when the disk refused some: `erase_files_again`
  // goes on, and readers do not see them.
  bool erase_files_matching(const std::string& dataset, const std::string& glob, Version version);
  void erase_files_again();
  // The newest of the key in memory or its file, whole.
  std::optional<Entry> newest_known(const EntryId& id) const;
  // The counters by which processes tell each other of changes, after the directory was made anew.
  void share_counters_again();
  // Throws BadDirectory where the directory cannot be made or is another's. Again: it was ours, and
  // is so also where its marker was deleted.
  void own_directory();
  void own_directory_again();
  bool shares_counters() const { return counters_identity_ != 0; }
  // False when their file was deleted or replaced. Where they cannot be shared there is none.
  bool counters_stand() const;
  // Keeps a note in the directory, while that is ours; see kept_text.h.
  bool keep_note(const std::string& path, std::string_view head, const std::string& text) const;
  // An entry whose file cannot be written, of a dataset that may not be open yet.
  void keep_unwritten(const EntryId& id, EntryPtr entry);
  // The entry of the key that is kept so; null: none.
  EntryPtr unwritten(const EntryId& id) const;
  // What a dataset that is not open yet is to serve is in no file.
  bool has_unwritten() const;
  // Waits on this thread.
  void pause(std::chrono::milliseconds span) const;
  // Those that a file or a row of the store has, as far as believable, and what the journal has to
  // tell them yet.
  Clocks clocks_with_pending(const EntryId& id, const Entry& entry) const;
  // Logs what was found wrong with an entry, without its key or document.
  void report(LogTopic topic, const EntryId& id, const std::string& what);

  // --- Fixed after `open` ---
  CacheOptions options;
  std::shared_ptr<Clock> clock;
  std::shared_ptr<FileSystem> file_system;
  std::shared_ptr<Executor> executor;
  bool owns_executor = false;
  std::shared_ptr<Store> store;  // null without one, or with it switched off
  DocumentRules rules;
  KeyRules key_rules;
  const std::uint32_t forks_at_open;

  std::unique_ptr<Log> log;
  std::unique_ptr<Marks> marks;
  std::unique_ptr<VersionClock> versions;
  std::unique_ptr<MemoryTier> memory;
  std::shared_ptr<Quarantine> quarantine;
  std::shared_ptr<Generations> generations;
  std::unique_ptr<EntryFiles> files;
  std::unique_ptr<WriteOrder> write_order;
  std::shared_ptr<Journal> journal;
  std::shared_ptr<Breaker> breaker;  // null without a store, as is the next
  std::shared_ptr<OutboxDrain> drain;
  std::shared_ptr<SingleFlight> flights;
  std::shared_ptr<Scheduler> scheduler;
  std::unique_ptr<Signal> changed;  // outbox, files, hydration or refreshes moved
  Settlements settlements;
  std::unique_ptr<FileWriter> file_writer;
  std::unique_ptr<DirectoryKeeper> directory_keeper;
  std::unique_ptr<FileEviction> file_eviction;
  std::unique_ptr<StoreReader> store_reader;
  std::unique_ptr<WritePath> write_path;
  std::unique_ptr<RefreshPath> refresh_path;
  std::unique_ptr<ChangeFeed> change_feed;
  std::unique_ptr<StoreIdentity> store_identity;
  std::unique_ptr<Retention> retention;

  Counter store_loads, store_saves, store_polls, store_purges, store_hints, store_corrupt_rows,
      store_failures;
  DurationCounter put_latency, store_latency;

 private:
  // `text` null: nothing could be read.
  void met_corrupt_row(const EntryId& id, const std::shared_ptr<const std::string>& text);
  explicit Core(CacheOptions cache_options);
  // The last owner has left. A forked child destroys nothing: all of it is the parent's.
  static void leave(Core* core);
  void choose_ports();
  void fix_directory();
  std::shared_ptr<std::uint32_t> share_counters();
  std::uint64_t slot_in_order() const;
  void open_files();
  void open_journal();
  // What was replayed and is in no file is served from memory, and written when that is possible.
  void serve_unwritten();
  void serve_what_was_below(const EntryId& id);
  // The local tiers give up this version, or what is older, for the store's row (null: for none).
  // Not where the disk will not give up a file that has it: then that stays, and is served as
  // before.
  [[nodiscard]] IoStatus withdraw(const EntryId& id, Version ours, const EntryPtr& row);
  IoStatus withdraw_file(const EntryId& id, Version ours, const EntryPtr& row);
  void remember_withdrawn(const EntryId& id, Version ours, const EntryPtr& row);
  std::vector<EntryId> ids_of(const OutboxWrite& parked) const;
  struct EntryVersion {
    EntryId id;
    Version version;
  };
  std::vector<OutboxOutcome> take_rows_instead(std::span<const EntryVersion> ours,
                                               SteadyTime deadline);
  void report_not_discarded(const EntryId& id, const IoStatus& status);
  OutboxOutcome let_go(const OutboxId& id);
  void adopted(const IoStatus& status);
  void adopt_later();
  void make_paths();
  void start_drain();
  void on_settled(const UnsettledWrite& write, const SaveResult& result);
  bool may_settle(const UnsettledWrite& write, const EntryPtr& winner);
  bool send_lost(const EntryId& id, const Entry& moved);
  bool sends_tombstone_instead(const UnsettledWrite& write);
  void show_newer(DatasetState& dataset, const EntryId& id, const ResidentPtr& resident,
                  std::uint32_t generation, MemoryTier::Pin pin);
  bool show_row(const EntryId& id, const EntryPtr& row, bool kept);
  bool give_up_older_file(const EntryId& id, const Entry& entry,
                          const FileWriteResult& not_written);
  EntryPtr newest_row(const EntryId& id, const EntryPtr& winner);
  void hold_in_files(const EntryId& id, const Entry& entry);
  CloseReceipt shut_down(SteadyTime deadline);
  void finish_lane(Lane lane);
  // Every single-document dataset with a schedule has its next turn ahead of it.
  bool nothing_overdue() const;

  std::atomic<bool> open_{true};
  std::atomic<std::uint64_t> settled_{0};
  std::uint64_t seed_ = 0;
  std::atomic<std::uint64_t> counters_identity_{0};
  mutable Mutex mutex_;
  std::map<std::string, std::unique_ptr<DatasetState>, std::less<>> datasets_
      TIERCACHE_GUARDED_BY(mutex_);
  struct Erasure {
    std::string dataset;
    std::string glob;
    Version version;
  };
  std::vector<Erasure> unfinished_erasures_ TIERCACHE_GUARDED_BY(mutex_);
  // Entries from the journal or the store whose files could not be written: served from memory
  // instead, once their dataset is open.
  std::map<EntryId, EntryPtr> unwritten_ TIERCACHE_GUARDED_BY(mutex_);
  std::optional<CloseReceipt> receipt_ TIERCACHE_GUARDED_BY(mutex_);
  // What the store refused lately and has instead, for whoever is still writing it to its file.
  // Bounded.
  struct Withdrawn {
    Version version;
    EntryPtr row;
  };
  std::map<EntryId, Withdrawn> withdrawn_ TIERCACHE_GUARDED_BY(mutex_);
  std::deque<EntryId> withdrawn_order_ TIERCACHE_GUARDED_BY(mutex_);
  // Names in the quarantine of the rows kept there lately: a row may be met at every read.
  std::set<std::string> rows_kept_aside_ TIERCACHE_GUARDED_BY(mutex_);
  bool closing_ TIERCACHE_GUARDED_BY(mutex_) = false;
};

template <class Call>
auto Core::ask_store(Breaker::Urgency urgency, Counter& counter, Call call) -> decltype(call()) {
  return ask_store(breaker->ask(urgency), counter, std::move(call));
}

template <class Call>
auto Core::ask_store(const Breaker::Permit& permit, Counter& counter, Call call)
    -> decltype(call()) {
  decltype(call()) reply;
  if (!permit.granted) {
    reply.status = StoreStatus::unavailable;
    reply.message = breaker->refusal();
    return reply;
  }
  Breaker::OpenCall open_call(*breaker, permit);
  const SteadyTime began = clock->steady_now();
  reply = guarded(std::move(call));
  counter.add();
  store_answered(reply, clock->steady_now() - began);
  open_call.ended(reply.status == StoreStatus::ok, reply.message);
  return reply;
}

}  // namespace tiercache::detail
