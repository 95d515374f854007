// What an open cache does as a whole: time, health, calls into the store, flush and close.
#include "cache/core.h"

#include <algorithm>
#include <exception>
#include <utility>

#include "cache/change_feed.h"
#include "cache/directory_keeper.h"
#include "cache/file_writer.h"
#include "cache/refresh_path.h"
#include "cache/store_identity.h"
#include "cache/store_reader.h"
#include "cache/write_path.h"
#include "json/reader.h"
#include "system/coarse_clock.h"
#include "system/process.h"
#include "tiercache/error.h"

namespace tiercache::detail {

using std::chrono::milliseconds;

namespace {

// What still runs when the cache closes, above all a call into a store that hangs, gets this
// moment.
constexpr milliseconds kGrace{250};

}  // namespace

// --- Health marks ---

Marks::Marks(Log& log, const Clock& clock)
    : directory(log, clock,
                {.topic = LogTopic::files,
                 .level = spdlog::level::err,
                 .subject = "making the deleted directory anew",
                 .meanwhile = "what memory has is served"}),
      file_reads(log, clock,
                 {.topic = LogTopic::files,
                  .subject = "reading entry files",
                  .meanwhile = "memory, store and sources are asked"}),
      file_writes(
          log, clock,
          {.topic = LogTopic::files,
           .subject = "writing entry files",
           .meanwhile = "what is not in them is served from memory and kept in the journal"}),
      file_syncs(log, clock,
                 {.topic = LogTopic::files,
                  .level = spdlog::level::err,
                  .subject = "syncing entry files",
                  .meanwhile = "the journal keeps what is in them"}),
      journal(log, clock,
              {.topic = LogTopic::journal,
               .level = spdlog::level::err,
               .subject = "journaling",
               .meanwhile = "a write goes to the store, or throws"}),
      adoption(log, clock,
               {.topic = LogTopic::journal,
                .level = spdlog::level::err,
                .subject = "taking over what a stopped cache left"}),
      store(log, clock,
            {.topic = LogTopic::store,
             .subject = "the store",
             .meanwhile = "reads go on from memory and files, writes wait in the journal"}),
      saves(log, clock,
            {.topic = LogTopic::outbox,
             .subject = "sending a write that the store does not answer for, alone",
             .meanwhile = "others go on, and it is tried again with more time"}),
      feed(log, clock,
           {.topic = LogTopic::store,
            .subject = "noticing other machines' writes",
            .meanwhile = "they are noticed late"}),
      hints(log, clock,
            {.topic = LogTopic::store,
             .level = spdlog::level::info,
             .subject = "hearing the store's hints of changes",
             .meanwhile = "polls alone notice changes"}) {}

// --- Time and state ---

void Core::check_process() const {
  if (forks_so_far() == forks_at_open) return;
  throw Error(
      "this cache was opened before a fork and its threads are not in the child: open a cache "
      "of its own in each process");
}

void Core::check_open() const {
  check_process();
  if (!is_open()) throw Closed("the cache of project \"" + options.project + "\" is closed");
}

Ticks Core::coarse_ticks() const {
  const SteadyTime now = options.ports.clock ? clock->coarse_now() : system_coarse_now();
  return std::chrono::duration_cast<milliseconds>(now.time_since_epoch()).count();
}

Now Core::now() const {
  return {.wall = versions->now(), .ticks = coarse_ticks()};
}

WallTime Core::fetch_time(const EntryId& id) const {
  const WallTime wall = versions->now();
  const auto known = files->index().find(id);
  if (!known) return wall;
  const auto invalidated = believable(known->clocks, wall).invalidated_at;
  return invalidated ? std::max(wall, *invalidated + milliseconds(1)) : wall;
}

SteadyTime Core::after(milliseconds delay) const {
  const SteadyTime now = clock->steady_now();
  return delay > std::chrono::hours(24 * 365) ? kNever : now + delay;
}

void Core::store_answered(const StoreReply& reply, std::chrono::nanoseconds took) {
  store_latency.add(took);
  if (reply.status != StoreStatus::ok) store_failures.add();
  store_identity->seen(reply.incarnation);
  if (!reply.store_time) return;
  // Within the call's own length and the clocks' resolution the two clocks may well agree.
  const auto offset = *reply.store_time - clock->wall_now();
  const auto noise = std::chrono::duration_cast<milliseconds>(took) + milliseconds(100);
  versions->set_offset(offset > noise || offset < -noise ? offset : milliseconds(0));
}

LoadReply Core::load_rows(std::span<const EntryId> ids, SteadyTime deadline,
                          Breaker::Urgency urgency) {
  const SteadyTime until = std::min(deadline, after(options.store_calls.call_timeout));
  const LoadReply reply =
      ask_store(urgency, store_loads, [&] { return store->load(options.project, ids, until); });
  look_for_corrupt_rows(ids, reply);
  return reply;
}

void Core::report(LogTopic topic, const EntryId& id, const std::string& what) {
  log->warn(topic, LogSubject{id.dataset}, "dataset {}: {}", id.dataset, what);
}

void Core::look_for_corrupt_rows(std::span<const EntryId> ids, const LoadReply& reply) {
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (reply.is_corrupt(i)) met_corrupt_row(ids[i], reply.text_of_corrupt(i));
  }
}

void Core::met_corrupt_row(const EntryId& id, const std::shared_ptr<const std::string>& text) {
  constexpr std::size_t kRemembered = 1'000;
  store_corrupt_rows.add();
  report(LogTopic::store, id, "a row in the store is corrupt");
  if (!text) return;
  const std::string of = Checksum::of(id.dataset + '\0' + id.key).to_string();
  const std::string name = "row-" + of + "-" + Checksum::of(*text).to_string();
  {
    Lock lock(mutex_);
    if (rows_kept_aside_.size() >= kRemembered) rows_kept_aside_.clear();
    if (!rows_kept_aside_.insert(name).second) return;
  }
  executor->post(Lane::disk, [self = shared_from_this(), name, id, text] {
    std::string bytes = "tiercache-row 1 ";
    append_json_string(id.dataset, &bytes);
    append_json_string(id.key, &(bytes += ' '));
    bytes += '\n' + *text;
    if (self->files->stands() && self->quarantine->write(name, bytes).ok()) return;
    self->log->warn(LogTopic::store, "a corrupt row of the store could not be kept aside");
    Lock lock(self->mutex_);
    self->rows_kept_aside_.erase(name);
  });
}

// --- Flush, close ---

bool Core::flush(SteadyTime deadline) {
  check_open();
  file_writer->flush();
  const bool filed = changed->wait(deadline, [this] { return file_writer->waiting() == 0; });
  // The first one fails for a sync that failed before, and the next writes anew what that left in
  // doubt.
  const bool synced = file_writer->sync() || file_writer->sync();
  if (!synced || !filed) return false;
  if (!drain) return true;
  drain->kick();
  return changed->wait(deadline, [this] { return drain->idle(); });
}

bool Core::warm_up(SteadyTime deadline) {
  check_open();
  return changed->wait(deadline, [this] {
    return !refresh_path->hydrating() && flights->callbacks_running() == 0 && nothing_overdue();
  });
}

bool Core::accept_store() {
  check_open();
  return store && store_identity->accept();
}

CloseReceipt Core::close(milliseconds deadline) {
  const SteadyTime until = after(deadline);
  bool first = false;
  {
    Lock lock(mutex_);
    first = !closing_;
    closing_ = true;
  }
  if (!first) {
    changed->wait(kNever, [this] {
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
  changed->notify();
  log->info(LogTopic::lifecycle, "cache of project {} is closed: {}", options.project,
            receipt.to_string());
  return receipt;
}

CloseReceipt Core::shut_down(SteadyTime deadline) {
  CloseReceipt receipt;
  const std::uint64_t settled_before = settled_.load();
  open_.store(false, std::memory_order_release);
  scheduler->stop();
  flights->stop();
  finish_lane(Lane::disk);  // what was put or asked for asynchronously begins there
  directory_keeper->look();
  journal->commit();
  file_writer->flush();
  changed->wait(deadline, [this] { return file_writer->waiting() == 0; });
  change_feed->stop();
  file_writer->stop();
  receipt.files_complete = file_writer->waiting() == 0 && file_writer->sync();
  if (drain) {
    if (options.flags.graceful_shutdown) {
      drain->kick();
      changed->wait(deadline, [this] { return drain->idle(); });
    }
    drain->stop();
  }
  settlements.close();
  store_reader->close();
  finish_lane(Lane::compute);  // and each handler is called once
  if (owns_executor) executor->shutdown(after(kGrace));
  receipt.abandoned_callbacks = static_cast<std::uint64_t>(flights->callbacks_running());
  const JournalStats journal_stats = journal->stats();
  receipt.confirmed = settled_.load() - settled_before;
  receipt.left_in_outbox = journal_stats.unsettled;
  receipt.parked = journal_stats.parked;
  const IoStatus written = files->close();
  if (!written.ok()) {
    log->warn(LogTopic::files, "the index was not written, the next open rebuilds it: {}",
              written.what);
  }
  journal->close();
  return receipt;
}

// Else the executor drops what was posted. With one of the host's own it is for the host to run it.
void Core::finish_lane(Lane lane) {
  if (!owns_executor) return;
  const std::shared_ptr<Event> done = executor->make_event();
  executor->post(lane, [done] { done->set(); });
  done->wait_until(after(kGrace));
}

bool Core::nothing_overdue() const {
  Lock lock(mutex_);
  for (const auto& [name, dataset] : datasets_) {
    if (dataset->policy.options.keyed || dataset->policy.options.refresh_every.count() == 0)
      continue;
    const EntryId id = dataset->id({});
    const auto next = scheduler->next(id, Cadence::normal);
    if (!next || *next <= versions->now()) return false;
  }
  return true;
}

}  // namespace tiercache::detail
