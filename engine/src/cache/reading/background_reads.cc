#include "cache/reading/background_reads.h"

#include <utility>

#include "cache/runtime/judge.h"

namespace tiercache::detail {

SteadyTime BackgroundReads::deadline(const DatasetState& dataset) const {
  return runtime_.after(runtime_.options.store_calls.call_timeout +
                        2 * dataset.policy.options.hard_timeout);
}

void BackgroundReads::read(ReadRequest request, ReadHandler done) {
  auto op = std::make_shared<ReadOp>(parts_, std::move(request));
  runtime_.tasks.post(Lane::disk, [op, done = std::move(done)] {
    if (auto result = op->local()) {
      done(std::move(*result));
    } else {
      op->remote(done);
    }
  });
}

void BackgroundReads::served_stale(const ReadRequest& served) {
  DatasetState& dataset = *served.dataset;
  const EntryId id = dataset.id(served.key);
  const bool has_source =
      Refreshes::has_source({.dataset = &dataset, .id = id, .callback = served.callback});
  if (!runtime_.is_open() || (!parts_.calls.uses_store() && !has_source)) return;
  if (!parts_.refreshes.begin_look(id)) return;
  read({.dataset = &dataset,
        .key = served.key,
        .deadline = deadline(dataset),
        .callback = served.callback,
        .ttl = served.ttl,
        .reason = RefreshReason::behind,
        .behind = true},
       [keep = runtime_.tasks.keep(), this, id](const ReadResult&) {
         parts_.refreshes.end_look(id);
       });
}

void BackgroundReads::due(const EntryId& id, Cadence cadence, std::chrono::milliseconds lateness) {
  DatasetState* dataset = runtime_.datasets.find(id.dataset);
  if (dataset == nullptr || !runtime_.is_open()) return;
  dataset->counters.refresh_lateness.add(lateness);
  turns_.begun(*dataset, {id, cadence});
  const auto standing = parts_.local.known(dataset, id).standing();
  if (cadence == Cadence::rich && !Turns::asks_for_plain(*dataset, standing)) {
    return runtime_.tasks.post(Lane::disk, [this, dataset, id, cadence] {
      parts_.refreshes.run(
          {.dataset = dataset, .id = id, .reason = RefreshReason::scheduled, .cadence = cadence},
          {});
    });
  }
  const auto last_fetch =
      standing ? believable(standing->clocks.last_fetch, runtime_.now().wall) : std::nullopt;
  read({.dataset = dataset,
        .key = id.key,
        .deadline = deadline(*dataset),
        .reason = RefreshReason::scheduled,
        .behind = true,
        .fetched_after = last_fetch.value_or(WallTime{})},
       [keep = runtime_.tasks.keep(), this, id, dataset](const ReadResult&) {
         turns_.arm(*dataset, id);
         runtime_.changed.notify();
       });
}

}  // namespace tiercache::detail
