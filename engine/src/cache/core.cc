#include "cache/core.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/spoken.h"
#include "cache/local/cache_directory.h"
#include "cache/upkeep/scrub.h"
#include "system/process.h"
#include "tiercache/error.h"

namespace tiercache::detail {

using std::chrono::milliseconds;

namespace {

// What still runs when the cache closes, above all a call into a store that hangs, gets this
// moment.
constexpr milliseconds kGrace{250};

// The limits of a store that is switched off count too: what is put meanwhile is for it as well.
KeyRules key_rules_of(const CacheOptions& options) {
  KeyRules rules{.max_bytes = options.limits.max_key_bytes};
  if (options.store) rules.max_bytes_with_dataset = options.store->limits().max_key_bytes;
  return rules;
}

}  // namespace

// --- Opening ---

std::shared_ptr<Core> Core::open(CacheOptions options) {
  check_cache_options(options);
  const std::shared_ptr<Core> core(new Core(std::move(options)), &Core::delete_unless_forked);
  Runtime& runtime = core->runtime_;
  runtime.tasks.belong_to(core);
  own_directory(runtime);
  try {
    core->make_parts();
    core->connect_parts();
    core->upkeep_->adoption.open_journal();
  } catch (const BadDirectory&) {
    // Deleted meanwhile: without the marker the next open would take what was made since for
    // another's.
    if (!owns_directory(runtime)) own_directory_again(runtime);
    throw;
  }
  core->start_parts();
  runtime.log.info(
      LogTopic::lifecycle,
      "cache of project {} is open: {} in files, {} of their headers read, {} in the outbox",
      runtime.options.project, counted(core->local_->index().size(), "key"),
      core->local_->files().headers_read(),
      counted(core->local_->journal().stats().unsettled, "write"));
  return core;
}

Core::Core(CacheOptions options)
    : runtime_(std::move(options)), key_rules_(key_rules_of(runtime_.options)) {}

Core::~Core() = default;

void Core::delete_unless_forked(Core* core) {
  std::unique_ptr<Core> left(core);
  if (!core->runtime_.is_own_process()) keep_for_ever(std::move(left));
}

void Core::make_parts() {
  Runtime& runtime = runtime_;
  LocalTiers& local = local_.emplace(runtime, local_events_);
  FileWriter& file_writer = file_writer_.emplace(runtime, local);
  const FileBounds& bounds = bounds_.emplace(runtime, local.index());
  corrupt_rows_.emplace(runtime, local);

  StoreCalls& calls = calls_.emplace(runtime);
  StoreIdentity& identity = identity_.emplace(
      runtime, calls,
      [&local](const std::string& path, std::string_view head, const std::string& text) {
        return local.keep_note(path, head, text);
      },
      [this](bool was_another) {
        // Every key is compared with what the store has now, and what it has beside them may be
        // kept.
        if (was_another) {
          upkeep_->feed.start_over();
          upkeep_->hydration.begin_all();
        }
        store_writer_->kick();
      });
  PurgeHorizon& horizon = horizon_.emplace(calls, identity);
  StoreReader& store_reader = store_reader_.emplace(runtime, calls);

  StoreWriter& store_writer =
      store_writer_.emplace(runtime, local, file_writer, calls, identity, settlements_);
  WriteStamps& stamps =
      stamps_.emplace(runtime, local, file_writer, [this] { return upkeep_->adoption.adopt(); });
  WritePath& writes =
      writes_.emplace(runtime, local, file_writer, calls, store_writer, settlements_, stamps);
  outbox_calls_.emplace(runtime, local, file_writer, calls, store_writer);

  SingleFlight& flights = flights_.emplace(*runtime.executor, *runtime.clock,
                                           runtime.options.concurrent_refreshes, runtime.seed + 1);
  Turns& turns = turns_.emplace(runtime, local, flights,
                                [this](const EntryId& id, Cadence cadence, milliseconds lateness) {
                                  background_reads_->due(id, cadence, lateness);
                                });
  Answers& answers = answers_.emplace(runtime, local, writes, stamps);
  Refreshes& refreshes = refreshes_.emplace(runtime, flights, answers, turns);

  const ReadParts& read_parts =
      read_parts_.emplace(ReadParts{.runtime = runtime,
                                    .local = local,
                                    .file_writer = file_writer,
                                    .calls = calls,
                                    .store_reader = store_reader,
                                    .identity = identity,
                                    .horizon = horizon,
                                    .refreshes = refreshes,
                                    .served_stale = [this](const ReadRequest& served) {
                                      background_reads_->served_stale(served);
                                    }});
  background_reads_.emplace(runtime, read_parts, turns);
  upkeep_.emplace(
      UpkeepParts{runtime, local, file_writer, bounds, calls, identity, horizon, store_writer},
      [&turns](DatasetState& dataset) { turns.arm_all(dataset); });
}

void Core::connect_parts() {
  local_events_ = {
      .moved =
          [this](DatasetState& dataset, const EntryId& id) {
            flights_->forget_none(id);
            turns_->arm(dataset, id);
          },
      .grew = [this] { upkeep_->eviction.begin_if_full(); },
      .gone = [this] { upkeep_->keeper.make_whole_soon(); },
      .filed = [this] { return stamps_->release_filed(); },
  };
  local_->tell_writer({
      .unfiled = [this](const EntryId& id) { file_writer_->write_soon(id); },
      .touched = [this] { file_writer_->sync_soon(); },
  });
  calls_->tell({
      .named = [this](const std::string& incarnation) { identity_->seen(incarnation); },
      .corrupt_row = [this](const EntryId& id,
                            const auto& text) { corrupt_rows_->keep_aside(id, text); },
      .back =
          [this] {
            store_writer_->hurry();
            runtime_.changed.notify();
          },
  });
}

void Core::start_parts() {
  upkeep_->keeper.make_whole();
  store_writer_->start();
  upkeep_->feed.start();
  upkeep_->retention.start();
  upkeep_->eviction.begin_if_full();
  if (local_->files().is_save_due()) file_writer_->sync_soon();
  upkeep_->adoption.start();
}

DatasetState& Core::open_dataset(const std::string& name, DatasetPolicy policy) {
  runtime_.check_open();
  check_dataset_options(name, policy, runtime_.rules);
  const Datasets::Opened opened = runtime_.datasets.open(name, policy);
  DatasetState& dataset = opened.dataset;
  if (!opened.first) {
    if (dataset.policy.type != policy.type) {
      throw BadConfiguration("dataset \"" + name +
                             "\" is open with another type: each dataset has one");
    }
    check_same_options(name, dataset.policy, policy);
    return dataset;
  }
  local_->serve_unwritten();
  upkeep_->hydration.begin(dataset);
  return dataset;
}

// --- As a whole ---

bool Core::flush(SteadyTime deadline) {
  runtime_.check_open();
  file_writer_->flush();
  const bool filed =
      runtime_.changed.wait(deadline, [this] { return file_writer_->waiting() == 0; });
  // The first one fails for a sync that failed before, and the next writes anew what that left in
  // doubt.
  const bool synced = file_writer_->sync() || file_writer_->sync();
  if (!synced || !filed) return false;
  store_writer_->kick();
  return runtime_.changed.wait(deadline, [this] { return store_writer_->is_idle(); });
}

bool Core::warm_up(SteadyTime deadline) {
  runtime_.check_open();
  return runtime_.changed.wait(deadline, [this] {
    return !upkeep_->hydration.is_running() && refreshes_->callbacks_running() == 0 &&
           turns_->are_ahead();
  });
}

bool Core::accept_store() {
  runtime_.check_open();
  return calls_->uses_store() && identity_->accept();
}

ScrubReport Core::scrub(const ScrubOptions& options) {
  runtime_.check_open();
  // A name with a slip in it would find nothing wrong with what it does not look at.
  const std::string& dataset = options.dataset;
  if (!dataset.empty() && runtime_.datasets.find(dataset) == nullptr) {
    const std::vector<std::string> there = local_->index().datasets();
    if (std::ranges::find(there, dataset) == there.end()) {
      throw BadConfiguration("the scrub cannot work:\n  dataset = \"" + dataset +
                             "\": must be one that is open or has entries in the directory");
    }
  }
  return Scrub(upkeep_->works_with, options).run();
}

// --- Closing ---

CloseReceipt Core::close(milliseconds deadline) {
  const SteadyTime until = runtime_.after(deadline);
  bool first = false;
  {
    Lock lock(mutex_);
    first = !closing_;
    closing_ = true;
  }
  if (!first) {
    runtime_.changed.wait(kNever, [this] {
      Lock lock(mutex_);
      return receipt_.has_value();
    });
    Lock lock(mutex_);
    return *receipt_;
  }
  CloseReceipt receipt = shut_down(until);
  {
    Lock lock(mutex_);
    receipt_ = receipt;
  }
  runtime_.changed.notify();
  runtime_.log.info(LogTopic::lifecycle, "cache of project {} is closed: {}",
                    runtime_.options.project, receipt.to_string());
  return receipt;
}

CloseReceipt Core::shut_down(SteadyTime deadline) {
  CloseReceipt receipt;
  const std::uint64_t settled_before = store_writer_->settled();
  runtime_.tasks.close();
  turns_->stop();
  flights_->stop();
  finish_lane(Lane::disk);  // what was put or asked for asynchronously begins there
  upkeep_->keeper.make_whole();
  local_->journal().commit();
  file_writer_->flush();
  runtime_.changed.wait(deadline, [this] { return file_writer_->waiting() == 0; });
  upkeep_->feed.stop();
  file_writer_->stop();
  receipt.files_complete = file_writer_->waiting() == 0 && file_writer_->sync();
  if (runtime_.options.flags.graceful_shutdown) {
    store_writer_->kick();
    runtime_.changed.wait(deadline, [this] { return store_writer_->is_idle(); });
  }
  store_writer_->stop();
  settlements_.close();
  store_reader_->close();
  finish_lane(Lane::compute);  // and each handler is called once
  if (runtime_.owns_executor) runtime_.executor->shutdown(runtime_.after(kGrace));
  receipt.abandoned_callbacks = static_cast<std::uint64_t>(refreshes_->callbacks_running());
  const JournalStats in_journal = local_->journal().stats();
  receipt.confirmed = store_writer_->settled() - settled_before;
  receipt.left_in_outbox = in_journal.unsettled;
  receipt.parked = in_journal.parked;
  const IoStatus written = local_->files().close();
  if (!written.ok()) {
    runtime_.log.warn(LogTopic::files, "the index was not written, the next open rebuilds it: {}",
                      written.what);
  }
  local_->journal().close();
  return receipt;
}

// Waits a moment for the lane's tasks, since our own executor drops what is left in `shutdown`. An
// executor of the host's own is for the host to run.
void Core::finish_lane(Lane lane) {
  if (!runtime_.owns_executor) return;
  const std::shared_ptr<Event> done = runtime_.executor->make_event();
  runtime_.executor->post(lane, [done] { done->set(); });
  done->wait_until(runtime_.after(kGrace));
}

}  // namespace tiercache::detail
